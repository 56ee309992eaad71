import { z } from 'zod'
import { formatKey, newestDeadLetters, parseKey } from '../../queries/deadLetters.ts'
import { readLetterBytes, readLetterGroups } from '../../queries/letterGroups.ts'
import { previewLetter } from '../../queries/letterPreview.ts'
import { unescapeText } from '../../sinks/postgres/columnText.ts'
import { RouteError, route } from '../route.ts'
import { mostRows, ofSchema, poolOf, schemaName, wholeNumber, withClient, word } from './asked.ts'

/** So much of a payload is given at first; more when it is asked for. */
const previewBytes = 4_096
const mostPartBytes = 65_536
const mostRedriven = 1_000

/** Bytes as text where they are UTF-8, and always as base64. */
const bytesSchema = z.object({ text: z.string().nullable(), base64: z.string(), total: z.number(), from: z.number() })
const letterRowSchema = z.object({
  id: z.string(),
  partition: z.number(),
  offset: z.number(),
  reason: z.string(),
  operator: z.string(),
  detail: z.string(),
  createdAt: z.number(),
  redrivenAt: z.number().nullable(),
})

export const letterGroups = route({
  method: 'GET',
  path: 'api/dead-letters',
  summary: 'Dead letters by pipeline, topic, operator and reason; those with the most that wait first.',
  query: ofSchema,
  body: null,
  answer: z.object({
    groups: z
      .array(
        z.object({
          pipeline: z.string(),
          topic: z.string(),
          operator: z.string(),
          reason: z.string(),
          waiting: z.number(),
          redriven: z.number(),
          newestAt: z.number(),
          detail: z.string(),
        }),
      )
      .readonly(),
  }),
  handle: async (context, { query }) => {
    const groups = await readLetterGroups(poolOf(context, query.schema))
    return {
      groups: groups.map((group) => ({
        ...group,
        operator: unescapeText(group.operator),
        reason: unescapeText(group.reason),
        detail: unescapeText(group.detail).slice(0, previewBytes),
      })),
    }
  },
})

const letterFilter = ofSchema.extend({
  pipeline: word.optional(),
  topic: word.optional(),
  operator: word.optional(),
  reason: word.optional(),
})

export const letterRows = route({
  method: 'GET',
  path: 'api/dead-letters/rows',
  summary: 'The newest dead letters, without key, headers and payload.',
  query: letterFilter.extend({
    redriven: z.enum(['true', 'false']).optional(),
    limit: wholeNumber(mostRows).optional(),
  }),
  body: null,
  answer: z.object({ letters: z.array(letterRowSchema).readonly() }),
  handle: async (context, { query }) => {
    const by = {
      reason: query.reason ?? null,
      operator: query.operator ?? null,
      topic: query.topic ?? null,
      pipeline: query.pipeline ?? null,
      isRedrivenIncluded: query.redriven === 'true',
    }
    const letters = await withClient(context, query.schema, (client) =>
      newestDeadLetters(client, by, query.limit ?? 100, true),
    )
    return {
      letters: letters.map((letter) => ({
        id: formatKey(letter),
        partition: letter.partition,
        offset: letter.offset,
        reason: unescapeText(letter.reason),
        operator: unescapeText(letter.operator),
        detail: unescapeText(letter.detail).slice(0, previewBytes),
        createdAt: letter.createdAt,
        redrivenAt: letter.redrivenAt,
      })),
    }
  },
})

export const oneLetter = route({
  method: 'GET',
  path: 'api/dead-letters/letter',
  summary: `One dead letter, with the first ${previewBytes} bytes of its key and payload.`,
  query: ofSchema.extend({ id: word }),
  body: null,
  answer: letterRowSchema.extend({
    recordTime: z.number().nullable(),
    key: bytesSchema.nullable(),
    headers: z.array(z.object({ key: z.string(), value: bytesSchema.nullable() })).readonly(),
    payload: bytesSchema.nullable(),
    /** The parts of which the letter itself keeps only the beginning, as words. */
    cut: z.array(z.string()).readonly(),
  }),
  handle: async (context, { query }) => {
    const letter = await previewLetter(poolOf(context, query.schema), parseKey(query.id), previewBytes)
    if (letter === null) throw new RouteError(404, `there is no dead letter ${query.id}`)
    return {
      id: formatKey(letter),
      partition: letter.partition,
      offset: letter.offset,
      reason: unescapeText(letter.reason),
      operator: unescapeText(letter.operator),
      detail: unescapeText(letter.detail),
      createdAt: letter.createdAt,
      redrivenAt: letter.redrivenAt,
      recordTime: letter.recordTime,
      key: letter.key === null ? null : bytesOf(letter.key, letter.keyBytes),
      headers: letter.headers.map(({ key, value }) => ({
        key,
        value: value === null ? null : bytesOf(Buffer.from(value.subarray(0, previewBytes)), value.length),
      })),
      payload: letter.payload === null ? null : bytesOf(letter.payload, letter.payloadBytes),
      cut: Object.entries(letter.cut ?? {}).map(
        ([part, { bytes }]: [string, { readonly bytes: number }]) => `${part} (${bytes} bytes)`,
      ),
    }
  },
})

export const letterBytes = route({
  method: 'GET',
  path: 'api/dead-letters/bytes',
  summary: `A part of the payload of a dead letter, ${mostPartBytes} bytes at most.`,
  query: ofSchema.extend({ id: word, from: wholeNumber(2_147_483_646), count: wholeNumber(mostPartBytes).optional() }),
  body: null,
  answer: bytesSchema,
  handle: async (context, { query }) => {
    const { from, count = previewBytes } = query
    const part = await readLetterBytes(poolOf(context, query.schema), parseKey(query.id), from, count)
    if (part === null) throw new RouteError(404, `there is no dead letter ${query.id} with a payload`)
    return bytesOf(part.bytes, part.total, from)
  },
})

export const redrive = route({
  method: 'POST',
  path: 'api/dead-letters/redrive',
  summary:
    'Appends dead letters to their topics again, so that they are processed once more: those of the ids, or all that wait of what is named.',
  query: z.object({}),
  body: z.union([
    z.object({ schema: schemaName, ids: z.array(word).min(1).max(mostRedriven) }),
    z.object({
      schema: schemaName,
      pipeline: word.nullable(),
      topic: word.nullable(),
      operator: word.nullable(),
      reason: word.nullable(),
    }),
  ]),
  answer: z.object({
    redriven: z.number(),
    recovered: z.number(),
    skipped: z.array(z.object({ id: z.string(), why: z.string() })).readonly(),
  }),
  handle: async (context, { body }) => {
    const { schema, ...wish } = body
    poolOf(context, schema)
    const done = await context.redrive(schema, wish)
    return { ...done, skipped: done.skipped.map((one) => ({ ...one })) }
  },
})

function bytesOf(bytes: Buffer, total: number, from = 0): z.infer<typeof bytesSchema> {
  return { text: textOf(bytes, from + bytes.length < total), base64: bytes.toString('base64'), total, from }
}

/** Null for what is no UTF-8; a character that the cut goes through is left out. */
function textOf(bytes: Buffer, isCut: boolean): string | null {
  for (let less = 0; less <= (isCut ? 3 : 0); less += 1) {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(0, bytes.length - less))
    } catch {
      // Not text so far: one byte less may be, and bytes are shown where none is.
    }
  }
  return null
}

import { z } from 'zod'
import { intervalMs, intervals } from '../market/interval.ts'
import { newestAlerts, standingAlerts } from '../queries/alertEvents.ts'
import { readNewestCandles, type StoredCandle } from '../queries/candles.ts'
import { readWatchedSymbols } from '../queries/dayChanges.ts'
import { formatKey, newestDeadLetters, parseKey } from '../queries/deadLetters.ts'
import { gapsOf, newestGaps } from '../queries/feedGaps.ts'
import { readLakeTables } from '../queries/lakeTables.ts'
import { readLetterBytes, readLetterGroups } from '../queries/letterGroups.ts'
import { previewLetter } from '../queries/letterPreview.ts'
import { newestRows } from '../queries/newestRows.ts'
import { readDifferences } from '../queries/reconcile.ts'
import { readStatus } from '../queries/status.ts'
import { unescapeText } from '../sinks/postgres/columnText.ts'
import { IndicatorOver } from './indicatorOf.ts'
import { indicatorText, mostIndicators, seriesSchema } from './protocol.ts'
import { type AnyRoute, type RouteContext, RouteError, route } from './route.ts'
import { shownCandles, warmUpCandles, wireCandle, wireGap } from './seriesWatch.ts'
import { wireSymbol } from './symbolWatch.ts'

const schemaName = z.string().min(1).max(63)
const wholeNumber = (most: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .pipe(z.number().int().min(0).max(most))
const timeMs = wholeNumber(8_640_000_000_000_000)
const word = z.string().min(1).max(500)

/** So much of a payload is given at first; more when it is asked for. */
export const previewBytes = 4_096
const mostPartBytes = 65_536
const mostRows = 500
const mostRedriven = 1_000

const anyRow = z.record(z.string(), z.unknown())
const ofSchema = z.object({ schema: schemaName })
const wireCandleSchema = z.tuple([
  z.number(),
  z.string(),
  z.string(),
  z.string(),
  z.string(),
  z.string(),
  z.number(),
  z.union([z.literal(0), z.literal(1)]),
  z.number(),
])
const wireIndicatorSchema = z.object({
  indicator: z.string(),
  names: z.array(z.string()).readonly(),
  values: z.array(z.array(z.number()).readonly()).readonly(),
})
const wireGapSchema = z.object({ from: z.number(), to: z.number(), state: z.string(), missing: z.number() })
const dataSetSchema = z.object({
  schema: z.string(),
  name: z.string(),
  isSimulated: z.boolean(),
  problem: z.string().nullable(),
  hasCandles: z.boolean(),
})
/** Bytes as text where they are UTF-8, and always as base64. */
const bytesSchema = z.object({ text: z.string().nullable(), base64: z.string(), total: z.number(), from: z.number() })
const alertSchema = z.object({
  rule: z.string(),
  kind: z.string(),
  severity: z.enum(['page', 'ticket', 'info']),
  market: z.string(),
  symbol: z.string(),
  interval: z.string(),
  openTime: z.number(),
  transition: z.enum(['firing', 'resolved', 'noData', 'dataBack', 'flapping', 'corrected']),
  corrects: z.enum(['firing', 'resolved', 'noData', 'dataBack', 'flapping', 'corrected']).nullable(),
  revision: z.number(),
  at: z.number(),
  value: z.string(),
  threshold: z.string(),
  muted: z.number(),
  isComplete: z.boolean(),
  text: z.string(),
})
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

const overview = route({
  method: 'GET',
  path: 'api/overview',
  summary: 'The version, the time of the console, and the data sets that there are.',
  query: z.object({}),
  body: null,
  answer: z.object({ version: z.string(), now: z.number(), dataSets: z.array(dataSetSchema).readonly() }),
  handle: async ({ dataSets, version, now }) => ({ version, now: now(), dataSets: await dataSets.look() }),
})

const pipelines = route({
  method: 'GET',
  path: 'api/pipelines',
  summary:
    'How each pipeline is doing: a verdict, its graph, rates, lag, watermark, tasks; those that want somebody first.',
  query: z.object({}),
  body: null,
  answer: z.object({
    pipelines: z
      .array(z.looseObject({ pipeline: z.string(), verdict: z.object({ level: z.string(), text: z.string() }) }))
      .readonly(),
  }),
  handle: async (context) => ({ pipelines: (await context.pipelines()).map((view) => ({ ...view })) }),
})

const symbols = route({
  method: 'GET',
  path: 'api/symbols',
  summary:
    'The symbols of a data set, by name and 500 at most, each with its newest price and what it was a day before: those whose name contains `find`, of `total`.',
  query: ofSchema.extend({ find: z.string().max(60).optional() }),
  body: null,
  answer: z.object({
    symbols: z.array(z.looseObject({ market: z.string(), symbol: z.string(), price: z.string() })).readonly(),
    total: z.number(),
  }),
  handle: async (context, { query }) => {
    const pool = poolOf(context, query.schema)
    if (!candlesIn(context, query.schema)) return { symbols: [], total: 0 }
    const { symbols, total } = await readWatchedSymbols(pool, query.find?.trim() ?? '')
    return { symbols: symbols.map((one) => ({ ...wireSymbol(one) })), total }
  },
})

const candles = route({
  method: 'GET',
  path: 'api/candles',
  summary:
    'Candles of one symbol, the newest of the range, in order of time, with indicators and gaps. Decimals are exact text; as CSV where asked.',
  query: seriesSchema.extend({
    interval: z.enum(intervals),
    from: timeMs.optional(),
    to: timeMs.optional(),
    limit: wholeNumber(5_000).optional(),
    indicators: z
      .string()
      .transform((text) => text.split(','))
      .pipe(z.array(indicatorText).max(mostIndicators))
      .optional(),
    format: z.enum(['json', 'csv']).optional(),
  }),
  body: null,
  answer: z.object({
    candles: z.array(wireCandleSchema).readonly(),
    indicators: z.array(wireIndicatorSchema).readonly(),
    gaps: z.array(wireGapSchema).readonly(),
  }),
  alsoText: 'text/csv',
  handle: async (context, { query }) => {
    const pool = poolOf(context, query.dataSet)
    if (!candlesIn(context, query.dataSet)) return { candles: [], indicators: [], gaps: [] }
    const limit = query.limit ?? shownCandles
    const wanted = query.indicators ?? []
    const range = { ...query, from: query.from ?? null, to: query.to ?? null }
    const before = wanted.length === 0 ? 0 : warmUpCandles
    const read = await readNewestCandles(pool, { ...range, from: before === 0 ? range.from : null }, limit + before)
    const shown = read.filter(({ openTime }) => range.from === null || openTime >= range.from).slice(-limit)
    if (query.format === 'csv') {
      return {
        type: 'text/csv',
        fileName: `${query.symbol.replaceAll(/[^\p{L}\p{N}_-]/gu, '_')}-${query.interval}.csv`,
        text: csvOf(shown),
      }
    }
    const first = shown[0]?.openTime ?? 0
    const gaps = read[0] === undefined ? [] : await gapsOf(pool, query, read[0].openTime)
    const withHoles = read.map((candle) => ({
      candle,
      isComplete: !gaps.some(
        ({ fromTime, toTime }) => fromTime < candle.openTime + intervalMs[query.interval] && toTime >= candle.openTime,
      ),
    }))
    const indicators = wanted.map((text) => {
      const all = new IndicatorOver(text, query.interval).whole(withHoles)
      return { ...all, values: all.values.filter(([openTime]) => openTime >= first).map((value) => [...value]) }
    })
    return {
      candles: shown.map((one) => [...wireCandle(one)] as z.infer<typeof wireCandleSchema>),
      indicators,
      gaps: gaps.map(wireGap),
    }
  },
})

const letterGroups = route({
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

const letterRows = route({
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

const oneLetter = route({
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

const letterBytes = route({
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

const redrive = route({
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

const data = route({
  method: 'GET',
  path: 'api/data',
  summary:
    'What there is of a data set: gaps of feeds, differences to the exchange, archive, lake, logs, messages that wait, what was skipped.',
  query: ofSchema,
  body: null,
  answer: z.object({
    gaps: z.array(anyRow).readonly(),
    differences: z.array(anyRow).readonly(),
    archive: z.array(anyRow).readonly(),
    lake: z.array(anyRow).readonly(),
    logs: z.array(anyRow).readonly(),
    outbox: z.array(anyRow).readonly(),
    skipped: z.array(anyRow).readonly(),
    /** Null where the data set has no such table. */
    quality: z.array(anyRow).readonly(),
    runs: z.array(anyRow).readonly(),
  }),
  handle: async (context, { query }) =>
    withClient(context, query.schema, async (client) => {
      const status = await readStatus(client)
      return {
        gaps: rowsOf(await newestGaps(client, mostRows)),
        differences: rowsOf(await readDifferences(client, mostRows)),
        archive: rowsOf(status.archive),
        lake: rowsOf(await readLakeTables(client)),
        logs: rowsOf(status.logs),
        outbox: rowsOf(status.outbox),
        skipped: rowsOf(status.skipped),
        quality: await newestRows(client, 'quality', mostRows),
        runs: await newestRows(client, 'runs', mostRows),
      }
    }),
})

const alerts = route({
  method: 'GET',
  path: 'api/alerts',
  summary: 'Alerts that fire or lack data now, and what rules have decided, the newest first. Times are ms UTC.',
  query: ofSchema,
  body: null,
  answer: z.object({ standing: z.array(alertSchema).readonly(), alerts: z.array(alertSchema).readonly() }),
  handle: async (context, { query }) => {
    const pool = poolOf(context, query.schema)
    return {
      standing: (await standingAlerts(pool, mostRows)).map((one) => ({ ...one })),
      alerts: (await newestAlerts(pool, mostRows)).map((one) => ({ ...one })),
    }
  },
})

/** All that the console can be asked, but for its pages and the socket. */
export const routes = [
  overview,
  pipelines,
  symbols,
  candles,
  letterGroups,
  letterRows,
  oneLetter,
  letterBytes,
  redrive,
  data,
  alerts,
] as const

export const routeTable: readonly AnyRoute[] = routes as unknown as readonly AnyRoute[]

type Routes = (typeof routes)[number]

export type RoutePath = Routes['path']

/** What a path answers. */
export type AnswerOf<P extends RoutePath> = z.infer<Extract<Routes, { readonly path: P }>['answer']>

function poolOf({ dataSets }: RouteContext, schema: string) {
  const pool = dataSets.poolOf(schema)
  if (pool !== null) return pool
  const known = dataSets.known.find((one) => one.schema === schema)
  throw new RouteError(404, known?.problem ?? `there is no schema ${schema} with tables of Millrace`)
}

function candlesIn({ dataSets }: RouteContext, schema: string): boolean {
  return dataSets.known.some((one) => one.schema === schema && one.hasCandles)
}

async function withClient<T>(
  context: RouteContext,
  schema: string,
  use: (client: import('pg').PoolClient) => Promise<T>,
): Promise<T> {
  const client = await poolOf(context, schema).connect()
  try {
    const result = await use(client)
    client.release()
    return result
  } catch (error) {
    client.release(true)
    throw error
  }
}

function rowsOf(rows: readonly object[]): Readonly<Record<string, unknown>>[] {
  return rows.map((row) => ({ ...row }))
}

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

const csvHead =
  'open_time,open,high,low,close,volume,quote_volume,trade_count,taker_buy_volume,vwap,is_closed,revision\n'

function csvOf(candles: readonly StoredCandle[]): string {
  const lines = candles.map((one) =>
    [
      new Date(one.openTime).toISOString(),
      one.open,
      one.high,
      one.low,
      one.close,
      one.volume,
      one.quoteVolume,
      one.tradeCount,
      one.takerBuyVolume,
      one.vwap,
      one.isClosed,
      one.revision,
    ].join(','),
  )
  return `${csvHead}${lines.map((line) => `${line}\n`).join('')}`
}

import { createHash } from 'node:crypto'
import { z } from 'zod'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { LineFields } from './lineFields.ts'

const count = z.number().int().min(0)
const fields = z.object({
  key: z.string().nullable(),
  time: z.string().nullable(),
  timeUnit: z.enum(['ms', 'us', 's']).nullable(),
})
const schema = z.object({
  v: z.literal(1),
  /** Lines that are done, blank ones included, and their unzipped bytes. */
  line: count,
  byte: count,
  /** The last line had no end: the file may have been longer by now, but not that line. */
  isOpen: z.boolean(),
  fields,
  /** Of the beginning of what is read: so many bytes, and their SHA-256. */
  head: z.object({ bytes: count, hash: z.string() }),
})

/** Where JSON lines go on, how they were read so far, and how what is read begins. */
export type LinesPosition = Omit<z.infer<typeof schema>, 'v'>

export function formatPosition(position: LinesPosition): string {
  return JSON.stringify({ v: 1, ...position })
}

/**
 * @param name of the feed, for messages
 * @throws ConfigurationError on a position of another feed, or of lines that were read with other options
 */
export function parsePosition(text: string, name: string, now: LineFields): LinesPosition {
  const parsed = schema.safeParse(parseJson(text))
  if (!parsed.success) {
    throw new ConfigurationError(
      `${name} cannot go on at ${text.slice(0, 80)}: that is not a position of JSON lines. Name another producer with --producer, or another topic.`,
    )
  }
  const { fields: before } = parsed.data
  if (before.key !== now.key || before.time !== now.time || before.timeUnit !== now.timeUnit) {
    throw new ConfigurationError(
      `${name} was read with ${optionsText(before)} up to line ${parsed.data.line}, and now it is ${optionsText(now)}. Use the same options, or bring all of it in once more with --producer NAME or into another topic.`,
    )
  }
  return parsed.data
}

/** The beginning of what is read, as it is remembered. */
export function headOf(bytes: Buffer): LinesPosition['head'] {
  return { bytes: bytes.length, hash: createHash('sha256').update(bytes).digest('hex').slice(0, 32) }
}

function optionsText({ key, time, timeUnit }: LineFields): string {
  const options = [
    key === null ? null : `--key ${key}`,
    time === null ? null : `--time ${time}`,
    timeUnit === null ? null : `--time-unit ${timeUnit}`,
  ].filter((option) => option !== null)
  return options.length === 0 ? 'neither --key nor --time' : options.join(' ')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

import { shownText } from '../../runtime/shownText.ts'
import { eventTimeProblem, looksLikeSeconds } from '../eventTimeBounds.ts'
import { parseIsoTime } from '../isoTime.ts'

/** Unit of a time that is a number. */
export type TimeUnit = 'ms' | 'us' | 's'

/** What of a JSON line becomes the key and the time of its record. */
export interface LineFields {
  /** A field, as a dotted path (`station.id`); null for records without a key. */
  readonly key: string | null
  /** The same; null for records without a time. */
  readonly time: string | null
  /** Null takes numbers for ms, unless they look like another unit; ISO text needs none. */
  readonly timeUnit: TimeUnit | null
}

/** What is wrong with one line, in words. */
export class BadLine extends Error {
  constructor(message: string) {
    super(shownText(message))
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Key and time of one line. Throws `BadLine`. */
export function readLine(
  line: Buffer,
  fields: LineFields,
): { readonly key: string | null; readonly timestamp: number | null } {
  const json = parsed(line)
  return {
    key: fields.key === null ? null : keyOf(json, fields.key),
    timestamp: fields.time === null ? null : timeOf(json, fields.time, fields.timeUnit),
  }
}

function parsed(line: Buffer): unknown {
  let text: string
  try {
    text = utf8.decode(line)
  } catch {
    throw new BadLine('not UTF-8')
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new BadLine(`not JSON: ${whatIsWrong(error)}`)
  }
}

/** Without the part of the text that the message goes on to quote. */
function whatIsWrong(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.split(', "')[0] ?? message
}

function keyOf(json: unknown, path: string): string {
  const found = fieldOf(json, path)
  if (typeof found === 'string' && !found.isWellFormed()) throw new BadLine(`the key ${path} has half a surrogate pair`)
  if (typeof found === 'string') return found
  if (typeof found === 'number' && !isExact(found)) {
    throw new BadLine(
      `the key ${path} is a number that is read as ${found}, maybe not the one that stands there: numbers are exact up to 2^53; make it text in the input`,
    )
  }
  if (typeof found === 'number' || typeof found === 'boolean') return String(found)
  throw new BadLine(`the key ${path} is ${kindOf(found)}; text, a number or a boolean is needed`)
}

/** False where another number in the text would have been read as the same one. */
function isExact(number: number): boolean {
  return Number.isSafeInteger(number) || (Number.isFinite(number) && !Number.isInteger(number))
}

function timeOf(json: unknown, path: string, unit: TimeUnit | null): number {
  const found = fieldOf(json, path)
  const number = typeof found === 'string' && /^\d+(\.\d+)?$/.test(found) ? Number(found) : found
  if (typeof number === 'number') return numberTime(number, path, unit)
  if (typeof found !== 'string')
    throw new BadLine(`the time ${path} is ${kindOf(found)}; a number or ISO 8601 text is needed`)
  const ms = parseIsoTime(found)
  if (ms === null) {
    throw new BadLine(
      `the time ${path} is ${JSON.stringify(found.slice(0, 40))}, which is no ISO 8601 time (2024-08-08T23:55:00Z)`,
    )
  }
  return checked(ms, path)
}

function numberTime(number: number, path: string, unit: TimeUnit | null): number {
  const ms = Math.floor(unit === 'us' ? number / 1_000 : unit === 's' ? number * 1_000 : number)
  if (unit === null && looksLikeSeconds(ms)) {
    throw new BadLine(
      `the time ${path} is ${number}, in ms that is ${new Date(ms).toISOString()}: say --time-unit s, or --time-unit ms where it is meant`,
    )
  }
  return checked(ms, path)
}

function checked(ms: number, path: string): number {
  const problem = eventTimeProblem(ms)
  if (problem !== null) throw new BadLine(`the time ${path} ${problem}`)
  return ms
}

function fieldOf(json: unknown, path: string): unknown {
  let at = json
  for (const name of path.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) {
      throw new BadLine(`there is no field ${path}`)
    }
    at = (at as Readonly<Record<string, unknown>>)[name]
  }
  return at
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

import type { OutgoingRecord } from '../../../runtime/log/log.ts'
import type { MergeNote } from '../../../runtime/store/checkpoint.ts'

/** A record at its offset. */
export interface LoggedRecord {
  readonly offset: number
  readonly record: OutgoingRecord
}

/** A record with its input and its offset there. */
export interface PlacedRecord extends LoggedRecord {
  readonly input: number
}

const maxAdvanceMs = 86_400_000

/**
 * The order in which the records of several logs go into a task, straight from its definition: those of an input that was read first, then the least by rank, but noted records when
 * the inputs stand where their note says.
 */
export function mergedOrder(
  logs: readonly (readonly LoggedRecord[])[],
  notes: readonly MergeNote[],
): readonly PlacedRecord[] {
  const keys = logs.map(keysOf)
  const at = logs.map(() => 0)
  const head = (input: number) => logs[input]?.[at[input] as number]
  const offsetOf = (input: number) => head(input)?.offset ?? Number.POSITIVE_INFINITY
  const order: PlacedRecord[] = []
  const take = (input: number) => {
    order.push({ input, ...(head(input) as LoggedRecord) })
    at[input] = (at[input] as number) + 1
  }
  const firsts = notes.filter(({ isFirst }) => isFirst === true).sort((a, b) => a.input - b.input)
  for (const { input, offsets } of firsts) while (offsetOf(input) < (offsets[input] as number)) take(input)
  const displaced = notes.filter(({ isFirst }) => isFirst !== true)
  const noteOf = new Map(displaced.map((note) => [`${note.input}/${note.offsets[note.input]}`, note]))
  const noteAt = (input: number) => noteOf.get(`${input}/${offsetOf(input)}`)
  const key = (input: number) => (keys[input] as readonly number[])[at[input] as number] as number
  for (let left = logs.reduce((sum, log) => sum + log.length, 0) - order.length; left > 0; left--) {
    const heads = logs.flatMap((_, input) => (head(input) === undefined ? [] : [input]))
    const due = heads.find((input) => noteAt(input)?.offsets.every((offset, i) => offsetOf(i) >= offset))
    const free = heads.filter((input) => noteAt(input) === undefined)
    take(due ?? free.reduce((least, one) => (key(one) < key(least) ? one : least), free[0] as number))
  }
  return order
}

function keysOf(log: readonly LoggedRecord[]): readonly number[] {
  let newest = Number.NEGATIVE_INFINITY
  return log.map(({ record: { timestamp } }) => {
    const known = timestamp < 0 ? Math.max(newest, -1) : timestamp
    const key = newest === Number.NEGATIVE_INFINITY ? known : Math.min(known, newest + maxAdvanceMs)
    newest = Math.max(newest, key)
    return key
  })
}

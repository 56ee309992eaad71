import type { MergeNote } from '../../../runtime/checkpoint.ts'
import type { OutgoingRecord } from '../../../runtime/log.ts'

/** A record with its input and its offset there. */
interface Placed {
  readonly input: number
  readonly offset: number
  readonly record: OutgoingRecord
}

const maxAdvanceMs = 86_400_000

/** The order in which the records of several logs without gaps go into a task, straight from its definition: the least by rank, but noted records when the inputs stand where their note says. */
export function mergedOrder(
  logs: readonly (readonly OutgoingRecord[])[],
  notes: readonly MergeNote[],
): readonly Placed[] {
  const keys = logs.map(keysOf)
  const at = logs.map(() => 0)
  const noteOf = new Map(notes.map((note) => [`${note.input}/${note.offsets[note.input]}`, note]))
  const order: Placed[] = []
  for (let left = logs.reduce((sum, log) => sum + log.length, 0); left > 0; left--) {
    const heads = logs.flatMap((log, input) => ((at[input] as number) < log.length ? [input] : []))
    const noteAt = (input: number) => noteOf.get(`${input}/${at[input]}`)
    const due = heads.find((input) => noteAt(input)?.offsets.every((offset, i) => (at[i] as number) >= offset))
    const key = (input: number) => (keys[input] as readonly number[])[at[input] as number] as number
    const free = heads.filter((input) => noteAt(input) === undefined)
    const input = due ?? free.reduce((least, one) => (key(one) < key(least) ? one : least), free[0] as number)
    const offset = at[input] as number
    order.push({ input, offset, record: logs[input]?.[offset] as OutgoingRecord })
    at[input] = offset + 1
  }
  return order
}

function keysOf(log: readonly OutgoingRecord[]): readonly number[] {
  let newest = Number.NEGATIVE_INFINITY
  return log.map(({ timestamp }) => {
    const known = timestamp < 0 ? Math.max(newest, -1) : timestamp
    const key = newest === Number.NEGATIVE_INFINITY ? known : Math.min(known, newest + maxAdvanceMs)
    newest = Math.max(newest, key)
    return key
  })
}

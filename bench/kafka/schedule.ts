import type { OutgoingRecord } from '../../src/runtime/log/log.ts'

/** When live trades are due: trade 0 at `from`, the others evenly after it. */
export interface Schedule {
  readonly rate: number
  /** ms of the wall clock, with fractions. */
  readonly from: number
}

export function dueAt({ rate, from }: Schedule, index: number): number {
  return from + (index * 1_000) / rate
}

/** ms, with fractions: the same for all processes of a machine. */
export function wallClock(): number {
  return performance.timeOrigin + performance.now()
}

/** `transactions` as `millrace ingest` appends, `plain` as most other producers do. */
export type ProducerWay = 'plain' | 'transactions'

/** A way to append live trades to a topic. */
export interface Appends {
  /**
   * Appends trades up to `until`, in order, and perhaps before they are confirmed.
   * @returns the first trade that has to be appended next
   */
  append(records: readonly OutgoingRecord[], until: number, isOver: () => boolean): Promise<number>
  /** Once all are confirmed. */
  end(): Promise<Produced>
}

/** One append of the producer. */
export interface Append {
  /** The first trade that it did not have. */
  readonly until: number
  /** ms of the wall clock, with fractions: when it was begun, and when the broker had confirmed it. */
  readonly sentAt: number
  readonly storedAt: number
}

/** What a producer says at its end. */
export interface Produced {
  /** In order; null where one has failed, so that nobody knows any more which offset a trade has. */
  readonly appends: readonly Append[] | null
  /** Whether each of them took an offset more in each of its partitions. */
  readonly hasMarkers: boolean
}

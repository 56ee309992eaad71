import type { PartitionGrowth } from './partitionGrowth.ts'
import type { RecordHeader } from './record.ts'
import type { RowText, Table } from './table.ts'

/** One partition's share of one pipeline. */
export interface TaskId {
  readonly pipeline: string
  readonly topic: string
  readonly partition: number
}

/** Operators' state as text: `base` is all of it, `delta` what changed since the frame before. */
export interface StateFrame {
  readonly kind: 'base' | 'delta'
  readonly body: string
}

export interface TableWrite<Row = unknown> {
  readonly table: Table<Row>
  readonly rows: readonly Row[]
  /** The same rows as they are to be written, where somebody has made them already. */
  readonly texts?: readonly RowText[]
}

/**
 * A record, or a value made of it, that is set aside, with all that it takes to append it again. Identity: task, offset, operator and
 * ordinal, so a replay finds it again.
 */
export interface DeadLetter {
  readonly offset: number
  /** Counts letters of the same offset and operator from 0. */
  readonly ordinal: number
  /** Which operator set it aside. */
  readonly operator: string
  /** Stable and short, for grouping: `malformed`, `late`, `time-leap`. */
  readonly reason: string
  /** What was wrong, with the numbers. */
  readonly detail: string
  /** The record's event time or timestamp, ms UTC, where it has one. */
  readonly recordTime: number | null
  readonly key: Uint8Array | null
  readonly headers: readonly RecordHeader[]
  /** The record's value, cut to the store's limit. */
  readonly payload: Uint8Array | null
}

/** An object of the archive: in the manifest, hence visible to readers, once its checkpoint is committed. */
export interface ArchivedObject {
  readonly key: string
  readonly firstOffset: number
  readonly lastOffset: number
  readonly recordCount: number
  readonly sizeBytes: number
  readonly sha256: string
  readonly minTimestamp: number
  readonly maxTimestamp: number
  readonly symbols: readonly string[]
}

/** A forward step of the watermark (ms UTC) that no record caused, before the record at the offset; a replay takes it there too. */
export interface IdleAdvance {
  readonly offset: number
  readonly watermark: number
}

/** Everything one transaction stores. */
export interface Checkpoint {
  readonly nextOffset: number
  /** null until the first event time. */
  readonly watermark: number | null
  /** Where the archive goes on: at or below `nextOffset`, or null without an archive. */
  readonly archiveNextOffset: number | null
  /** Which log the offsets are of, where it says; kept from then on. */
  readonly logId?: string
  readonly state: StateFrame
  readonly writes: readonly TableWrite[]
  readonly deadLetters: readonly DeadLetter[]
  readonly objects: readonly ArchivedObject[]
  readonly idleAdvances: readonly IdleAdvance[]
}

export interface SavedCheckpoint {
  readonly nextOffset: number
  readonly watermark: number | null
  readonly archiveNextOffset: number | null
  readonly logId?: string
  /** The newest base, then the deltas since, oldest first. */
  readonly state: readonly StateFrame[]
}

/** The right to commit for a task until somebody else claims it. */
export interface Claim {
  readonly task: TaskId
  readonly generation: number
  /** null when nothing was ever committed. */
  readonly restored: SavedCheckpoint | null
}

export interface CheckpointStore {
  /**
   * Raises the generation, so that every older claim is fenced, and gives what was last committed.
   *
   * Remembers the number of partitions of the topic, where it is told, and throws `ConfigurationError`, with nothing claimed and nobody fenced, when
   * this pipeline has claimed any partition of the topic under another number: of two first claims that race, one wins. `allow` remembers
   * without comparing, so a pipeline that refuses again is held to the greatest number that it has run under, and not to what it was before it
   * allowed the change. Where the number is left out, nothing is compared and what was remembered stays.
   * @param growth `refuse` if left out
   */
  claim(task: TaskId, topicPartitions?: number, growth?: PartitionGrowth): Promise<Claim>
  /**
   * Stores all of the checkpoint or nothing. Throws `TaskFencedError` when the claim is no longer the newest,
   * `RetryableError` when it is not known whether it was stored: claim again to learn it, and `DeterminismError` for an object or a dead
   * letter that is stored with another content. The next offset never goes down.
   */
  commit(claim: Claim, checkpoint: Checkpoint): Promise<void>
  /** Steps of time that a task recorded, by offset and watermark: those behind `after`, at most `limit`. */
  idleAdvancesAfter(task: TaskId, after: IdleAdvance, limit: number): Promise<readonly IdleAdvance[]>
  close(): Promise<void>
}

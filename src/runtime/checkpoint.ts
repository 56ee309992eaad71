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
  /** JSON text, written and read by the runtime alone. */
  readonly body: string
}

/** Rows for one table, in the order in which they were emitted. */
export interface TableWrite<Row = unknown> {
  /** Where they go. */
  readonly table: Table<Row>
  /** As the outlet got them. */
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
  /** Of the first record in it. */
  readonly firstOffset: number
  /** Of the last record in it. */
  readonly lastOffset: number
  /** How many records are in it. */
  readonly recordCount: number
  /** Of the object as it is stored, compressed. */
  readonly sizeBytes: number
  /** Of the same bytes; lower-case hex. */
  readonly sha256: string
  /** The earliest timestamp of its records, ms UTC; -1 where none has a plausible one. */
  readonly minTimestamp: number
  /** The latest timestamp of its records, ms UTC; -1 where none has a plausible one. */
  readonly maxTimestamp: number
  /** Those keys of its records that are text, each once, in code unit order. */
  readonly symbols: readonly string[]
}

/** A forward step of the `watermark` (ms UTC) that no record caused, before the record at the offset; a replay takes it there too. */
export interface IdleAdvance {
  readonly offset: number
  readonly watermark: number
}

/** The input was declared ended before the record at the offset, which a replay repeats there. */
export interface InputEnd {
  readonly offset: number
  /** The watermark until then, ms UTC. */
  readonly watermark: number
}

/** An idle advance, or an end of the input, as a replay reads it back: by offset, then by watermark (ms UTC). */
export interface RecordedStep extends IdleAdvance {
  readonly isEnd: boolean
}

/** Everything one transaction stores. */
export interface Checkpoint {
  /** Where reading goes on: every record below has its part in this checkpoint or an earlier one. */
  readonly nextOffset: number
  /** Event time that has been reached, ms UTC; null until the first. */
  readonly watermark: number | null
  /** Where the archive goes on: at or below `nextOffset`, or null without an archive. */
  readonly archiveNextOffset: number | null
  /** Which log the offsets are of, where it says; kept from then on. */
  readonly logId?: string
  /** What the operators hold after the records below `nextOffset`. */
  readonly state: StateFrame
  /** Rows that the tables have to take. */
  readonly writes: readonly TableWrite[]
  /** What was set aside since the last checkpoint. */
  readonly deadLetters: readonly DeadLetter[]
  /** What has become durable in the archive since the last checkpoint, in offset order. */
  readonly objects: readonly ArchivedObject[]
  /** Steps of time that no record caused since the last checkpoint. */
  readonly idleAdvances: readonly IdleAdvance[]
  /** Where the input was declared ended; the steps that this caused are among the idle advances too. */
  readonly inputEnds?: readonly InputEnd[]
}

/** What the checkpoints so far come to: where a task goes on, and with which state. */
export interface SavedCheckpoint {
  /** Where reading goes on. */
  readonly nextOffset: number
  /** Event time that had been reached, ms UTC; null before the first. */
  readonly watermark: number | null
  /** Where the archive goes on, or null without one. */
  readonly archiveNextOffset: number | null
  /** Which log the offsets are of, where it said. */
  readonly logId?: string
  /** The newest base, then the deltas since, oldest first. */
  readonly state: readonly StateFrame[]
}

/** The right to commit for a task until somebody else claims it. */
export interface Claim {
  /** Whose checkpoints they are. */
  readonly task: TaskId
  /** Counts the claims of the task from 1; a commit with an older one is refused. */
  readonly generation: number
  /** null when nothing was ever committed. */
  readonly restored: SavedCheckpoint | null
}

/** Where checkpoints are kept: each one whole or not at all, and only from the newest claim. After a crash a task goes on from the last one. */
export interface CheckpointStore {
  /** Raises the generation, so that every older claim is fenced, and gives what was last committed. */
  claim(task: TaskId): Promise<Claim>
  /**
   * Stores all of the checkpoint or nothing. Throws `TaskFencedError` when the claim is no longer the newest,
   * `RetryableError` when it is not known whether it was stored: claim again to learn it, and `DeterminismError` for an object or a dead
   * letter that is stored with another content. The next offset never goes down.
   */
  commit(claim: Claim, checkpoint: Checkpoint): Promise<void>
  /** What moved a task's time without a record, in order: the steps behind `after`, at most `limit` of them. */
  recordedSteps(task: TaskId, after: RecordedStep, limit: number): Promise<readonly RecordedStep[]>
  /** Lets go of connections. What was committed stays. */
  close(): Promise<void>
}

import type { StoredMessage } from '../log/destination.ts'
import type { RecordHeader } from '../log/record.ts'
import type { Withdrawn } from '../withdrawn.ts'
import type { LookupAnswer } from './answers.ts'
import type { CutParts } from './keptBytes.ts'
import type { Outbox } from './outbox.ts'
import type { OpenPacker, PackedRows } from './packedRows.ts'
import type { PartitionGrowth } from './partitionGrowth.ts'
import type { RowText, Table } from './table.ts'

/** One partition's share of one pipeline. */
export interface TaskId {
  readonly pipeline: string
  /** Of the leading input. */
  readonly topic: string
  readonly partition: number
  /** The topics of the other inputs, in their order; none where it is left out. */
  readonly otherTopics?: readonly string[]
  /** Which partition of each of them is read, where one task reads all; that of the task where it is left out. */
  readonly otherPartitions?: readonly number[]
}

/**
 * Operators' state as text: `base` is all of it, and `delta` what changed since the frame before.
 *
 * `first`, `further` and `last` are portions of all of it, which were written one a checkpoint, behind the delta of that. They count from the moment at which the last is stored; it makes all frames void that are older than the newest
 * `first`. A `first` makes portions void whose last did not come.
 */
export interface StateFrame {
  readonly kind: 'base' | 'delta' | 'first' | 'further' | 'last'
  /** JSON text, written and read by the runtime alone. */
  readonly body: string
}

/**
 * Rows for one table, and what takes rows of an upsert table back, in the order in which they were emitted: a key whose row was taken back starts anew with its next row. However the
 * order is cut into checkpoints, the table ends up the same.
 */
export interface TableWrite<Row = unknown> {
  /** Where they go. */
  readonly table: Table<Row>
  /** As the outlet got them. */
  readonly rows: readonly (Row | Withdrawn<Row>)[]
  /** The same rows as they are to be written, where somebody has made them already. */
  readonly texts?: readonly RowText[]
  /** The rows, where the store has packed them as they came; `rows` has none then. */
  readonly packed?: PackedRows
}

/**
 * A record, or a value made of it, that is set aside, with all that it takes to append it again. Identity: task, offset, operator and
 * ordinal, so a replay finds it again.
 */
export interface DeadLetter {
  /** Which input of the task the record came from; the leading one, 0, where it is left out. */
  readonly input?: number
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
  /** The record's value. */
  readonly payload: Uint8Array | null
  /** The parts of the record that are longer than what is kept of them here; left out where all of it is. */
  readonly cut?: CutParts
}

/** The `messages` of one `outlet`, in their order. */
export interface MessageWrite {
  readonly outlet: string
  readonly messages: readonly StoredMessage[]
}

/** An object of the archive: in the manifest, hence visible to readers, once its checkpoint is committed. */
export interface ArchivedObject {
  /** Which input of the task its records came from; the leading one, 0, where it is left out. */
  readonly input?: number
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

/** Where a task stands in its inputs: before the record at the offset of the leading one, and at those of the others. */
export interface TaskPlace {
  readonly offset: number
  /** Offsets, in the order of the inputs; none where there is one input. */
  readonly otherOffsets?: readonly number[]
  /** Counts what a task with several inputs records, from 1; left out where there is one input. */
  readonly sequence?: number
}

/** A forward step of the `watermark` (ms UTC) that no record caused, before the record at the offset; a replay takes it there too. */
export interface IdleAdvance extends TaskPlace {
  readonly watermark: number
  /** Which of several times was moved, by the name of its `eventTime`; left out where a task has one. */
  readonly clock?: string
}

/** The input was declared ended before the record at the offset, which a replay repeats there. */
export interface InputEnd extends TaskPlace {
  /** The watermark until then, ms UTC. */
  readonly watermark: number
}

/** An idle advance, or an end of the input, as a replay reads it back: by place, then by watermark (ms UTC). */
export interface RecordedStep extends IdleAdvance {
  /** True for an end of the input. */
  readonly isEnd: boolean
}

/**
 * A record of one input that came after a greater one of another had been let past: a replay, which has both at hand, takes it where it was taken, which is when the
 * inputs stand at `offsets`.
 */
export interface MergeNote {
  /** The index of the input, 0 for the leading one. */
  readonly input: number
  /** Next offsets of all inputs before the record, its own being its offset. */
  readonly offsets: readonly number[]
  /** True where it is no record's: the input was read before all others up to this offset, at the first start. */
  readonly isFirst?: true
}

/** Where a task goes on in an input that does not lead. */
export interface InputPosition {
  /** Where reading goes on. */
  readonly nextOffset: number
  /** Where the input's archive goes on, or null without one. */
  readonly archiveNextOffset: number | null
  /** Which log the offsets are of, where it says. */
  readonly logId?: string
  /** Of the record before `nextOffset`, where the log says: it tells whether the log still has that record. */
  readonly leaderEpoch?: number
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
  /** Of the record before `nextOffset`, where the log says. */
  readonly leaderEpoch?: number
  /** The same of the other inputs, in their order; none where there is one input. */
  readonly others?: readonly InputPosition[]
  /** What the operators hold after the records below `nextOffset`. */
  readonly state: StateFrame
  /** Stored behind `state`: a portion of all that they hold, or a base. Without it, the frames before and `state` say the same. */
  readonly portion?: StateFrame
  /** Rows that the tables have to take. */
  readonly writes: readonly TableWrite[]
  /** Messages that were emitted since the last checkpoint, by outlet. */
  readonly messages?: readonly MessageWrite[]
  /** What was set aside since the last checkpoint. */
  readonly deadLetters: readonly DeadLetter[]
  /** What has become durable in the archive since the last checkpoint, in offset order. */
  readonly objects: readonly ArchivedObject[]
  /** Steps of time that no record caused since the last checkpoint. */
  readonly idleAdvances: readonly IdleAdvance[]
  /** Where the input was declared ended; the steps that this caused are among the idle advances too. */
  readonly inputEnds?: readonly InputEnd[]
  /** Where inputs were merged in another order than by their records alone. */
  readonly mergeNotes?: readonly MergeNote[]
  /** What was answered from outside, by operators that record it. */
  readonly answers?: readonly LookupAnswer[]
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
  /** Of the record before `nextOffset`, where the log said. */
  readonly leaderEpoch?: number
  /** The same of the other inputs, in the order of `TaskId.otherTopics`; null for one that the task did not have, and none where there is one input. */
  readonly others?: readonly (InputPosition | null)[]
  /** The newest base, or the first portion of the newest whole state of which there is the last, and all frames since, oldest first. */
  readonly state: readonly StateFrame[]
}

/** Whose messages they are, where names alone do not tell: another database may have a pipeline of the same name that sends to the same topic. */
export interface OutboxIdentity {
  /** Made with the task, and anew when what it keeps is dropped. */
  readonly id: string
  /** Whether destinations know the part by this id as well; those that were first sent to by an earlier release know it by its name alone. */
  readonly isInName: boolean
}

/** Offsets of one input that a person has decided to leave out. */
export interface SkippedRange {
  /** 0 for the leading one. */
  readonly input: number
  /** The first offset that is left out. */
  readonly fromOffset: number
  /** The first offset behind those that are left out. */
  readonly toOffset: number
}

/** The right to commit for a task until somebody else claims it. */
export interface Claim {
  /** Whose checkpoints they are. */
  readonly task: TaskId
  /** Counts the claims of the task from 1; a commit with an older one is refused. */
  readonly generation: number
  /** null when nothing was ever committed. */
  readonly restored: SavedCheckpoint | null
  /** Where nothing is restored, but the manifest has objects of an earlier life of the task: the offset behind the last of each input, null for none. */
  readonly archivedUntilOffsets?: readonly (number | null)[]
  /** How many checkpoints the task has had, where the store counts them: one that has fewer at the next commit has lost some. */
  readonly commits?: number
  /** Left out by stores whose tasks cannot be confused with those of another. */
  readonly outbox?: OutboxIdentity
  /** What a person has decided to leave out; nothing where it is left out. */
  readonly skipped?: readonly SkippedRange[]
}

/** Where checkpoints are kept: each one whole or not at all, and only from the newest claim. After a crash a task goes on from the last one. */
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
  /** What moved a task's time without a record, in order: the steps behind `after`, at most `limit` of them. */
  recordedSteps(task: TaskId, after: RecordedStep, limit: number): Promise<readonly RecordedStep[]>
  /** Where a task's inputs were merged in another order than by their records alone: the notes of one input from an offset of its own on, in order, at most `limit` of them. */
  mergeNotes(task: TaskId, input: number, fromOffset: number, limit: number): Promise<readonly MergeNote[]>
  /**
   * What was answered from outside about records of one input from an offset of its own on: by offset, then by operator and ordinal, at most `limit` of them. What a later checkpoint says of a place
   * takes the place of what an earlier one said.
   */
  answers(task: TaskId, input: number, fromOffset: number, limit: number): Promise<readonly LookupAnswer[]>
  /** Messages of checkpoints that wait to be sent. */
  readonly outbox: Outbox
  /** Packs rows of append tables for `commit`, where the store takes them so; left out by one that keeps them as they are. */
  readonly openPacker?: OpenPacker
  /** Lets go of connections. What was committed stays. */
  close(): Promise<void>
}

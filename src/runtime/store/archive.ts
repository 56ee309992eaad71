import type { Clock } from '../clock.ts'
import type { ReadAhead } from '../log/readAhead.ts'
import type { RecordFacts, RecordView } from '../log/record.ts'
import type { ArchivedObject, TaskId } from './checkpoint.ts'

/** The `objects` that have become durable since the last take, and the `nextOffset` where the archive would go on after them. */
export interface ArchiveProgress {
  readonly objects: readonly ArchivedObject[]
  readonly nextOffset: number
}

/**
 * The raw records of one task on their way into objects. Where an object ends is decided by the records alone (count, bytes, event hour),
 * so that the same records make the same objects however often the task starts again.
 */
export interface ArchiveWriter {
  /** Takes the record in (copies it), with what is known about its bytes. Synchronous; consecutive from the offset that the writer was opened at. */
  append(record: RecordView, facts?: RecordFacts): void
  /** Takes records in that were read ahead, from the one at hand up to the one before `end`, which is at hand then. What is known holds for the bytes of each. */
  appendAll(records: ReadAhead, end: number, facts: RecordFacts): void
  /** True while what was appended piles up because it is not packed as fast as it comes. */
  readonly isBehind: boolean
  /** Resolves once that is no longer so, packing failed, or the signal fires. Takes a moment where the processor is busy, and no longer. */
  catchUp(signal: AbortSignal): Promise<void>
  /** What is held in memory: the open object and those that are not yet durable. */
  readonly heldBytes: number
  /** False while more should not be appended, because uploads do not keep up. */
  readonly hasRoom: boolean
  /** Resolves once there is room, an upload failed for good, or the signal fires. */
  waitForRoom(signal: AbortSignal): Promise<void>
  /** Objects that became durable since the last call, in offset order without gaps. Throws what an upload failed for good with. */
  take(): ArchiveProgress
  /** Ends the open object, because no record will follow, and resolves when everything is durable or the signal fires. */
  finish(signal: AbortSignal): Promise<void>
  /** What is waited for, in words for a status line ("s3://raw: connection refused, 14 s"), or null. */
  readonly waitingFor: string | null
  /** Lets go of memory and uploads under way; what is not in a checkpoint is read from the log again. */
  abandon(): void
}

/** Keeps the raw records of a log beside the pipeline. A checkpoint names what has become durable, so after a crash the archive goes on without a gap or a repeat. */
export interface Archive {
  /** A writer for one task that goes on at the offset. */
  open(task: TaskId, nextOffset: number, clock: Clock): ArchiveWriter
}

import { ArchiveTap } from '../inputs/archiveTap.ts'
import type { InputCursor } from '../inputs/inputCursor.ts'
import { InputMerge } from '../inputs/inputMerge.ts'
import { InputReader } from '../inputs/inputReader.ts'
import { outOfRange } from '../inputs/openCursors.ts'
import { RecordedNotes } from '../inputs/recordedNotes.ts'
import type { RepeatedOrder } from '../inputs/takenOrder.ts'
import { SkippedOffsets } from '../log/skippedOffsets.ts'
import { isShared } from '../pipeline/wholeInputs.ts'
import type { Claim, TaskId } from '../store/checkpoint.ts'
import type { StreamTask } from '../task/streamTask.ts'
import type { AttemptContext } from './attempt.ts'

/** A task that is restored, and the logs that it is to go on reading. */
export interface RestoredTask {
  readonly claim: Claim
  readonly task: StreamTask
  readonly cursors: readonly InputCursor[]
}

/** Opens the archives that the pipeline attaches, each at its own next offset. */
export function openArchives(
  { id, options }: Pick<AttemptContext, 'id' | 'options'>,
  { claim: { restored, archivedUntilOffsets }, task, cursors }: RestoredTask,
): readonly ArchiveTap[] {
  const { archive, clock, inputs } = options
  if (archive === null) return []
  const archived = new Set([...task.archives.values()].map((input) => cursors[input]?.topic))
  return [...cursors.entries()].flatMap(([input, cursor]) => {
    const { topic, partition } = cursor
    if (!archived.has(topic)) return []
    // What every task reads is in the archive once.
    if (id.partition !== 0 && isShared(inputs, cursor.input)) return []
    const saved = input === 0 ? restored?.archiveNextOffset : restored?.others?.[input - 1]?.archiveNextOffset
    const from = saved ?? Math.max(task.nextOffsets[input] as number, archivedUntilOffsets?.[input] ?? 0)
    cursor.archive = new ArchiveTap(archive.open({ ...id, topic, partition }, from, clock), input, from)
    return cursor.archive
  })
}

/**
 * Has each cursor go on where the task stands, or its archive where that is further back.
 * @throws OffsetOutOfRangeError where the log does not have that any more
 */
export function seek(id: TaskId, { claim, task, cursors }: RestoredTask): void {
  for (const [input, cursor] of cursors.entries()) {
    cursor.skipped = new SkippedOffsets(claim.skipped ?? [], input)
    const from = Math.min(task.nextOffsets[input] as number, cursor.archive?.nextOffset ?? Number.POSITIVE_INFINITY)
    const start = cursor.skipped.behind(from)
    if (start < cursor.earliest || start > cursor.logEnd) throw outOfRange(id, cursor, start, from)
    cursor.seek(from)
  }
}

/**
 * Opens what reads the inputs, in the order that the task has been read in so far.
 * @param recordedOf the run that is replayed, or null
 * @param repeated what the attempt before did, or null
 */
export async function openReader(
  { options, signal, order }: Pick<AttemptContext, 'options' | 'signal' | 'order'>,
  { claim, task, cursors }: RestoredTask,
  recordedOf: TaskId | null,
  repeated: RepeatedOrder | null,
): Promise<InputReader> {
  const { store, clock, limits } = options
  const notes = recordedOf === null ? null : new RecordedNotes(store, recordedOf)
  const merged = cursors.map(({ name, input: { maxAdvanceMs, movesTime } }) => {
    return { topic: name, maxAdvanceMs, movesTime }
  })
  const merge = cursors.length === 1 ? null : new InputMerge(merged, task.savedMerge, notes !== null)
  const reader = new InputReader({ cursors, merge, notes, repeated, clock, limits, signal })
  if (merge === null) return reader
  task.mergeState = () => merge.snapshot()
  if (claim.restored !== null) return reader
  // At the first start, tables are read before the streams that look things up in them.
  for (const [input, { input: resolved, logEnd }] of cursors.entries()) {
    if (resolved.movesTime) continue
    const firstUntil = notes === null ? (repeated?.firstUntil(input) ?? logEnd) : await notes.firstUntil(input)
    if (firstUntil <= (task.nextOffsets[input] as number)) continue
    merge.readFirst(input, firstUntil)
    order.readFirst(input, firstUntil)
    reader.note({ input, offsets: task.nextOffsets.with(input, firstUntil), isFirst: true })
  }
  return reader
}

import { type ColumnValue, RecordView, type SavedCheckpoint, type Table } from '../../src/index.ts'
import { framesOf, keptFrames } from '../../src/runtime/state/frameChain.ts'
import { StreamTask } from '../../src/runtime/task/streamTask.ts'
import type { TaskCut } from '../../src/runtime/task/taskCut.ts'
import type { Continuation, GoldenRecord, Results } from './golden.ts'
import { type PipelineName, pipelines } from './pipelines.ts'

/** Pushes the records through a task that starts with nothing, and gives what a store holds after a cut behind each of the offsets. */
export function checkpointOf(
  pipeline: PipelineName,
  records: readonly GoldenRecord[],
  cutsAfter: readonly number[],
): SavedCheckpoint {
  const task = new StreamTask(pipelines[pipeline], null, records[0]?.offset ?? 0)
  let saved: SavedCheckpoint | null = null
  for (const [index, record] of records.entries()) {
    task.push(viewOf(record))
    if (cutsAfter.includes(index + 1)) saved = savedAfter(saved, task.cut({ now: record.timestamp, isFinal: false }))
  }
  if (saved?.nextOffset !== task.nextOffset) throw new Error(`${pipeline}: no cut after the last record`)
  return saved
}

/**
 * Restores the checkpoint, pushes the rest, takes the idle step and ends the input.
 * @param restartsAfter whether the task is cut, thrown away and restored again after so many records of the rest
 */
export function goOn(
  pipeline: PipelineName,
  from: SavedCheckpoint,
  { rest, idleTo }: Continuation,
  restartsAfter: (pushed: number) => boolean,
): Results {
  const cuts: TaskCut[] = []
  let saved = from
  let task = new StreamTask(pipelines[pipeline], saved, 0)
  for (const [index, record] of rest.entries()) {
    task.push(viewOf(record))
    if (!restartsAfter(index + 1)) continue
    const cut = task.cut({ now: record.timestamp, isFinal: false })
    cuts.push(cut)
    saved = savedAfter(saved, cut)
    task = new StreamTask(pipelines[pipeline], saved, 0)
  }
  task.advanceIdle(idleTo)
  task.closeOpen()
  cuts.push(task.cut({ now: idleTo, isFinal: true }))
  return resultsOf(cuts)
}

/** What a store gives back once it has stored the cut. */
function savedAfter(before: SavedCheckpoint | null, cut: TaskCut): SavedCheckpoint {
  const { nextOffset, watermark } = cut
  return { nextOffset, watermark, archiveNextOffset: null, state: keptFrames(before?.state ?? [], framesOf(cut)) }
}

function resultsOf(cuts: readonly TaskCut[]): Results {
  const rows: Record<string, Results['rows'][string][number][]> = {}
  for (const { table, rows: written } of cuts.flatMap((cut) => cut.writes)) {
    rows[table.name] ??= []
    for (const row of written) rows[table.name]?.push(columnsOf(table, row))
  }
  const letters = cuts.flatMap((cut) => cut.deadLetters)
  return { rows, deadLetters: letters.map((letter) => [letter.offset, letter.operator, letter.reason, letter.ordinal]) }
}

function columnsOf(table: Table<unknown>, row: unknown): Exclude<ColumnValue, bigint>[] {
  return table.columns.map((column) => {
    const value = column.of(row)
    return typeof value === 'bigint' ? String(value) : value
  })
}

function viewOf({ offset, timestamp, value }: GoldenRecord): RecordView {
  const view = new RecordView()
  view.buffer = Buffer.from(value)
  view.valueLength = view.buffer.length
  view.offset = offset
  view.timestamp = timestamp
  return view
}

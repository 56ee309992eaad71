import { vi } from 'vitest'
import { ReadAhead } from '../../../src/runtime/log/readAhead.ts'
import type { Pipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import { StreamTask } from '../../../src/runtime/task/streamTask.ts'
import { TaskInputs } from '../../../src/runtime/task/taskInputs.ts'
import { RecordBatchWalker } from '../../../src/sources/recordBatch/walker.ts'

/** All that can be seen of a run, cut by cut, a second of processing time apart. */
export function run(pipeline: Pipeline, bytes: Buffer, most: number, recordsPerCut = 41) {
  const task = new StreamTask(pipeline, null, 0)
  const batch = new RecordBatchWalker('items', 0).load(bytes)
  const ahead = new ReadAhead(most)
  const credit = {
    maxUncommittedRecords: recordsPerCut,
    maxUncommittedBytes: 1e9,
    maxUncommittedResults: 1e9,
    maxUncommittedResultBytes: 1e9,
  }
  const seen: unknown[] = []
  const cut = () => {
    const now = seen.length * 1_000
    const { writes, deadLetters, state, watermark, nextOffset } = task.cut({ now, isFinal: false })
    const rows = writes.map(({ table, rows }) => [table.name, rows])
    seen.push({ rows, deadLetters, state, watermark, nextOffset, counts: task.operatorCounts() })
  }
  while (ahead.next(batch)) {
    if (most > 1) task.pushAhead(ahead, 0, credit, null)
    else task.push(ahead.show())
    if (task.uncutRecords >= recordsPerCut) cut()
  }
  cut()
  return seen
}

/** Counts the records that are taken as spans, until mocks are restored. */
export function countTaken(): () => number {
  let taken = 0
  const { take } = TaskInputs.prototype
  vi.spyOn(TaskInputs.prototype, 'take').mockImplementation(function (this: TaskInputs, input, span, to) {
    taken += to - (span.records[0] as number)
    take.call(this, input, span, to)
  })
  return () => taken
}

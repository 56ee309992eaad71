import { map } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { BadRowError } from '../../../src/runtime/badRow.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { RecordView } from '../../../src/runtime/log/record.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import { noAnswers } from '../../../src/runtime/store/answers.ts'
import type { AppendTable } from '../../../src/runtime/store/table.ts'
import { StreamTask } from '../../../src/runtime/task/streamTask.ts'
import { CopyPacker } from '../../../src/sinks/postgres/copyPacker.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'

interface Row {
  readonly number: number
}

const numbers: AppendTable<Row> = {
  mode: 'append',
  name: 'numbers',
  columns: [{ name: 'number', type: 'integer', of: ({ number }) => number }],
}

function taskOf(onError: 'dead-letter' | 'stop'): StreamTask {
  const pipeline = definePipeline({
    name: 'packed',
    onError,
    build: (records) => ({
      numbers: toPostgres(records.pipe(map((record) => ({ number: Number(record.valueText()) }))), numbers),
    }),
  })
  return new StreamTask(pipeline, null, 0, undefined, undefined, {
    ...{ clock: systemClock, tasks: 1, task: 0, topic: null, answers: noAnswers },
    openPacker: (table) => new CopyPacker(table),
  })
}

function push(task: StreamTask, ...texts: readonly string[]): void {
  for (const text of texts) {
    const view = new RecordView()
    view.buffer = Buffer.from(text)
    view.valueLength = view.buffer.length
    view.offset = task.nextOffset
    task.push(view)
  }
}

const cut = { now: 0, isFinal: false }

describe('rows of a table that its store takes packed', () => {
  it('are bytes from the moment they come, and are counted as rows', () => {
    const task = taskOf('dead-letter')
    push(task, '1', '20', '300')
    expect(task.uncutResults).toBe(3)
    expect(task.uncutResultBytes).toBe('1\n20\n300\n'.length)
    const { writes, results } = task.cut(cut)
    expect(results).toEqual(new Map([['numbers', 3]]))
    const packed = { count: 3, chunks: [Buffer.from('1\n20\n300\n')], release: expect.any(Function) }
    expect(writes).toEqual([{ table: numbers, rows: [], packed }])
    expect(task.uncutResults).toBe(0)
    expect(task.cut(cut).writes).toEqual([])
  })

  it('are set aside at once where the table cannot hold them, and the rest of the checkpoint stays', () => {
    const task = taskOf('dead-letter')
    push(task, '1', '2.5', '3')
    const { writes, deadLetters } = task.cut(cut)
    expect(writes[0]?.packed?.count).toBe(2)
    expect(deadLetters.map(({ offset, operator, reason, detail }) => [offset, operator, reason, detail])).toEqual([
      [1, 'outlet numbers', 'bad-row', expect.stringMatching(/column number: 2.5 is no integer/)],
    ])
  })

  it('end the task with the place of the record where a pipeline is to stop', () => {
    const task = taskOf('stop')
    push(task, '1')
    expect(() => push(task, '2.5')).toThrow(
      expect.objectContaining({ name: BadRowError.name, pipeline: 'packed', offset: 1 }),
    )
  })
})

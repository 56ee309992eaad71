import {
  delay,
  lastValueFrom,
  map,
  merge,
  mergeAll,
  mergeMap,
  type Observable,
  type OperatorFunction,
  share,
  timer,
} from 'rxjs'
import { describe, expect, it } from 'vitest'
import { batchFlush } from '../../../src/operators/batchFlush.ts'
import { decode } from '../../../src/operators/decode.ts'
import { dedupe } from '../../../src/operators/dedupe.ts'
import { eventTime } from '../../../src/operators/eventTime.ts'
import { mapAsync } from '../../../src/operators/mapAsync.ts'
import { tumblingWindow } from '../../../src/operators/tumblingWindow.ts'
import { OperatorError, RetryableError } from '../../../src/runtime/errors.ts'
import { RecordView } from '../../../src/runtime/log/record.ts'
import { stateful } from '../../../src/runtime/operator/stateful.ts'
import { definePipeline, type Pipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import { StreamTask } from '../../../src/runtime/task/streamTask.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { ChainTask } from '../../support/tasks.ts'

const cut = { now: 0, isFinal: false }
const timed = eventTime<number>({ of: (at) => at, maxOutOfOrdernessMs: 0 })
const counter = stateful<number, number>({ name: 'counter' }, (_restored, out) => {
  let count = 0
  return { onValue: () => out.emit(++count) }
})

/** Resolves a little later than a promise that is done already. */
const tenfold = async (value: number) => {
  await null
  return value * 10
}

describe('operators that let go at a cut, above each other', () => {
  it('a batch above an asynchronous map is mapped before the cut, not lost behind it', async () => {
    const run = new ChainTask<number>((values) =>
      values.pipe(
        batchFlush({ maxCount: 10 }),
        mapAsync(async (batch) => batch.length, { concurrency: 2 }),
      ),
    ).push(1, 2, 3)
    const { nextOffset, writes } = await run.task.cutWhenQuiet({ now: 0, isFinal: true })
    expect([nextOffset, writes[0]?.rows]).toEqual([3, [3]])
  })

  it('asynchronous maps in a row are all waited for', async () => {
    const run = new ChainTask<number>((values) =>
      values.pipe(
        mapAsync(tenfold, { name: 'first', concurrency: 2 }),
        mapAsync(tenfold, { name: 'second', concurrency: 1 }),
        batchFlush({ maxCount: 10 }),
        mapAsync(async (batch) => batch.join(), { name: 'third', concurrency: 3 }),
      ),
    ).push(1, 2, 3)
    expect((await run.task.cutWhenQuiet(cut)).writes[0]?.rows).toEqual(['100,200,300'])
  })

  it('what they let go is one checkpoint with the offset, however many rounds it takes', async () => {
    const chain = (values: Observable<number>) =>
      values.pipe(
        mapAsync(tenfold, { name: 'first', concurrency: 9 }),
        batchFlush({ maxCount: 2 }),
        mapAsync(async (batch) => batch, { name: 'second', concurrency: 9 }),
        mergeAll(),
        mapAsync(tenfold, { name: 'third', concurrency: 9 }),
      )
    const run = new ChainTask<number>(chain)
    const rows: unknown[] = []
    for (let i = 1; i <= 5; i++) {
      run.push(i)
      rows.push(...((await run.task.cutWhenQuiet(cut)).writes[0]?.rows ?? []))
      expect(rows).toHaveLength(i)
    }
    expect(rows).toEqual([100, 200, 300, 400, 500])
  })
})

describe('the rest of a task', () => {
  it('is guarded above asynchronous operators as well: what emits on its own is refused', async () => {
    const run = new ChainTask<number>((values) => values.pipe(delay(0), mapAsync(tenfold, { concurrency: 2 }))).push(1)
    await new Promise((resolve) => setTimeout(resolve, 1))
    expect(() => run.push(2)).toThrow(/mapAsync: a value arrived while the task was at rest/)
  })

  it('is guarded above batches and outlets', async () => {
    for (const chain of [
      (values: Observable<number>) => values.pipe(delay(0), batchFlush({ maxCount: 5 })),
      (values: Observable<number>) => values.pipe(delay(0)),
    ]) {
      const run = new ChainTask<number>(chain).push(1)
      await new Promise((resolve) => setTimeout(resolve, 1))
      expect(() => run.cut()).toThrow(OperatorError)
    }
  })
})

describe('below an operator that lets go at cuts', () => {
  it.each([
    ['a window', tumblingWindow<number>({ name: 'asks', sizeMs: 10, by: () => 'k', of: (at) => at })],
    ['dedupe', dedupe<number>({ name: 'asks', by: () => 'k', id: (at) => at, ttlMs: 10 })],
    [
      'a timer',
      stateful<number, number>({ name: 'asks' }, (_restored, out) => ({
        onValue: (at) => out.at('k', at + 1),
        onTimer: () => undefined,
      })),
    ],
    [
      'what asks for the time of a value',
      stateful<number, number>({ name: 'asks' }, (_restored, out) => ({ onValue: () => out.emit(out.valueTime()) })),
    ],
  ])('%s is refused at the first value, full batch or not, and told where to stand', (_name, asks) => {
    const chain = (maxCount: number) => (values: Observable<number>) =>
      values.pipe(timed, batchFlush({ maxCount }), mergeAll(), asks as OperatorFunction<number, unknown>)
    const why = /asks: no eventTime above it.*mapAsync must stand above eventTime, and so must batchFlush/
    expect(() => new ChainTask<number>(chain(1)).push(1)).toThrow(why)
    expect(() => new ChainTask<number>(chain(9)).push(1).cut()).toThrow(why)
  })

  it('eventTime starts time anew, so that everything below it may ask again', async () => {
    const run = new ChainTask<number>((values) =>
      values.pipe(
        batchFlush({ maxCount: 3 }),
        mapAsync(async (batch) => batch, { concurrency: 2 }),
        mergeAll(),
        timed,
        tumblingWindow({ name: 'w', sizeMs: 10, by: () => 'k' }),
      ),
    )
    for (const at of [1, 2, 3, 4, 11]) {
      run.push(at)
      await run.task.cutWhenQuiet(cut)
    }
    expect(run.out).toMatchObject([
      ...[1, 2, 3, 4, 11].map((value) => ({ kind: 'value', value })),
      { kind: 'fired' },
      { kind: 'over' },
    ])
  })

  it('values may not meet others above an operator that depends on their order', async () => {
    const chain = (values: Observable<number>) => {
      const both = values.pipe(share())
      return both.pipe(mapAsync(tenfold, { concurrency: 2 }), (mapped) => merge(mapped, both), counter)
    }
    const run = new ChainTask<number>(chain).push(1)
    await expect(run.task.cutWhenQuiet(cut)).rejects.toThrow(
      /counter: values that mapAsync lets go at checkpoints meet others here/,
    )
  })
})

describe('an outlet', () => {
  it('in which rows that are let go at cuts meet others, and replace each other, is refused', async () => {
    const pipeline = definePipeline({
      name: 'meeting',
      build: (records) => {
        const values = records.pipe(decode({ decode: (record) => Number(record.valueText()) }), share())
        const mapped = values.pipe(mapAsync(tenfold, { concurrency: 2 }))
        return {
          rows: toPostgres(merge(mapped, values), {
            mode: 'upsert',
            name: 'rows',
            key: ['value'],
            revision: 'revision',
            columns: [
              { name: 'value', type: 'integer', of: (value) => value % 10 },
              { name: 'revision', type: 'integer', of: () => 1 },
            ],
          }),
        }
      },
    })
    const task = new StreamTask(pipeline as Pipeline, null, 0)
    const view = new RecordView()
    view.buffer = Buffer.from('1')
    view.valueLength = 1
    task.push(view)
    await expect(task.cutWhenQuiet(cut)).rejects.toThrow(
      /rows: rows that mapAsync or batchFlush let go at checkpoints meet others/,
    )
  })
})

describe('values that a step of RxJS puts off', () => {
  it('end the task at the cut, which would leave them out', async () => {
    const run = new ChainTask<number>((values) => values.pipe(delay(60_000))).push(1)
    await expect(run.task.cutWhenQuiet(cut)).rejects.toThrow(/puts values off to another time \(delay, debounceTime/)
  })

  it('are none of the task’s where a call of mapAsync waits', async () => {
    const run = new ChainTask<number>((values) =>
      values.pipe(mapAsync((value) => lastValueFrom(timer(1).pipe(map(() => value))), { concurrency: 1 })),
    ).push(7)
    expect((await run.task.cutWhenQuiet(cut)).writes[0]?.rows).toEqual([7])
  })
})

describe('mapAsync', () => {
  it('treats an exception of its function as a rejection: the value is set aside with its record', async () => {
    const run = new ChainTask<number>((values) =>
      values.pipe(
        mapAsync(
          (value) => {
            if (value === 2) throw new TypeError('no such user')
            return tenfold(value)
          },
          { concurrency: 4 },
        ),
      ),
    ).push(1, 2, 3)
    const { writes, deadLetters } = await run.task.cutWhenQuiet(cut)
    expect(writes[0]?.rows).toEqual([10, 30])
    expect(deadLetters).toMatchObject([
      { offset: 1, ordinal: 0, operator: 'mapAsync', reason: 'failed', payload: Buffer.from('2') },
    ])
  })

  it('has the worker try again where the service was away', async () => {
    const away = Object.assign(new TypeError('fetch failed'), {
      cause: Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }),
    })
    const run = new ChainTask<number>((values) =>
      values.pipe(mapAsync(() => Promise.reject(away), { concurrency: 1 })),
    ).push(1)
    await expect(run.task.cutWhenQuiet(cut)).rejects.toThrow(RetryableError)
  })

  it('starts at most as many calls as it may, also when one record makes many values', async () => {
    let underWay = 0
    let most = 0
    const run = new ChainTask<number>((values) =>
      values.pipe(
        mergeMap((count) => Array.from({ length: count }, (_, i) => i)),
        mapAsync(
          async (value) => {
            most = Math.max(most, ++underWay)
            await null
            underWay -= 1
            return value
          },
          { concurrency: 2 },
        ),
      ),
    ).push(7)
    expect((await run.task.cutWhenQuiet(cut)).writes[0]?.rows).toEqual([0, 1, 2, 3, 4, 5, 6])
    expect(most).toBe(2)
  })

  it('calls nothing any more once its task is given up', async () => {
    const called: number[] = []
    const run = new ChainTask<number>((values) =>
      values.pipe(
        mergeMap((value) => [value, value + 1, value + 2]),
        mapAsync(
          async (value) => {
            called.push(value)
            return value
          },
          { concurrency: 1 },
        ),
      ),
    ).push(1)
    run.task.abandon()
    await new Promise((resolve) => setTimeout(resolve, 1))
    expect(called).toEqual([1])
  })
})

import { map, merge, mergeAll, mergeMap, type Observable, share } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { aggregateWindow } from '../../../src/operators/aggregateWindow.ts'
import { batchFlush } from '../../../src/operators/batchFlush.ts'
import { decode } from '../../../src/operators/decode.ts'
import { eventTime } from '../../../src/operators/eventTime.ts'
import { mapAsync } from '../../../src/operators/mapAsync.ts'
import { tumblingWindow } from '../../../src/operators/tumblingWindow.ts'
import { RetryableError } from '../../../src/runtime/errors.ts'
import { LeftOutValues } from '../../../src/runtime/letters/leftOutValues.ts'
import { StepFailure } from '../../../src/runtime/letters/stepFailure.ts'
import { RecordView } from '../../../src/runtime/log/record.ts'
import { stateful } from '../../../src/runtime/operator/stateful.ts'
import { definePipeline, type Pipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import type { CheckpointStore } from '../../../src/runtime/store/checkpoint.ts'
import type { AppendTable } from '../../../src/runtime/store/table.ts'
import { StreamTask } from '../../../src/runtime/task/streamTask.ts'
import { Worker } from '../../../src/runtime/worker/worker.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { testPipeline } from '../../../src/testing/kit/testPipeline.ts'
import { MemoryCheckpointStore } from '../../../src/testing/memoryCheckpointStore.ts'
import { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { VirtualClock } from '../../../src/testing/virtualClock.ts'

const numbers = (name: string): AppendTable<number> => ({
  mode: 'append',
  name,
  columns: [{ name: 'value', type: 'integer', of: (value) => value }],
})
const values = decode({ decode: (record) => Number(record.valueText()) })

/** Throws on what is a multiple of it. */
const notBy =
  (divisor: number) =>
  (value: number): number => {
    if (value % divisor === 0) throw new TypeError(`${value} is a multiple of ${divisor}`)
    return value
  }

const pipelineOf = (chain: (values: Observable<number>) => Observable<number>, onError?: Pipeline['onError']) =>
  definePipeline({
    name: 'failing',
    ...(onError === undefined ? {} : { onError }),
    build: (records) => {
      const shared = records.pipe(values, share())
      return {
        chain: toPostgres(shared.pipe(chain), numbers('chain')),
        beside: toPostgres(shared, numbers('beside')),
      }
    },
  })

async function run(pipeline: Pipeline, count: number) {
  const clock = new VirtualClock()
  const log = new MemoryLog({ topic: 'values', partitions: 1, clock, batchRecords: 7 })
  log.add(...Array.from({ length: count }, (_, i) => ({ value: String(i + 1), key: `key ${i + 1}` })))
  const store = new MemoryCheckpointStore()
  const worker = new Worker({ pipeline, source: log, store, archive: null, clock })
  const running = worker.run()
  worker.stop('drain-and-close')
  await clock.run(running)
  const rows = (name: string) => store.rows(name).map(({ value }) => Number(value))
  return { chain: rows('chain'), beside: rows('beside'), letters: store.deadLetters() }
}

const textOf = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString())

const upTo = (count: number, without: number) =>
  Array.from({ length: count }, (_, i) => i + 1).filter((value) => value % without !== 0)

describe('a value on which the pipeline throws', () => {
  it('in a step of RxJS is set aside with its record, and everything else is as without it', async () => {
    const { chain, beside, letters } = await run(pipelineOf(map(notBy(5))) as Pipeline, 23)
    expect(chain).toEqual(upTo(23, 5))
    // What the step could not take came from decode, which both branches share: it is set aside as a whole.
    expect(beside).toEqual(upTo(23, 5))
    expect(letters.map(({ offset, operator, reason, payload }) => [offset, operator, reason, textOf(payload)])).toEqual(
      [5, 10, 15, 20].map((value) => [value - 1, 'decode', 'failed', String(value)]),
    )
    expect(letters[0]?.detail).toMatch(/a step below could not take this value: TypeError: 5 is a multiple of 5/)
  })

  it('right below the records is the record, set aside under the name of the pipeline', async () => {
    const pipeline = definePipeline({
      name: 'bare',
      build: (records) => ({
        chain: toPostgres(records.pipe(map((record) => notBy(3)(Number(record.valueText())))), numbers('chain')),
      }),
    }) as Pipeline
    const { chain, letters } = await run(pipeline, 7)
    expect(chain).toEqual(upTo(7, 3))
    expect(letters.map(({ offset, operator }) => [offset, operator])).toEqual([
      [2, 'bare'],
      [5, 'bare'],
    ])
  })

  it('below a window that fires, or a batch that is let go at a cut, leaves the others alone', async () => {
    const windows = (source: Observable<number>) =>
      source.pipe(
        eventTime({ of: (value) => value, maxOutOfOrdernessMs: 0 }),
        tumblingWindow({ name: 'w', sizeMs: 10, by: (value) => String(value % 3) }),
        aggregateWindow({ initial: () => 0, add: (sum, value) => sum + value, result: (sum) => sum }),
      )
    const plain = (await run(pipelineOf(windows) as Pipeline, 40)).chain
    const { chain, letters } = await run(pipelineOf((source) => windows(source).pipe(map(notBy(4)))) as Pipeline, 40)
    expect(chain).toEqual(plain.filter((sum) => sum % 4 !== 0))
    expect(letters).toHaveLength(plain.length - chain.length)
    expect(letters.every(({ operator, payload }) => operator === 'aggregateWindow' && payload === null)).toBe(true)

    const batched = (source: Observable<number>) =>
      source.pipe(
        batchFlush({ maxCount: 1_000 }),
        mergeAll(),
        batchFlush({ name: 'again', maxCount: 1 }),
        map((batch) => notBy(6)(batch[0] as number)),
      )
    expect((await run(pipelineOf(batched) as Pipeline, 20)).chain).toEqual(upTo(20, 6))
  })

  it('below a call is found again by its record, wherever the results of calls are let through', async () => {
    const pipeline = pipelineOf((source) =>
      source.pipe(
        mapAsync(async (value) => value, { concurrency: 100 }),
        map(notBy(3)),
      ),
    ) as Pipeline
    const leftOut = new LeftOutValues()
    const failures: string[] = []
    /** An attempt that is cut, or saturated, behind these records. */
    const attempt = async (settledBehind: readonly number[]) => {
      const task = new StreamTask(pipeline, null, 0)
      if (!leftOut.isEmpty) task.startWatching(leftOut)
      for (const offset of Array.from({ length: 5 }).keys()) {
        const view = new RecordView()
        view.buffer = Buffer.from(String(offset + 1))
        view.valueLength = view.buffer.length
        view.offset = offset
        task.push(view)
        if (settledBehind.includes(offset)) await task.settle()
      }
      return task.cutWhenQuiet({ now: 0, isFinal: true })
    }
    for (const settledBehind of [[4], [2], [0, 3]]) {
      try {
        const { deadLetters, writes } = await attempt(settledBehind)
        expect(failures).toEqual(['2 null', '2 mapAsync 1'])
        expect(deadLetters.map(({ offset, operator }) => [offset, operator])).toEqual([[2, 'mapAsync']])
        expect(writes.find(({ table }) => table.name === 'chain')?.rows).toHaveLength(4)
        return
      } catch (error) {
        if (!(error instanceof StepFailure)) throw error
        failures.push(`${error.offset} ${error.emission && `${error.emission.operator} ${error.emission.ordinal}`}`)
        expect(leftOut.learn(error, null)).toBe(true)
      }
    }
    expect.unreachable(`failed as often as it was tried: ${failures.join(', ')}`)
  })

  it('in several branches and below each other is left out once, and the numbers of the others do not shift', async () => {
    const numbered = (source: Observable<number>) =>
      source.pipe(
        mergeMap((value) => [value, value + 100]),
        batchFlush({ maxCount: 1_000 }),
        mergeAll(),
        mapAsync(async (value) => value, { concurrency: 1_000 }),
        share(),
        (mapped) =>
          merge(
            mapped.pipe(
              stateful<number, number>({ name: 'through' }, (_restored, out) => ({
                onValue: (value) => out.emit(value),
              })),
              map(notBy(3)),
            ),
            mapped.pipe(map(notBy(2))),
          ),
      )
    const { chain } = await run(pipelineOf(numbered) as Pipeline, 12)
    const all = Array.from({ length: 12 }, (_, i) => [i + 1, i + 101]).flat()
    // Both branches lose what the second cannot take; what only the first cannot take is missing there alone.
    const odd = all.filter((value) => value % 2 !== 0)
    const expected = [...odd.filter((value) => value % 3 !== 0), ...odd]
    expect(chain.sort((a, b) => a - b)).toEqual(expected.sort((a, b) => a - b))
  })

  it('as a row that its table cannot hold is set aside with its record', async () => {
    const pipeline = definePipeline({
      name: 'rows',
      build: (records) => ({
        chain: toPostgres(records.pipe(values), {
          ...numbers('chain'),
          columns: [
            {
              name: 'value',
              type: 'integer',
              of: (value) => (value === 4 ? Number.POSITIVE_INFINITY : notBy(5)(value)),
            },
            { name: 'again', type: 'text', of: String },
          ],
        }),
      }),
    }) as Pipeline
    const { chain, letters } = await run(pipeline, 11)
    expect(chain).toEqual([1, 2, 3, 6, 7, 8, 9, 11])
    const told = letters.map(({ offset, operator, reason, payload, key }) => [
      offset,
      operator,
      reason,
      textOf(payload),
      textOf(key),
    ])
    expect(told).toEqual(
      [4, 5, 10].map((value) => [value - 1, 'outlet chain', 'bad-row', String(value), `key ${value}`]),
    )
    expect(letters[1]?.detail).toMatch(/table chain, column value: TypeError: 5 is a multiple of 5/)
  })

  it('ends the worker where it is told to stop', async () => {
    await expect(run(pipelineOf(map(notBy(5)), 'stop') as Pipeline, 23)).rejects.toThrow(
      /pipeline failing failed at offset 4: 5 is a multiple of 5/,
    )
  })

  it('is set aside in the test kit as well, which finds the same letters however it is interrupted', () => {
    for (const restoreEvery of ['record', 3] as const) {
      const test = testPipeline(pipelineOf(map(notBy(5))), { restoreEvery, crashAt: [6] })
      test.pushValues(...upTo(12, 13))
      expect(test.rows('chain')).toEqual(upTo(12, 5))
      expect(test.deadLetters().map(({ offset, operator }) => [offset, operator])).toEqual([
        [4, 'decode'],
        [9, 'decode'],
      ])
      test.finish()
    }
  })
})

describe('a store that does not take commits', () => {
  it('is asked less and less often, though records keep coming', async () => {
    const clock = new VirtualClock()
    const log = new MemoryLog({ topic: 'values', partitions: 1, clock })
    log.add(...Array.from({ length: 50 }, (_, i) => ({ value: String(i) })))
    const inner = new MemoryCheckpointStore()
    let tries = 0
    const store: CheckpointStore = {
      claim: (...asked) => inner.claim(...asked),
      commit: () => {
        tries += 1
        return Promise.reject(new RetryableError('no'))
      },
      recordedSteps: (...asked) => inner.recordedSteps(...asked),
      mergeNotes: (...asked) => inner.mergeNotes(...asked),
      answers: (...asked) => inner.answers(...asked),
      outbox: inner.outbox,
      close: () => inner.close(),
    }
    const worker = new Worker({
      pipeline: pipelineOf((source) => source) as Pipeline,
      source: log,
      store,
      archive: null,
      clock,
    })
    const minute = async () => {
      const running = worker.run()
      await clock.sleep(60_000)
      worker.stop('now')
      await running
    }
    await clock.run(minute())
    expect(tries).toBeGreaterThan(5)
    expect(tries).toBeLessThan(30)
  })
})

import { map, type Observable } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { decode } from '../../../src/operators/decode.ts'
import { eventTime } from '../../../src/operators/eventTime.ts'
import { mapAsync } from '../../../src/operators/mapAsync.ts'
import { tumblingWindow } from '../../../src/operators/tumblingWindow.ts'
import type { WindowElement } from '../../../src/operators/window.ts'
import { type Codec, Rejection } from '../../../src/runtime/log/codec.ts'
import { stateful } from '../../../src/runtime/operator/stateful.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import type { Table } from '../../../src/runtime/store/table.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { testPipeline } from '../../../src/testing/kit/testPipeline.ts'

interface Count {
  readonly key: string
  readonly start: number
  readonly count: number
  readonly revision: number
}

const counts: Table<Count> = {
  name: 'counts',
  mode: 'upsert',
  key: ['key', 'start'],
  revision: 'revision',
  columns: [
    { name: 'key', type: 'text', of: (row) => row.key },
    { name: 'start', type: 'timestamptz', of: (row) => row.start },
    { name: 'count', type: 'integer', of: (row) => row.count },
    { name: 'revision', type: 'integer', of: (row) => row.revision },
  ],
}

interface Tick {
  readonly key: string
  readonly time: number
}

const ticks: Codec<Tick> = {
  decode(record) {
    const tick = JSON.parse(record.valueText() ?? 'null') as Partial<Tick> | null
    return typeof tick?.time === 'number' ? (tick as Tick) : new Rejection('malformed', 'no time')
  },
}

const timed =
  (hook: (tick: Tick) => Tick = (tick) => tick) =>
  (source: Observable<Tick>) =>
    source.pipe(
      eventTime({ of: (tick) => tick.time, maxOutOfOrdernessMs: 0 }),
      map(hook),
      tumblingWindow({ name: 'minute', sizeMs: 60_000, by: (tick) => tick.key }),
    )

/** Counts values by window; where it is forgetful, its state is in a closure that no checkpoint knows. */
function countWindows(isForgetful: boolean) {
  return stateful<WindowElement<Tick>, Count>({ name: 'count' }, (restored, out) => {
    const open = new Map(isForgetful ? [] : ((restored.snapshot ?? []) as [string, number][]))
    return {
      onValue(element) {
        const { key, start, id } = element.window
        if (element.kind === 'value') open.set(id, (open.get(id) ?? 0) + 1)
        else if (element.kind === 'fired')
          out.emit({ key, start, count: open.get(id) ?? 0, revision: element.revision })
        else open.delete(id)
      },
      snapshot: () => [...open].map(([id, count]) => [id, count]),
    }
  })
}

const pipeline = (options: { readonly isForgetful?: boolean; readonly hook?: (tick: Tick) => Tick } = {}) =>
  definePipeline({
    name: 'counting',
    build: (records) => ({
      counts: {
        kind: 'rows',
        table: counts,
        values: records.pipe(decode(ticks), timed(options.hook), countWindows(options.isForgetful ?? false)),
      },
    }),
  })

const tick = (time: number, key = 'A'): Tick => ({ key, time })

describe('testPipeline', () => {
  it('gives the rows of an outlet, typed', () => {
    const run = testPipeline(pipeline())
    run.pushValues(tick(1), tick(2), tick(59_999, 'B'), tick(60_000))
    const [first]: Count[] = run.rows('counts')
    expect(first).toEqual({ key: 'A', start: 0, count: 2, revision: 1 })
    expect(run.rows('counts')).toHaveLength(2)
    run.closeOpen()
    expect(run.rows('counts')).toHaveLength(3)
    run.finish()
  })

  it('finds state that an operator forgets to save, without a crash schedule', () => {
    const run = testPipeline(pipeline({ isForgetful: true }))
    run.pushValues(tick(1), tick(2), tick(60_000))
    run.closeOpen()
    expect(() => run.finish()).toThrow(
      /differs +counts: only when restored: key=A start=0 count=0[\s\S]*only uninterrupted: key=A start=0 count=2/,
    )
  })

  it('finds it by a crash as well, where checkpoints are rare', () => {
    const run = testPipeline(pipeline({ isForgetful: true }), { restoreEvery: 3, crashAt: [3] })
    run.pushValues(tick(1), tick(2), tick(3), tick(4), tick(60_000))
    run.closeOpen()
    expect(() => run.finish()).toThrow(/differs/)
  })

  it('survives crashes at every offset when nothing is forgotten', () => {
    for (const restoreEvery of [1, 2, 3, 5] as const) {
      const run = testPipeline(pipeline(), { restoreEvery, crashAt: [0, 1, 2, 3, 4, 5] })
      run.pushValues(tick(1), tick(2), tick(60_001), tick(30), tick(120_000), tick(120_001))
      run.closeOpen()
      expect(run.deadLetters().map(({ offset, reason }) => [offset, reason])).toEqual([[3, 'late']])
      run.finish()
    }
  })

  it('says what is still open and how much time is missing', () => {
    const run = testPipeline(pipeline())
    run.pushValues(tick(58_000))
    expect(() => run.finish()).toThrow(/open +minute: the watermark is 2000 ms short of 1970-01-01T00:00:59.999Z/)
    run.finish({ mayBeOpen: true })
    run.advanceTo(59_999)
    run.finish()
  })

  it('says which crash was never reached', () => {
    const run = testPipeline(pipeline(), { crashAt: [9] })
    run.pushValues(tick(1))
    run.closeOpen()
    expect(() => run.finish()).toThrow(/crash +after offset 9 was never reached: 1 records were pushed/)
  })

  it('complains about dead letters that the test has not looked at', () => {
    const run = testPipeline(pipeline())
    run.push({ value: { key: 'A' } })
    expect(() => run.finish()).toThrow(/letter +offset 0, decode: malformed: no time/)
    expect(run.deadLetters()).toHaveLength(1)
    run.finish()
  })

  it.each([
    ['Date.now', () => Date.now()],
    ['new Date\\(\\)', () => String(new Date()).length],
    ['Math.random', () => Math.random()],
    ['performance.now', () => performance.now()],
    ['crypto.randomUUID', () => crypto.randomUUID().length],
    ['setTimeout', () => Number(setTimeout(() => {}, 0))],
    ['setImmediate', () => Number(setImmediate(() => {}))],
  ])('poisons %s while a record is pushed, and names the operator', (name, ask) => {
    const run = testPipeline(pipeline({ hook: (value) => ({ ...value, time: value.time + ask() * 0 }) }))
    expect(() => run.pushValues(tick(1))).toThrow(
      new RegExp(`operator eventTime, or .*asked for ${name} .*testPipeline.test.ts`),
    )
    expect(Math.random()).toBeLessThan(1)
    expect(new Date(5).getTime()).toBe(5)
    expect(Date.now()).toBeGreaterThan(1e12)
  })

  it('lets a date be made of a given time', () => {
    const run = testPipeline(pipeline({ hook: (value) => ({ ...value, time: new Date(value.time).getTime() }) }))
    run.pushValues(tick(1))
    run.closeOpen()
    run.finish()
  })

  it('hands on a failed assertion of the graph as itself, to end the test', () => {
    const run = testPipeline(
      pipeline({
        hook: (value) => {
          expect(value.time).toBe(7)
          return value
        },
      }),
    )
    expect(() => run.pushValues(tick(1))).toThrow(/expected 1 to be 7/)
  })

  it('refuses options that make no sense', () => {
    expect(() => testPipeline(pipeline(), { restoreEvery: 0 })).toThrow(/restoreEvery must be/)
  })

  it('waits for asynchronous work at settle, and restores then', async () => {
    const doubled = definePipeline({
      name: 'doubling',
      build: (records) => ({
        counts: {
          kind: 'rows',
          table: counts,
          values: records.pipe(
            decode(ticks),
            mapAsync(async ({ key, time }) => ({ key, start: time, count: time * 2, revision: 1 }), { concurrency: 4 }),
          ),
        },
      }),
    })
    const run = testPipeline(doubled)
    run.pushValues(tick(1), tick(2), tick(3))
    expect(run.rows('counts')).toEqual([])
    await run.settle()
    expect(run.rows('counts').map(({ count }) => count)).toEqual([2, 4, 6])
    run.finish()
  })

  it('leaves time and chance alone where it is told to', () => {
    const hook = (value: Tick) => ({ ...value, time: value.time + Math.floor(Math.random()) })
    const run = testPipeline(pipeline({ hook }), { isPoisoned: false })
    run.pushValues(tick(1))
    run.closeOpen()
    run.finish()
  })
})

describe('the records that a test pushes', () => {
  it('reach the pipeline with their key and headers, bytes and null included', () => {
    const seen: unknown[] = []
    const looked = definePipeline({
      name: 'looked',
      build: (records) => ({
        counts: toPostgres(
          records.pipe(
            decode<Count>({
              decode: (record) => {
                seen.push({ key: record.keyCopy(), headers: record.headers(), value: record.valueText() })
                return new Rejection('looked', 'at')
              },
            }),
          ),
          counts,
        ),
      }),
    })
    const bytes = Buffer.from([0xff, 0])
    const headers = [
      { key: 'é', value: bytes },
      { key: 'é', value: null },
    ]
    const run = testPipeline(looked, { restoreEvery: 100 })
    run.push({ value: 'a', key: bytes, headers }, { value: 'b', key: 'text' }, { value: 'c', headers }, { value: null })
    // Each record goes through two tasks.
    expect(seen.filter((_, index) => index % 2 === 0)).toEqual([
      { key: bytes, headers, value: 'a' },
      { key: Buffer.from('text'), headers: [], value: 'b' },
      { key: null, headers, value: 'c' },
      { key: null, headers: [], value: null },
    ])
  })
})

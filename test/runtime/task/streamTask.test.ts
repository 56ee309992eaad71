import { connect, connectable, defer, Observable, of, share, switchMap, throwError } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { aggregateWindow } from '../../../src/operators/aggregateWindow.ts'
import { dedupe } from '../../../src/operators/dedupe.ts'
import { eventTime } from '../../../src/operators/eventTime.ts'
import { tumblingWindow } from '../../../src/operators/tumblingWindow.ts'
import type { WindowElement } from '../../../src/operators/window.ts'
import { ConfigurationError, OperatorError, StateMismatchError } from '../../../src/runtime/errors.ts'
import { stateful } from '../../../src/runtime/operator/stateful.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import { StreamTask } from '../../../src/runtime/task/streamTask.ts'
import { ChainTask, savedFrom } from '../../support/tasks.ts'

const timed = (name?: string) =>
  eventTime<number>({ of: (at) => at, maxOutOfOrdernessMs: 0, ...(name === undefined ? {} : { name }) })
const once = (name: string, ttlMs = 1_000) => dedupe<number>({ name, by: () => 'k', id: (at) => at, ttlMs })

/** Counts values; version and migration as given. */
const counter = (version: number, migrate?: (count: number) => number) =>
  stateful<number, number>(
    {
      name: 'counter',
      version,
      migrate:
        migrate === undefined
          ? undefined
          : (saved) => ({ ...saved, version, snapshot: migrate(saved.snapshot as number) }),
    },
    (restored, out) => {
      let count = (restored.snapshot as number | undefined) ?? 0
      return {
        onValue: () => {
          count += 1
          out.emit(count)
        },
        snapshot: () => count,
      }
    },
  )

describe('a stream task', () => {
  it('refuses saved state of an operator that it no longer has, and says what to do', () => {
    const saved = savedFrom(new ChainTask<number>((values) => values.pipe(timed(), once('first'))).push(1).cut())
    const renamed = () => new ChainTask<number>((values) => values.pipe(timed(), once('second')), saved)
    expect(renamed).toThrow(StateMismatchError)
    expect(renamed).toThrow(
      /operator "first" has saved state but is not in the pipeline.*say so in the pipeline's "renamed"/,
    )
  })

  it('refuses changed options, naming both', () => {
    const window = (sizeMs: number) => tumblingWindow<number>({ name: 'w', sizeMs, by: () => 'k' })
    const saved = savedFrom(new ChainTask<number>((values) => values.pipe(timed(), window(100))).push(1).cut())
    expect(() => new ChainTask<number>((values) => values.pipe(timed(), window(200)), saved)).toThrow(
      /"sizeMs":100.*"sizeMs":200/,
    )
  })

  it('takes options that do not shape what is kept as they are now', () => {
    const late = (allowedLatenessMs: number) =>
      tumblingWindow<number>({ name: 'w', sizeMs: 100, by: () => 'k', allowedLatenessMs })
    const chain = (allowedLatenessMs: number, ttlMs: number) => (values: Observable<number>) =>
      values.pipe(timed(), once('d', ttlMs), late(allowedLatenessMs))
    const saved = savedFrom(new ChainTask<number>(chain(0, 10)).push(5, 90).cut())
    const run = new ChainTask<number>(chain(1_000, 500), saved)
    run.push(5, 150, 50)
    const kinds = run.out.map((element) => (element as WindowElement<number>).kind)
    expect(kinds).toEqual(['value', 'value', 'fired', 'value', 'fired'])
    expect(run.cut().deadLetters).toEqual([])
  })

  it('refuses state of a newer version, and state of an older one unless it is migrated', () => {
    const old = savedFrom(new ChainTask<number>((values) => values.pipe(counter(1))).push(1, 2).cut())
    const newer = savedFrom(new ChainTask<number>((values) => values.pipe(counter(3))).push(1).cut())
    expect(() => new ChainTask<number>((values) => values.pipe(counter(2)), newer)).toThrow(/Run the newer release/)
    expect(() => new ChainTask<number>((values) => values.pipe(counter(2)), old)).toThrow(StateMismatchError)
    const migrated = new ChainTask<number>((values) => values.pipe(counter(2, (count) => count * 100)), old)
    expect(migrated.push(3).out).toEqual([201])
  })

  it.each<
    [
      string,
      (above: Observable<number>, below: (values: Observable<number>) => Observable<number>) => Observable<number>,
    ]
  >([
    ['connect', (above, below) => above.pipe(connect(below))],
    [
      'connectable',
      (above, below) =>
        new Observable((subscriber) => {
          const shared = connectable(above)
          below(shared).subscribe(subscriber)
          return shared.connect()
        }),
    ],
  ])('has operators in their order below %s, which subscribes to what is below it first', (_name, joined) => {
    const last = (name: string, sizeMs: number) => (values: Observable<number>) =>
      values.pipe(
        tumblingWindow({ name, sizeMs, by: () => 'k' }),
        aggregateWindow<number, number, number>({
          name: `${name} last`,
          initial: () => 0,
          add: (most, value) => Math.max(most, value),
          result: (most) => most,
        }),
      )
    const chain = (values: Observable<number>) =>
      joined(joined(values.pipe(timed(), last('1s', 1_000)), last('2s', 2_000)), last('4s', 4_000))
    const first = new ChainTask<number>(chain).push(1, 2, 1_100, 2_200)
    const saved = savedFrom(first.cut())
    const run = new ChainTask<number>(chain, saved).push(3_900, 4_000, 9_000)
    expect([...first.out, ...run.out]).toEqual([3_900, 4_000])
    expect(run.cut().deadLetters).toEqual([])
  })

  it('says what is wrong with the build, also where the saved state would not fit it', () => {
    const saved = savedFrom(new ChainTask<number>((values) => values.pipe(timed(), once('d'))).push(1).cut())
    const broken = () => new ChainTask<number>(() => throwError(() => new TypeError('no such topic')), saved)
    expect(broken).toThrow(/no such topic/)
  })

  it('refuses two operators of one name', () => {
    const twice = () => new ChainTask<number>((values) => values.pipe(timed(), once('d'), once('d')))
    expect(twice).toThrow(ConfigurationError)
    expect(twice).toThrow(/two operators of one pipeline are called "d"/)
  })

  it('refuses two operators that move its time', () => {
    expect(() => new ChainTask<number>((values) => values.pipe(timed(), timed('again')))).toThrow(
      /has two eventTime operators/,
    )
  })

  it('refuses an operator that is subscribed to after the graph was built', () => {
    const late = (values: Observable<number>) =>
      values.pipe(switchMap((value) => defer(() => of(value)).pipe(counter(1))))
    expect(() => new ChainTask<number>(late).push(1)).toThrow(
      /counter: subscribed after the graph of pipeline test was built/,
    )
  })

  describe('in which an operator throws', () => {
    const failing = (values: Observable<number>) =>
      values.pipe(
        stateful<number, number>({ name: 'fails' }, (_restored, out) => ({
          onValue: (value) => {
            if (value === 1) throw new TypeError('undefined is not a trade')
            out.emit(value)
          },
        })),
      )

    it('sets the value aside under the name of the operator, and goes on', () => {
      const run = new ChainTask<number>(failing).push(1, 2)
      expect(run.out).toEqual([2])
      expect(run.cut().deadLetters).toMatchObject([
        { offset: 0, operator: 'fails', reason: 'failed', detail: 'TypeError: undefined is not a trade' },
      ])
    })

    it('ends with its error, with offset and pipeline, and stays broken, where it is told to stop', () => {
      const run = new ChainTask<number>(failing, null, { onError: 'stop' })
      expect(() => run.push(1)).toThrow(/pipeline test failed at offset 0: undefined is not a trade/)
      expect(() => run.push(2)).toThrow(OperatorError)
    })
  })

  it('fires timers in topological order, also where a stream is shared', () => {
    const order: string[] = []
    const watch = (name: string) =>
      stateful<number, number>({ name }, (_restored, out) => ({
        onValue: (value) => out.emit(value),
        onWatermark: () => order.push(name),
      }))
    const chain = (values: Observable<number>) => {
      const shared = values.pipe(timed(), watch('upper'), share())
      return shared.pipe(watch('middle'), watch('lower'))
    }
    new ChainTask<number>(chain).push(1)
    expect(order).toEqual(['upper', 'middle', 'lower'])
  })

  it('closes what is open at the end of its input, and calls later values for it late', () => {
    const run = new ChainTask<number>((values) =>
      values.pipe(timed(), tumblingWindow({ name: 'w', sizeMs: 100, by: () => 'k' })),
    )
    run.push(5)
    run.task.closeOpen()
    expect(run.out).toMatchObject([{ kind: 'value' }, { kind: 'fired', revision: 1 }, { kind: 'over' }])
    run.push(6, 100)
    const cut = run.cut()
    expect(cut.deadLetters).toMatchObject([{ offset: 1, reason: 'late' }])
    expect(cut.idleAdvances).toEqual([{ offset: 1, watermark: 99 }])
  })

  it('remembers each step of time that no record caused, with its offset, and never goes back', () => {
    const run = new ChainTask<number>((values) => values.pipe(timed())).push(100)
    run.task.advanceIdle(50)
    run.task.advanceIdle(500)
    const cut = run.cut()
    expect(cut.idleAdvances).toEqual([{ offset: 1, watermark: 500 }])
    expect(cut.watermark).toBe(500)
  })

  it('writes a base once its deltas outweigh it', () => {
    const run = new ChainTask<number>((values) => values.pipe(timed(), once('d', 1_000_000_000)))
    const kinds: string[] = []
    for (let i = 0; i < 12; i++) {
      run.push(...Array.from({ length: 1_000 }, (_, j) => i * 1_000 + j))
      kinds.push(run.cut().state.kind)
    }
    expect(kinds[0]).toBe('base')
    expect(kinds.filter((kind) => kind === 'base').length).toBeGreaterThan(1)
    expect(kinds.filter((kind) => kind === 'base').length).toBeLessThan(6)
  })

  it('needs an outlet and a name that can be stored', () => {
    expect(() => new StreamTask({ name: 'none', build: () => ({}) }, null, 0)).toThrow('has no outlet')
    expect(() => definePipeline({ name: 'Not Good', build: () => ({}) })).toThrow(/pipeline name "Not Good"/)
  })
})

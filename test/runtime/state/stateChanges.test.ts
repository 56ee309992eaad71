import { merge, type Observable, share } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { aggregateWindow } from '../../../src/operators/aggregateWindow.ts'
import { batchFlush } from '../../../src/operators/batchFlush.ts'
import { eventTime } from '../../../src/operators/eventTime.ts'
import { tumblingWindow } from '../../../src/operators/tumblingWindow.ts'
import { StateMismatchError } from '../../../src/runtime/errors.ts'
import type { Json } from '../../../src/runtime/json.ts'
import { stateful } from '../../../src/runtime/operator/stateful.ts'
import { plainState } from '../../../src/runtime/state/plainState.ts'
import type { SavedOperator } from '../../../src/runtime/state/savedState.ts'
import type { TaskCut } from '../../../src/runtime/task/taskCut.ts'
import { ChainTask, savedFrom } from '../../support/tasks.ts'

interface Item {
  readonly key: string
  readonly at: number
}

const at = (key: string, time: number): Item => ({ key, at: time })
const timed = eventTime<Item>({ of: (item) => item.at, maxOutOfOrdernessMs: 0 })

/** Counts by key: version 1 keeps a number, version 2 an object. */
const countByKey = (version: 1 | 2) =>
  stateful<Item, string>(
    {
      name: 'counts',
      version,
      migrate: (saved: SavedOperator) => ({
        ...saved,
        version: 2,
        keyed: saved.keyed.map(([key, count]) => [key, { count: count ?? null }] as const),
      }),
    },
    (restored, out) => {
      const counts = restored.keyed(plainState<number | { count: number }>())
      return {
        onValue({ key }) {
          const before = counts.get(key) ?? (version === 1 ? 0 : { count: 0 })
          const count = (typeof before === 'number' ? before : before.count) + 1
          counts.set(key, version === 1 ? count : { count })
          if (typeof before === 'number' && version === 2) out.emit(`${key} was not migrated`)
          out.emit(`${key} ${count}`)
        },
      }
    },
  )

describe('a migration', () => {
  it('is complete: the next checkpoint is whole and in the new layout, so that a second restart finds nothing else', () => {
    const cuts: TaskCut[] = []
    const old = new ChainTask<Item>((items) => items.pipe(countByKey(1)))
    for (const key of ['a', 'b', 'a']) cuts.push(old.push(at(key, 1)).cut())
    const run = (items: Item[]) => {
      const task = new ChainTask<Item>((values) => values.pipe(countByKey(2)), savedFrom(...cuts))
      task.push(...items)
      cuts.push(task.cut())
      return task.out
    }
    expect(run([at('a', 2)])).toEqual(['a 3'])
    expect(cuts.at(-1)?.state.kind).toBe('base')
    expect(run([at('b', 3)])).toEqual(['b 2'])
    expect(run([at('a', 4), at('b', 5)])).toEqual(['a 4', 'b 3'])
  })

  it('gets each key once, and none that has gone', () => {
    const forgetful = (migrate?: (saved: SavedOperator) => SavedOperator) =>
      stateful<Item, string>({ name: 'counts', version: migrate === undefined ? 1 : 2, migrate }, (restored) => {
        const seen = restored.keyed(plainState<number>())
        return { onValue: (item) => (item.at < 0 ? seen.delete(item.key) : void seen.set(item.key, item.at)) }
      })
    const old = new ChainTask<Item>((items) => items.pipe(forgetful()))
    const cuts = [
      old.push(at('a', 1), at('b', 2)).cut(),
      old.push(at('a', -1), at('b', 3)).cut(),
      old.push(at('c', 4), at('a', 5)).cut(),
    ]
    let got: unknown
    const migrate = (saved: SavedOperator) => {
      got = saved.keyed
      return { ...saved, version: 2 }
    }
    new ChainTask<Item>((items) => items.pipe(forgetful(migrate)), savedFrom(...cuts))
    expect(got).toEqual([
      ['b', 3],
      ['c', 4],
      ['a', 5],
    ])
  })
})

describe('keyed state', () => {
  it('has as many maps as an operator names, each saved by itself', () => {
    const two = stateful<Item, string>({ name: 'two' }, (restored, out) => {
      const first = restored.keyed(plainState<number>(), 'first')
      const last = restored.keyed(plainState<number>(), 'last')
      return {
        onValue(item) {
          if (first.get(item.key) === undefined) first.set(item.key, item.at)
          last.set(item.key, item.at)
          out.emit(`${item.key} ${first.get(item.key)}..${last.get(item.key)}`)
        },
      }
    })
    const run = new ChainTask<Item>((items) => items.pipe(two)).push(at('a', 1))
    const cuts = [run.cut(), run.push(at('a', 2)).cut()]
    expect(JSON.parse(cuts[1]?.state.body ?? '').operators).toMatchObject([{ maps: { last: [['a', 2]] } }])
    const restored = new ChainTask<Item>((items) => items.pipe(two), savedFrom(...cuts)).push(at('a', 3))
    expect(restored.out).toEqual(['a 1..3'])
  })

  it('is not lost where the operator asks for it under another name', () => {
    const keeping = (map: string) =>
      stateful<Item, string>({ name: 'sums' }, (restored) => {
        const state = restored.keyed(plainState<number>(), map)
        return { onValue: (item) => void state.set(item.key, item.at) }
      })
    const saved = savedFrom(new ChainTask<Item>((items) => items.pipe(keeping('constructor'))).push(at('a', 1)).cut())
    expect(() => new ChainTask<Item>((items) => items.pipe(keeping('totals')), saved)).toThrow(
      /sums: the saved state has keyed state "constructor", which the operator no longer reads/,
    )
    expect(() => new ChainTask<Item>((items) => items.pipe(keeping('constructor')), saved)).not.toThrow()
  })

  it('has the order after a restore that it had before, also of a key that went and came back', () => {
    const listing = stateful<Item, string>({ name: 'listing' }, (restored, out) => {
      const state = restored.keyed(plainState<number>())
      return {
        onValue(item) {
          if (item.at < 0) state.delete(item.key)
          else state.set(item.key, item.at)
          out.emit([...state.entries()].map(([key]) => key).join(''))
        },
      }
    })
    const chain = (items: Observable<Item>) => items.pipe(listing)
    const live = new ChainTask<Item>(chain).push(at('a', 1), at('b', 1))
    const cuts = [live.cut(), live.push(at('a', -1), at('a', 2), at('c', 1)).cut()]
    expect(live.push(at('d', 1)).out.at(-1)).toBe('bacd')
    expect(new ChainTask<Item>(chain, savedFrom(...cuts)).push(at('d', 1)).out).toEqual(['bacd'])
  })
})

describe('plain state', () => {
  const codec = plainState<unknown>()
  it.each<[string, unknown]>([
    ['an own property __proto__', JSON.parse('{"__proto__": {"a": 1}, "b": 2}')],
    ['an object without a prototype', Object.assign(Object.create(null), { constructor: 1 })],
    ['minus zero', [-0, 0]],
    ['what is no finite number', [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]],
    ['an object that looks like a saved bigint', { $bigint: 'x' }],
    ['objects that look like its own tags', [{ $object: [] }, { $number: '-0' }, { $: 1, $$: 2 }]],
    ['bigints in the middle of it all', { a: [1n, { b: -5n }], $c: 7n }],
  ])('keeps %s', (_name, value) => {
    const saved = JSON.parse(JSON.stringify(codec.encode(value))) as Json
    expect(codec.decode(saved)).toStrictEqual(value)
    expect(Object.is((codec.decode(codec.encode(-0)) as number) ?? 1, -0)).toBe(true)
  })
})

describe('aggregateWindow', () => {
  const windows = (name: string, sizeMs: number) => tumblingWindow<Item>({ name, sizeMs, by: ({ key }) => key })
  const sum = <A>(initial: () => A, add: (sum: A, item: Item) => A, more: object = {}) =>
    aggregateWindow<Item, A, string>({
      name: 'sum',
      initial,
      add,
      result: (accumulator, { key, start }) => `${key}@${start} ${JSON.stringify(accumulator)}`,
      ...more,
    })
  const saved = savedFrom(
    new ChainTask<Item>((items) =>
      items.pipe(
        timed,
        windows('w', 10),
        sum(
          () => 0,
          (total) => total + 1,
        ),
      ),
    )
      .push(at('a', 1), at('a', 2))
      .cut(),
  )
  const inObjects =
    (more: object = {}) =>
    (items: Observable<Item>) =>
      items.pipe(
        timed,
        windows('w', 10),
        sum(
          () => ({ total: 0 }),
          ({ total }) => ({ total: total + 1 }),
          more,
        ),
      )

  it('refuses accumulators of another shape, naming both', () => {
    expect(() => new ChainTask<Item>(inObjects(), saved)).toThrow(StateMismatchError)
    expect(() => new ChainTask<Item>(inObjects(), saved)).toThrow(
      /sum: .*"accumulator":"number".*"accumulator":\{"total":"number"\}/,
    )
  })

  it('takes them where it is told how, over two restarts', () => {
    const migrate = (total: Json) => ({ total })
    const cuts: TaskCut[] = []
    const first = new ChainTask<Item>(inObjects({ version: 2, migrate }), saved).push(at('a', 3))
    cuts.push(first.cut())
    const second = new ChainTask<Item>(inObjects({ version: 2, migrate }), savedFrom(...cuts)).push(
      at('a', 4),
      at('a', 20),
    )
    expect(second.out).toEqual(['a@0 {"total":4}'])
  })

  it('refuses those of a newer version, whatever it is told about older ones', () => {
    const migrate = (total: Json) => ({ total })
    const newer = savedFrom(new ChainTask<Item>(inObjects({ version: 3, migrate }), saved).push(at('a', 3)).cut())
    expect(() => new ChainTask<Item>(inObjects({ version: 2, migrate }), newer)).toThrow(StateMismatchError)
    expect(() => new ChainTask<Item>(inObjects({ migrate }), newer)).toThrow(StateMismatchError)
  })

  it('hands out a result that does not change any more, also where that is the accumulator', () => {
    const run = new ChainTask<Item>((items) =>
      items.pipe(
        timed,
        tumblingWindow({ name: 'w', sizeMs: 10, by: ({ key }) => key, allowedLatenessMs: 100 }),
        aggregateWindow<Item, { count: number }, { count: number }>({
          initial: () => ({ count: 0 }),
          add: (sum) => {
            sum.count += 1
            return sum
          },
          result: (sum) => sum,
        }),
      ),
    ).push(at('a', 1), at('a', 20), at('a', 2))
    expect(run.out).toEqual([{ count: 1 }, { count: 2 }])
  })

  it('keeps what an accumulator was changed to before it threw, restarted or not', () => {
    const chain = (items: Observable<Item>) =>
      items.pipe(
        timed,
        windows('w', 10),
        sum(
          () => ({ count: 0 }),
          (total, item) => {
            total.count += 1
            if (item.at === 2) throw new TypeError('half way')
            return total
          },
        ),
      )
    const live = new ChainTask<Item>(chain).push(at('a', 1))
    const cuts = [live.cut(), live.push(at('a', 2)).cut()]
    const restored = new ChainTask<Item>(chain, savedFrom(...cuts))
    for (const run of [live, restored]) run.push(at('a', 3), at('a', 30))
    expect(restored.out).toEqual(live.out)
  })

  it('refuses another version without a migration', () => {
    const next = (items: Observable<Item>) =>
      items.pipe(
        timed,
        windows('w', 10),
        sum(
          () => 0,
          (total) => total + 2,
          { version: 2 },
        ),
      )
    expect(() => new ChainTask<Item>(next, saved)).toThrow(/"version":1.*"version":2/)
  })

  it('keeps windows of two sizes apart that start together', () => {
    const chain = (items: Observable<Item>) => {
      const time = items.pipe(timed, share())
      return merge(time.pipe(windows('short', 10)), time.pipe(windows('long', 20))).pipe(
        sum(
          () => 0,
          (total) => total + 1,
        ),
      )
    }
    const first = new ChainTask<Item>(chain).push(at('a', 1), at('a', 12))
    const second = new ChainTask<Item>(chain, savedFrom(first.cut())).push(at('a', 19), at('a', 40))
    expect([first.out, second.out]).toEqual([['a@0 1'], ['a@10 2', 'a@0 3']])
  })

  it('costs a checkpoint the windows that changed, however many of their key are open', () => {
    const run = new ChainTask<Item>((items) =>
      items.pipe(
        timed,
        tumblingWindow({ name: 'w', sizeMs: 1_000, by: ({ key }) => key, allowedLatenessMs: 3_600_000 }),
        sum(
          () => 0,
          (total) => total + 1,
        ),
      ),
    )
    for (let second = 0; second < 3_600; second++) run.push(at('a', second * 1_000))
    run.cut()
    run.push(at('a', 3_600_000))
    const { kind, body } = run.cut().state
    expect(kind).toBe('delta')
    expect(body.length).toBeLessThan(1_000)
  })

  it('rows in batches are rows, and rows that are arrays are rows too', () => {
    const tuples = new ChainTask<number>((values) => values.pipe(batchFlush({ maxCount: 2 })))
    expect(tuples.push(1, 2, 3).cut().writes[0]?.rows).toEqual([1, 2, 3])
    const pairs = new ChainTask<readonly [number, number]>((values) => values)
    expect(pairs.push([1, 2], [3, 4]).cut().writes[0]?.rows).toEqual([
      [1, 2],
      [3, 4],
    ])
  })
})

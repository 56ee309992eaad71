import { filter, merge, type Observable, type OperatorFunction, share } from 'rxjs'
import { describe, expect, it } from 'vitest'
import type { Candle } from '../../src/market/candle.ts'
import type { Trade } from '../../src/market/trade.ts'
import { aggregateWindow } from '../../src/operators/aggregateWindow.ts'
import { countWindow } from '../../src/operators/countWindow.ts'
import type { EarlyResults } from '../../src/operators/earlyResults.ts'
import { eventTime } from '../../src/operators/eventTime.ts'
import { hoppingWindow } from '../../src/operators/hoppingWindow.ts'
import { ohlcv } from '../../src/operators/ohlcv.ts'
import { sessionWindow } from '../../src/operators/sessionWindow.ts'
import { topN } from '../../src/operators/topN.ts'
import { tumblingWindow } from '../../src/operators/tumblingWindow.ts'
import type { WindowElement } from '../../src/operators/window.ts'
import { ConfigurationError } from '../../src/runtime/errors.ts'
import { Withdrawn } from '../../src/runtime/withdrawn.ts'
import { ChainTask, savedFrom } from '../support/tasks.ts'
import { trade } from '../support/trades.ts'

interface Event {
  readonly key: string
  readonly at: number
  readonly n: number
}

const at = (time: number, n = 0, key = 'k'): Event => ({ key, at: time, n })
const by = ({ key }: Event) => key

const chain =
  (windows: OperatorFunction<Event, WindowElement<Event>>, early: EarlyResults, boundMs = 0) =>
  (events: Observable<Event>): Observable<unknown> =>
    events.pipe(
      eventTime<Event>({ of: (event) => event.at, maxOutOfOrdernessMs: boundMs }),
      windows,
      aggregateWindow<Event, number, string>({
        initial: () => 0,
        add: (count) => count + 1,
        merge: (a, b) => a + b,
        result: (count, { key, start, end }, { isClosed, revision }) =>
          `${key} [${start} ${end}) ${count}${isClosed ? ` rev ${revision}` : '?'}`,
        early,
        withdraws: true,
      }),
    )

const tumbling = tumblingWindow<Event>({ name: 'w', sizeMs: 10, allowedLatenessMs: 100, by })
const hopping = hoppingWindow<Event>({ name: 'w', sizeMs: 10, hopMs: 5, by })
const sessions = sessionWindow<Event>({ name: 'w', gapMs: 10, by })
const outOf = ({ out }: ChainTask<Event>) => out.map((one) => (one instanceof Withdrawn ? `(${one.row})` : one))

describe('results of open windows by the number of values', () => {
  it('come after every so many of a window, and not once it has fired', () => {
    const run = new ChainTask<Event>(chain(tumbling, { everyValues: 2 }))
    run.push(at(1), at(2), at(3, 0, 'j'), at(4), at(5), at(30), at(6), at(7))
    expect(outOf(run)).toEqual([
      'k [0 10) 2?',
      'k [0 10) 4?',
      'j [0 10) 1 rev 1',
      'k [0 10) 4 rev 1',
      'k [0 10) 5 rev 2',
      'k [0 10) 6 rev 3',
    ])
  })

  it('do not come where the first value of a window is late, and it fires at once', () => {
    const run = new ChainTask<Event>(chain(tumbling, { everyValues: 1 })).push(at(30), at(3), at(4))
    expect(outOf(run)).toEqual(['k [30 40) 1?', 'k [0 10) 1 rev 1', 'k [0 10) 2 rev 2'])
    const late = sessionWindow<Event>({ name: 'w', gapMs: 10, allowedLatenessMs: 100, by })
    const merging = new ChainTask<Event>(chain(late, { everyValues: 1 })).push(at(60), at(3), at(2))
    expect(outOf(merging)).toEqual(['k [60 70) 1?', 'k [3 13) 1 rev 1', '(k [3 13) 1 rev 2)', 'k [2 13) 2 rev 2'])
  })

  it('count the values of every window that overlaps', () => {
    const run = new ChainTask<Event>(chain(hopping, { everyValues: 2 }, 20)).push(at(1), at(6), at(7), at(12))
    expect(outOf(run)).toEqual(['k [0 10) 2?', 'k [5 15) 2?'])
  })

  it('count what sessions bring along that become one, and take back what was shown of them', () => {
    const run = new ChainTask<Event>(chain(sessions, { everyValues: 3 }, 50)).push(at(20), at(0), at(5), at(21), at(11))
    expect(outOf(run)).toEqual(['(k [20 31) 2?)', 'k [0 31) 4?'])
  })

  it('of values that wait for their time come when they are counted', () => {
    const lots = countWindow<Event>({ name: 'w', size: 3, by })
    const run = new ChainTask<Event>(chain(lots, { everyValues: 2 })).push(at(1), at(2), at(3), at(9))
    expect(outOf(run)).toEqual(['k [1 3) 2?', 'k [1 4) 3 rev 1'])
  })
})

describe('results of open windows by event time', () => {
  it('come with the next multiple where the window has changed, by end and key', () => {
    const long = tumblingWindow<Event>({ name: 'w', sizeMs: 100, by })
    const run = new ChainTask<Event>(chain(long, { everyMs: '5ms' as never }))
    run.push(at(1, 0, 'b'), at(2, 0, 'a'), at(4), at(6), at(7), at(12), at(40))
    // The first move of time, from before all of it, shows the first value.
    expect(outOf(run)).toEqual(['b [0 100) 1?', 'a [0 100) 1?', 'k [0 100) 2?', 'k [0 100) 4?', 'k [0 100) 5?'])
  })

  it('come of windows that overlap, and of none that has fired', () => {
    const run = new ChainTask<Event>(chain(hopping, { everyMs: 4 })).push(at(1), at(2), at(6), at(30))
    expect(outOf(run)).toEqual([
      'k [-5 5) 1?',
      'k [0 10) 1?',
      'k [-5 5) 2 rev 1',
      'k [0 10) 3?',
      'k [5 15) 1?',
      'k [0 10) 3 rev 1',
      'k [5 15) 1 rev 1',
      'k [25 35) 1?',
      'k [30 40) 1?',
    ])
  })

  it.each<[EarlyResults, string[]]>([
    [{ everyMs: 100 }, ['x y [100 110) 1?', 'y [100 110) 1?']],
    [{ everyValues: 2 }, []],
  ])('of two operators are told apart, whatever their names and keys run together to: %j', (early, expected) => {
    const both: OperatorFunction<Event, WindowElement<Event>> = (events) => {
      const shared = events.pipe(share())
      const named = (name: string, key: string) =>
        shared.pipe(
          filter((event) => event.key === key),
          hoppingWindow({ name, sizeMs: 10, hopMs: 10, by }),
        )
      return merge(named('w', 'x y'), named('w x', 'y'))
    }
    const run = new ChainTask<Event>(chain(both, early, 5))
    run.push(at(50, 0, ''), at(100, 0, 'x y'), at(101, 0, 'y'), at(106, 0, ''))
    expect(outOf(run)).toEqual(expected)
  })

  it('can be switched on and off between two starts', () => {
    const without = aggregateWindow<Event, number, number>({ initial: () => 0, add: (n) => n + 1, result: (n) => n })
    const plain = (values: Observable<Event>) =>
      values.pipe(eventTime<Event>({ of: ({ at: time }) => time, maxOutOfOrdernessMs: 0 }), tumbling, without)
    const first = new ChainTask<Event>(chain(tumbling, { everyValues: 2 })).push(at(1)).cut()
    const second = new ChainTask<Event>(plain, savedFrom(first)).push(at(2))
    const third = new ChainTask<Event>(chain(tumbling, { everyValues: 2 }), savedFrom(second.cut()))
    // What came meanwhile is not counted, and no value is lost.
    expect(outOf(third.push(at(3), at(4), at(30)))).toEqual(['k [0 10) 3?', 'k [0 10) 4 rev 1'])
  })

  it('come of candles and of ranks', () => {
    const candles = new ChainTask<Trade>((trades) =>
      trades.pipe(
        eventTime({ of: (one) => one.tradeTime, maxOutOfOrdernessMs: 0 }),
        tumblingWindow({ name: '1m', sizeMs: 60_000, by: (one) => one.symbol }),
        ohlcv({ early: { everyMs: '10s' } }),
      ),
    ).push(trade(1_000), trade(2_000), trade(11_000), trade(61_000))
    expect((candles.out as Candle[]).map(({ tradeCount, isClosed }) => [tradeCount, isClosed])).toEqual([
      [1, false],
      [3, false],
      [3, true],
      [1, false],
    ])
    const ranks = new ChainTask<Event>((values) =>
      values.pipe(
        eventTime<Event>({ of: ({ at: time }) => time, maxOutOfOrdernessMs: 0 }),
        tumbling,
        topN({
          n: 2,
          of: ({ n }) => n,
          tie: by,
          result: (top, _, { isClosed }) => top.map(({ n }, i) => `${i + 1}: ${n}${isClosed ? '' : '?'}`),
          early: { everyValues: 2 },
        }),
      ),
    ).push(at(1, 5), at(2, 9), at(3, 7), at(30))
    expect(ranks.out).toEqual(['1: 9?', '2: 5?', '1: 9', '2: 7'])
  })

  it.each([
    ['everyValues', { early: { everyValues: 0 } }],
    ['everyMs', { early: { everyMs: 0 } }],
    ['one of the two', { early: {} as never }],
    ['one of the two', { early: { everyValues: 1, everyMs: 1 } as never }],
    ['give one of them', { early: { everyValues: 1 }, provisionalEveryMs: 0 }],
  ])('refuse options out of range: %s', (text, options) => {
    const make = () => aggregateWindow({ initial: () => 0, add: (n: number) => n, result: (n) => n, ...options })
    expect(make).toThrow(ConfigurationError)
    expect(make).toThrow(text)
  })
})

import { map, type Observable, share } from 'rxjs'
import { describe, expect, it } from 'vitest'
import type { Candle } from '../../src/market/candle.ts'
import type { Trade } from '../../src/market/trade.ts'
import { aggregateWindow } from '../../src/operators/aggregateWindow.ts'
import { eventTime } from '../../src/operators/eventTime.ts'
import { ohlcv } from '../../src/operators/ohlcv.ts'
import { rollup } from '../../src/operators/rollup.ts'
import { tumblingWindow } from '../../src/operators/tumblingWindow.ts'
import { ChainTask, savedFrom } from '../support/tasks.ts'
import { trade } from '../support/trades.ts'

const minutes = (trades: Observable<Trade>) =>
  trades.pipe(
    eventTime({ of: (one) => one.tradeTime, maxOutOfOrdernessMs: 0 }),
    tumblingWindow({ name: '1m', sizeMs: 60_000, by: (one) => one.symbol }),
    ohlcv({ provisionalEveryMs: 250 }),
    share(),
  )
const fives = (trades: Observable<Trade>) =>
  minutes(trades).pipe(
    tumblingWindow({
      name: '5m',
      sizeMs: 300_000,
      by: (candle) => candle.symbol,
      isProvisional: (candle) => !candle.isClosed,
    }),
    rollup({ provisionalEveryMs: 0 }),
  )

const seen = (run: ChainTask<Trade>) =>
  (run.out as Candle[]).map(({ openTime, tradeCount, isClosed, revision }) => [
    openTime,
    tradeCount,
    isClosed,
    revision,
  ])

describe('provisional results', () => {
  it('come at cuts, only for windows that changed, and each at most once in the set time', () => {
    const run = new ChainTask<Trade>(minutes).push(trade(1))
    run.cut(1_000)
    run.cut(1_300)
    expect(seen(run)).toEqual([[0, 1, false, 0]])
    run.push(trade(2))
    run.cut(1_200)
    expect(seen(run)).toHaveLength(1)
    run.cut(1_300)
    expect(seen(run)).toEqual([
      [0, 1, false, 0],
      [0, 2, false, 0],
    ])
  })

  it('come also after the clock was set back', () => {
    const run = new ChainTask<Trade>(minutes).push(trade(1))
    run.cut(3_600_000)
    run.push(trade(2))
    run.cut(1_000)
    expect(seen(run).at(-1)).toEqual([0, 2, false, 0])
  })

  it('come at a final cut whatever the time', () => {
    const run = new ChainTask<Trade>(minutes).push(trade(1))
    run.cut(1_000)
    run.push(trade(2))
    run.cut(1_001, true)
    expect(seen(run)).toHaveLength(2)
  })

  it('never enter the result of a closed window above, and are not counted twice in an open one', () => {
    const run = new ChainTask<Trade>(fives).push(trade(1), trade(2))
    run.cut(1_000)
    run.push(trade(60_000))
    run.cut(2_000)
    run.push(trade(300_000))
    expect(seen(run)).toEqual([
      [0, 2, false, 0],
      [0, 3, false, 0],
      [0, 3, true, 1],
    ])
  })

  it('come again after a restore, because nobody knows whether they were seen', () => {
    const cut = new ChainTask<Trade>(minutes).push(trade(1)).cut(1_000)
    const run = new ChainTask<Trade>(minutes, savedFrom(cut))
    run.cut(5_000)
    expect(seen(run)).toEqual([[0, 1, false, 0]])
  })

  it('do not come for a window that has fired and only waits for late values', () => {
    const chain = (trades: Observable<Trade>) =>
      trades.pipe(
        eventTime({ of: (one) => one.tradeTime, maxOutOfOrdernessMs: 0 }),
        tumblingWindow({ name: '1m', sizeMs: 60_000, by: (one) => one.symbol, allowedLatenessMs: 10_000 }),
        ohlcv({ provisionalEveryMs: 0 }),
      )
    const first = new ChainTask<Trade>(chain).push(trade(1), trade(60_000))
    first.push(trade(2))
    const run = new ChainTask<Trade>(chain, savedFrom(first.cut(1_000)))
    run.cut(2_000)
    expect(seen(run)).toEqual([[60_000, 1, false, 0]])
  })
})

describe('aggregateWindow', () => {
  const sum = (trades: Observable<Trade>) =>
    trades.pipe(
      eventTime({ of: (one) => one.tradeTime, maxOutOfOrdernessMs: 0 }),
      tumblingWindow({ name: 'w', sizeMs: 100, by: (one) => one.symbol }),
      aggregateWindow({
        initial: () => ({ count: 0, wide: 0n }),
        add: (held, one: Trade) => ({ count: held.count + 1, wide: held.wide + BigInt(one.tradeId) }),
        result: (held, window, { revision }) => ({ start: window.start, revision, ...held }),
      }),
      map((result) => ({ ...result, wide: String(result.wide) })),
    )

  it('folds each window and saves plain accumulators, wide integers included', () => {
    const before = new ChainTask<Trade>(sum).push(
      trade(1, { tradeId: 2 ** 53 - 1 }),
      trade(2, { tradeId: 2 ** 53 - 1 }),
    )
    const after = new ChainTask<Trade>(sum, savedFrom(before.cut())).push(trade(100))
    expect(after.out).toEqual([{ start: 0, revision: 1, count: 2, wide: '18014398509481982' }])
  })

  it('refuses to save what would not come back, naming it', () => {
    const run = new ChainTask<Trade>((trades) =>
      trades.pipe(
        eventTime({ of: (one) => one.tradeTime, maxOutOfOrdernessMs: 0 }),
        tumblingWindow({ name: 'w', sizeMs: 100, by: (one) => one.symbol }),
        aggregateWindow({ initial: () => new Map(), add: (held) => held, result: (held) => held.size }),
      ),
    ).push(trade(1))
    expect(() => run.cut()).toThrow(/class instance.*state codec/)
  })
})

import fc from 'fast-check'
import { from, of, toArray } from 'rxjs'
import { describe, expect, it } from 'vitest'
import type { Fixed8 } from '../../src/exact/decimal.ts'
import type { Candle } from '../../src/market/candle.ts'
import { intervalMs } from '../../src/market/interval.ts'
import type { Trade } from '../../src/market/trade.ts'
import { eventTime } from '../../src/operators/eventTime.ts'
import { ohlcv } from '../../src/operators/ohlcv.ts'
import { rollup } from '../../src/operators/rollup.ts'
import { tumblingWindow } from '../../src/operators/tumblingWindow.ts'
import { ChainTask } from '../support/tasks.ts'
import { trade } from '../support/trades.ts'

const unit = 100_000_000

function candles(trades: readonly Trade[], maxOutOfOrdernessMs = 0, allowedLatenessMs = 0): Candle[] {
  const out: Candle[] = []
  from(trades)
    .pipe(
      eventTime({ of: (one) => one.tradeTime, maxOutOfOrdernessMs }),
      tumblingWindow({ name: '1m', sizeMs: intervalMs['1m'], by: (one) => one.symbol, allowedLatenessMs }),
      ohlcv(),
    )
    .subscribe((candle) => out.push(candle))
  return out
}

describe('ohlcv', () => {
  it('sets aside a trade whose numbers are no counts, and nothing of it is in the candle', () => {
    const run = new ChainTask<Trade>((trades) =>
      trades.pipe(
        eventTime({ of: (one) => one.tradeTime, maxOutOfOrdernessMs: 0 }),
        tumblingWindow({ name: '1m', sizeMs: 60_000, by: (one) => one.symbol }),
        ohlcv(),
      ),
    )
    const first = trade(1)
    run.push(first, { ...trade(2), price: 61_837.63 as Fixed8 }, { ...trade(3), tradeTime: 120_000 })
    expect(run.out).toMatchObject([{ tradeCount: 1, high: first.price }])
    expect(run.cut().deadLetters).toMatchObject([
      { reason: 'failed', detail: expect.stringMatching(/make them of text by parseFixed8/) },
    ])
  })

  it('gives nothing for nothing', () => {
    expect(candles([])).toEqual([])
  })

  it('makes a whole candle of one trade', () => {
    expect(candles([trade(5, { price: 3 * unit, quantity: 2 * unit })])).toEqual([
      {
        market: 'spot',
        symbol: 'A',
        interval: '1m',
        openTime: 0,
        open: 3 * unit,
        high: 3 * unit,
        low: 3 * unit,
        close: 3 * unit,
        volume: 2 * unit,
        quoteVolume: 6n * 10n ** 16n,
        tradeCount: 1,
        takerBuyVolume: 2 * unit,
        takerBuyQuoteVolume: 6n * 10n ** 16n,
        vwap: 3 * unit,
        firstTradeId: 5,
        lastTradeId: 5,
        isClosed: true,
        revision: 1,
      },
    ])
  })

  it('opens and closes by (trade time, trade id), not by arrival', () => {
    const trades = [
      trade(20, { tradeId: 4, price: 4 * unit }),
      trade(10, { tradeId: 2, price: 2 * unit }),
      trade(10, { tradeId: 1, price: 1 * unit }),
      trade(20, { tradeId: 3, price: 3 * unit }),
    ]
    expect(candles(trades, 1_000)).toMatchObject([{ open: 1 * unit, close: 4 * unit }])
  })

  it('counts what takers sold into the volume alone', () => {
    const [candle] = candles([trade(1), trade(2, { isBuyerMaker: true, quantity: 4 * unit })])
    expect(candle).toMatchObject({ volume: 5 * unit, takerBuyVolume: unit, tradeCount: 2 })
  })

  it('is exact where a double is not, and rounds VWAP half to even, once', () => {
    const quantity = 10n ** 25n
    const [candle] = candles([trade(1, { quantity, price: 1 }), trade(2, { quantity: 1, price: 1 })])
    expect(candle).toMatchObject({ volume: quantity + 1n, quoteVolume: quantity + 1n, vwap: 1 })
    const halves = (a: number, b: number) =>
      candles([trade(1, { price: a, quantity: 1 }), trade(2, { price: b, quantity: 1 })])
    expect(halves(1, 2)).toMatchObject([{ vwap: 2 }])
    expect(halves(2, 3)).toMatchObject([{ vwap: 2 }])
  })

  it('corrects a closed candle within the allowed lateness, as a whole, with a higher revision', () => {
    const out = candles([trade(1), trade(60_000), trade(2, { price: 9 * unit })], 0, 1_000)
    expect(out.map(({ openTime, high, tradeCount, revision }) => [openTime, high, tradeCount, revision])).toEqual([
      [0, unit, 1, 1],
      [0, 9 * unit, 2, 2],
      [60_000, unit, 1, 1],
    ])
  })

  it('gives the same candles for any shuffle within the bound', () => {
    const gen = fc.array(
      fc.record({
        gap: fc.integer({ min: 0, max: 9_000 }),
        jitter: fc.integer({ min: 0, max: 1_000 }),
        price: fc.integer({ min: 1, max: 9 }),
      }),
      { maxLength: 60 },
    )
    fc.assert(
      fc.property(gen, (steps) => {
        let at = 0
        const trades = steps.map(({ gap, price }, i) => {
          at += gap
          return trade(at, { tradeId: i, price })
        })
        const shuffled = trades
          .map((one, i) => ({ one, arrival: one.tradeTime + (steps[i]?.jitter ?? 0) }))
          .sort((a, b) => a.arrival - b.arrival)
          .map(({ one }) => one)
        expect(candles(shuffled, 1_000)).toEqual(candles(trades, 1_000))
      }),
    )
  })
})

describe('rollup', () => {
  it('of 1m candles to 5m equals 5m candles of the trades', () => {
    const gen = fc.array(
      fc.record({
        gap: fc.integer({ min: 0, max: 200_000 }),
        price: fc.integer({ min: 1, max: 9 }),
        maker: fc.boolean(),
      }),
      { maxLength: 60 },
    )
    fc.assert(
      fc.property(gen, (steps) => {
        let at = 0
        const trades = steps.map(({ gap, price, maker }, i) => {
          at += gap
          return trade(at, { tradeId: i, price, isBuyerMaker: maker })
        })
        const timed = of(...trades).pipe(eventTime<Trade>({ of: (one) => one.tradeTime, maxOutOfOrdernessMs: 0 }))
        const five = { name: '5m', sizeMs: intervalMs['5m'] }
        let direct: Candle[] = []
        let rolled: Candle[] = []
        timed
          .pipe(tumblingWindow({ ...five, by: (one) => one.symbol }), ohlcv(), toArray())
          .subscribe((all) => (direct = all))
        timed
          .pipe(
            tumblingWindow({ name: '1m', sizeMs: intervalMs['1m'], by: (one) => one.symbol }),
            ohlcv(),
            tumblingWindow({ ...five, by: (candle) => candle.symbol }),
            rollup(),
            toArray(),
          )
          .subscribe((all) => (rolled = all))
        expect(rolled).toEqual(direct)
      }),
    )
  })

  it('replaces a corrected candle by its newest revision', () => {
    const out: Candle[] = []
    of(trade(1), trade(61_000), trade(2, { price: 9 * unit }), trade(600_000))
      .pipe(
        eventTime({ of: (one) => one.tradeTime, maxOutOfOrdernessMs: 0 }),
        tumblingWindow({ name: '1m', sizeMs: 60_000, by: (one) => one.symbol, allowedLatenessMs: 5_000 }),
        ohlcv(),
        tumblingWindow({ name: '5m', sizeMs: 300_000, by: (candle) => candle.symbol }),
        rollup(),
      )
      .subscribe((candle) => out.push(candle))
    expect(out[0]).toMatchObject({ openTime: 0, high: 9 * unit, tradeCount: 3, revision: 1 })
  })
})

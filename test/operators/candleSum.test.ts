import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Fixed8 } from '../../src/exact/decimal.ts'
import { CandleSum, type TradeForOhlcv } from '../../src/operators/candleSum.ts'
import type { TradeColumns } from '../../src/operators/tradeColumns.ts'

const count = fc.oneof(
  fc.integer({ min: 1, max: 2 ** 31 }),
  fc.maxSafeNat().map((number) => number + 1 - (number % 2)),
  fc.integer({ min: 1, max: 1_000 }).map((below) => Number.MAX_SAFE_INTEGER - below),
)
const trade = fc.record({
  price: count,
  quantity: count,
  tradeTime: fc.integer({ min: 0, max: 30 }),
  tradeId: fc.integer({ min: 0, max: 200 }),
  isBuyerMaker: fc.boolean(),
})
type Drawn = typeof trade extends fc.Arbitrary<infer T> ? T : never

const numbersOf = (trades: readonly Drawn[], of: (one: Drawn) => number) => Float64Array.from(trades, of)
const columnsOf = (trades: readonly Drawn[]): TradeColumns => ({
  price: numbersOf(trades, ({ price }) => price),
  quantity: numbersOf(trades, ({ quantity }) => quantity),
  tradeTime: numbersOf(trades, ({ tradeTime }) => tradeTime),
  tradeId: numbersOf(trades, ({ tradeId }) => tradeId),
  isBuyerMaker: numbersOf(trades, ({ isBuyerMaker }) => (isBuyerMaker ? 1 : 0)),
})
const whole = (one: Drawn): TradeForOhlcv => ({
  ...{ market: 'spot', symbol: 'A', ...one },
  price: one.price as Fixed8,
  quantity: one.quantity as Fixed8,
})

describe('trades that are added many at once', () => {
  it('make the candle that they make one by one, beyond what doubles hold as well', () => {
    let many = 0
    let left = 0
    fc.assert(
      fc.property(fc.array(trade, { minLength: 1, maxLength: 40 }), fc.nat(8), (trades, step) => {
        const first = whole(trades[0] as Drawn)
        const together = new CandleSum(first)
        const alone = new CandleSum(first)
        const columns = columnsOf(trades)
        // Every third record is another candle's.
        const records = Int32Array.from(trades.keys()).filter((record) => record % 3 !== 2)
        for (let next = 0; next < records.length; ) {
          const to = Math.min(records.length, next + step + 1)
          const end = together.addMany(columns, records, next, to)
          many += end - next
          for (let i = end; i < to; i += 1) {
            left += 1
            together.add(whole(trades[records[i] as number] as Drawn))
          }
          next = to
        }
        for (const record of records) alone.add(whole(trades[record] as Drawn))
        assert.deepEqual(together.encode(), alone.encode())
      }),
      { numRuns: 2_000 },
    )
    expect(many).toBeGreaterThan(1_000)
    expect(left).toBeGreaterThan(1_000)
  })

  it('end before one whose price or quantity is no count', () => {
    const trades = [1, 2, 3].map((n) => ({ price: n, quantity: n, tradeTime: n, tradeId: n, isBuyerMaker: false }))
    const columns = columnsOf(trades)
    columns.quantity[2] = 0.5
    const sum = new CandleSum(whole(trades[0] as Drawn))
    expect(sum.addMany(columns, Int32Array.of(0, 1, 2), 0, 3)).toBe(2)
    expect(sum.candle('1m', 0, { isClosed: true, revision: 1 })).toMatchObject({ tradeCount: 2, volume: 3, high: 2 })
  })
})

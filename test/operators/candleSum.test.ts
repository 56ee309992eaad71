import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Fixed8 } from '../../src/exact/decimal.ts'
import { type CandleSum, CandleSums, type TradeForOhlcv } from '../../src/operators/candleSum.ts'
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

/** Beyond what a double holds: makes a candle one that trades are added to one by one. */
const huge = (2n ** 60n) as Fixed8

describe('trades that are added many at once', () => {
  it('make the candles that they make one by one, beyond what doubles hold as well, in rows that others had before', () => {
    let many = 0
    let left = 0
    const candles = fc.record({
      trades: fc.array(trade, { minLength: 1, maxLength: 60 }),
      step: fc.nat(8),
      keys: fc.integer({ min: 1, max: 4 }),
      isHuge: fc.boolean(),
    })
    const sums = new CandleSums()
    fc.assert(
      fc.property(candles, ({ trades, step, keys, isHuge }) => {
        const first = whole(trades[0] as Drawn)
        const make = () => {
          const sum = sums.create({ ...first })
          return isHuge ? sums.add(sum, { ...first, price: huge }) : sum
        }
        const together = Array.from({ length: keys }, make)
        const alone = Array.from({ length: keys }, make)
        const columns = columnsOf(trades)
        // Every third record is nobody's.
        const records = Int32Array.from(trades.keys()).filter((record) => record % 3 !== 2)
        const ofRecord = (record: number) => (record * 7) % keys
        const rows = records.map((record) => together[ofRecord(record)]?.row as number)
        for (let next = 0; next < records.length; ) {
          const to = Math.min(records.length, next + step + 1)
          const end = sums.addMany(columns, { records, rows, from: next, to })
          many += end - next
          if (end < to) {
            left += 1
            const record = records[end] as number
            sums.add(together[ofRecord(record)] as CandleSum, whole(trades[record] as Drawn))
          }
          next = Math.min(end + 1, to)
        }
        for (const record of records) sums.add(alone[ofRecord(record)] as CandleSum, whole(trades[record] as Drawn))
        assert.deepEqual(
          together.map((sum) => sums.encode(sum)),
          alone.map((sum) => sums.encode(sum)),
        )
        for (const sum of [...together, ...alone]) sums.release(sum)
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
    const sums = new CandleSums()
    const sum = sums.create(whole(trades[0] as Drawn))
    const values = { records: Int32Array.of(0, 1, 2), rows: new Int32Array(3).fill(sum.row), from: 0, to: 3 }
    expect(sums.addMany(columns, values)).toBe(2)
    const candle = sums.candle(sum, '1m', 0, { isClosed: true, revision: 1 })
    expect(candle).toMatchObject({ tradeCount: 2, volume: 3, high: 2 })
  })

  it('go on together once a volume has outgrown a double', () => {
    const quantity = Number.MAX_SAFE_INTEGER
    const trades = [1, 2, 3, 4].map((n) => ({
      price: 1,
      quantity: n < 4 ? quantity : n,
      tradeTime: n,
      tradeId: n,
      isBuyerMaker: false,
    }))
    const sums = new CandleSums()
    const sum = sums.create(whole(trades[0] as Drawn))
    const values = { records: Int32Array.of(0, 1, 2, 3), rows: new Int32Array(4).fill(sum.row), to: 4 }
    const ends: number[] = []
    for (let from = 0; from < 4; from = (ends.at(-1) as number) + 1) {
      const end = sums.addMany(columnsOf(trades), { ...values, from })
      ends.push(end)
      if (end < 4) sums.add(sum, whole(trades[end] as Drawn))
    }
    // The second does not fit, and has what was there carried with it: so the third does, and the fourth does not.
    expect(ends).toEqual([1, 3])
    const candle = sums.candle(sum, '1m', 0, { isClosed: true, revision: 1 })
    const volume = 3n * BigInt(quantity) + 4n
    expect(candle).toMatchObject({ volume, takerBuyVolume: volume, quoteVolume: volume, tradeCount: 4 })
  })

  it('are of a candle that comes back from what was saved of it', () => {
    const sums = new CandleSums()
    fc.assert(
      fc.property(fc.array(trade, { minLength: 1, maxLength: 9 }), fc.boolean(), (trades, isHuge) => {
        const sum = sums.create(whole(trades[0] as Drawn))
        for (const one of trades) sums.add(sum, isHuge ? { ...whole(one), price: huge } : whole(one))
        const again = sums.decode(JSON.parse(JSON.stringify(sums.encode(sum))))
        assert.deepEqual(sums.encode(again), sums.encode(sum))
        sums.release(sum)
        sums.release(again)
      }),
    )
  })
})

it('a trade that cannot be the first of a candle takes no row', () => {
  const sums = new CandleSums()
  const first = whole({ price: 2, quantity: 3, tradeTime: 1, tradeId: 1, isBuyerMaker: true })
  expect(() => sums.create({ ...first, quantity: 0.5 as Fixed8 })).toThrow('must be counts of 1e-8')
  expect(sums.create(first).row).toBe(0)
})

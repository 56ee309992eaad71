import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { naiveCandles } from '../../../src/testing/unkind/naiveCandles.ts'
import { unkindTrades } from '../../../src/testing/unkind/unkindTrades.ts'

const options = { trades: 300, maxOutOfOrdernessMs: 2_000, allowedLatenessMs: 0, partitions: 2 }

describe('unkindTrades', () => {
  it('gives the same input for the same seed', () => {
    expect(unkindTrades({ ...options, seed: 5 })).toEqual(unkindTrades({ ...options, seed: 5 }))
    expect(unkindTrades({ ...options, seed: 5 })).not.toEqual(unkindTrades({ ...options, seed: 6 }))
  })

  it('does every unkind thing within a few seeds', () => {
    const seeds = Array.from({ length: 20 }, (_, seed) => seed)
    const all = seeds.map((seed) => unkindTrades({ ...options, allowedLatenessMs: 30_000, hasGaps: true, seed }).counts)
    for (const kind of Object.keys(all[0] ?? {}) as (keyof (typeof all)[number])[]) {
      expect(
        all.map((counts) => counts[kind]).reduce((a, b) => a + b),
        kind,
      ).toBeGreaterThan(0)
    }
  })

  it('counts each trade in one candle of each interval', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const { candles, counts } = unkindTrades({ ...options, seed })
        for (const interval of ['1m', '5m', '1d']) {
          const own = candles.filter((candle) => candle.interval === interval)
          expect(own.reduce((total, candle) => total + candle.tradeCount, 0)).toBe(counts.trades)
        }
      }),
      { numRuns: 30 },
    )
  })

  it('crosses hours and days', () => {
    const opens = new Set<number>()
    for (let seed = 0; seed < 10; seed++) {
      for (const candle of unkindTrades({ ...options, seed }).candles)
        if (candle.interval === '1d') opens.add(candle.openTime)
    }
    expect(opens.size).toBeGreaterThan(1)
  })

  it('places each dead letter within its partition', () => {
    const { records, deadLetters } = unkindTrades({ ...options, seed: 1 })
    for (const { partition, offset } of deadLetters) {
      expect(offset).toBeLessThan(records.filter((record) => record.partition === partition).length)
    }
  })
})

describe('naiveCandles', () => {
  it('chooses open and close by time and id, and rounds the average price half to even', () => {
    const trade = (tradeId: number, tradeTime: number, price: bigint, quantity: bigint) => {
      return { symbol: 'A', tradeId, tradeTime, price, quantity, isBuyerMaker: tradeId % 2 === 0 }
    }
    const [candle] = naiveCandles([trade(3, 500, 4n, 1n), trade(1, 500, 3n, 1n), trade(2, 59_999, 9n, 0n)], ['1m'])
    expect(candle).toEqual({
      symbol: 'A',
      interval: '1m',
      openTime: 0,
      open: '0.00000003',
      high: '0.00000009',
      low: '0.00000003',
      close: '0.00000009',
      volume: '0.00000002',
      quoteVolume: '0.0000000000000007',
      tradeCount: 3,
      takerBuyVolume: '0.00000002',
      takerBuyQuoteVolume: '0.0000000000000007',
      vwap: '0.00000004',
      firstTradeId: 1,
      lastTradeId: 3,
    })
  })
})

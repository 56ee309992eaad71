import fc from 'fast-check'
import { Subject } from 'rxjs'
import { expect, test } from 'vitest'
import { type Fixed8, toFixed8 } from '../../src/exact/decimal.ts'
import type { Candle } from '../../src/market/candle.ts'
import { type Interval, intervalMs } from '../../src/market/interval.ts'
import { longerCandle } from '../../src/market/longerCandle.ts'
import { goldCandles } from '../../src/pipelines/medallion.ts'

const dayMs = 86_400_000
const minuteMs = 60_000
const midnight = Date.UTC(2026, 0, 2)

const count: fc.Arbitrary<Fixed8> = fc
  .oneof(fc.integer({ min: 1, max: 10_000 }), fc.bigInt({ min: 1n, max: 10n ** 20n }))
  .map(toFixed8)
const money = fc.bigInt({ min: 1n, max: 10n ** 30n })

const minute = fc.record({
  at: fc.nat(dayMs / minuteMs - 1),
  ...{ open: count, high: count, low: count, close: count, volume: count, takerBuyVolume: count },
  ...{ quoteVolume: money, takerBuyQuoteVolume: money },
  tradeCount: fc.integer({ min: 1, max: 100 }),
})

/** A day of a symbol, in the order of time, each minute at most once. */
const minutes = fc.uniqueArray(minute, { selector: ({ at }) => at, maxLength: 60 }).map((all) =>
  all
    .sort((a, b) => a.at - b.at)
    .map(
      ({ at, ...values }): Candle => ({
        ...{ market: 'spot', symbol: 'BTCUSDT', interval: '1m', openTime: midnight + at * minuteMs },
        ...values,
        ...{ vwap: 0, firstTradeId: 0, lastTradeId: 0, isClosed: true, revision: 1 },
      }),
    ),
)

/** Of the minutes themselves, all at once. */
function ofMinutes(day: readonly Candle[], interval: Interval): readonly Candle[] {
  const byStart = Map.groupBy(day, ({ openTime }) => openTime - (openTime % intervalMs[interval]))
  return [...byStart].map(([openTime, parts]) =>
    longerCandle(parts, { interval, openTime, isClosed: true, revision: 1 }),
  )
}

test('a candle of gold, made of the next shorter ones, is what its minutes make at once', () => {
  fc.assert(
    fc.property(minutes, (day) => {
      const silver = new Subject<Candle>()
      const made = Object.entries(goldCandles(silver)).map(([interval, candles]) => {
        const all: Candle[] = []
        candles.subscribe((candle) => all.push(candle))
        return [interval as Interval, all] as const
      })
      for (const one of day) silver.next(one)
      silver.complete()
      for (const [interval, candles] of made) expect(candles).toEqual(ofMinutes(day, interval))
    }),
    { numRuns: 50 },
  )
})

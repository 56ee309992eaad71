import fc from 'fast-check'
import { EMPTY, Subject, share } from 'rxjs'
import { expect, test } from 'vitest'
import { GoldRollup } from '../../src/batch/goldRollup.ts'
import { type Fixed8, toFixed8 } from '../../src/exact/decimal.ts'
import type { Candle } from '../../src/market/candle.ts'
import type { Interval } from '../../src/market/interval.ts'
import { eventTime } from '../../src/operators/eventTime.ts'
import { longerCandles } from '../../src/pipelines/candleChain.ts'
import { goldIntervals } from '../../src/pipelines/medallion.ts'

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

type Gold = Record<string, Candle[]>
const none = (): Gold => Object.fromEntries(goldIntervals.map((interval) => [interval, []]))

function rolledUp(days: readonly (readonly Candle[])[]): readonly Gold[] {
  let made = none()
  const rollup = new GoldRollup((candle) => made[candle.interval]?.push(candle))
  return days.map((day) => {
    made = none()
    for (const one of day) rollup.add(one)
    rollup.end()
    return made
  })
}

/** The very chain of the live pipeline. */
function byOperators(day: readonly Candle[]): Gold {
  const made = none()
  const silver = new Subject<Candle>()
  let shorter = silver.pipe(eventTime({ of: ({ openTime }) => openTime, maxOutOfOrdernessMs: 0 }), share())
  for (const interval of goldIntervals) {
    shorter = longerCandles(interval as Interval, shorter, EMPTY, { allowedLatenessMs: 0 })
    shorter.subscribe((candle) => made[interval]?.push(candle))
  }
  for (const one of day) silver.next(one)
  silver.complete()
  return made
}

test('the candles of gold are those that the operators of the live pipeline make of the same minutes', () => {
  fc.assert(
    fc.property(fc.array(minutes, { maxLength: 3 }), (days) => {
      expect(rolledUp(days)).toEqual(days.map(byOperators))
    }),
    { numRuns: 50 },
  )
})

test('a day that ends and one before it have nothing in common', () => {
  fc.assert(
    fc.property(minutes, minutes, (newer, older) => {
      const moved = older.map((one) => ({ ...one, openTime: one.openTime - dayMs }))
      expect(rolledUp([newer, moved])[1]).toEqual(rolledUp([moved])[0])
    }),
    { numRuns: 50 },
  )
})

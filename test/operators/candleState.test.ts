import fc from 'fast-check'
import { expect, test } from 'vitest'
import { toFixed8 } from '../../src/exact/decimal.ts'
import type { Candle } from '../../src/market/candle.ts'
import { candleState } from '../../src/operators/candleState.ts'
import type { Json } from '../../src/runtime/json.ts'
import { plainState } from '../../src/runtime/state/plainState.ts'

const fixed8 = fc.bigInt({ min: 0n, max: 10n ** 26n }).map(toFixed8)
const fixed16 = fc.bigInt({ min: 0n, max: 10n ** 40n })
const count = fc.maxSafeNat()

const anyCandle: fc.Arbitrary<Candle> = fc.record({
  market: fc.constantFrom('spot', 'usdm', 'simulated'),
  symbol: fc.string(),
  interval: fc.constantFrom('1m', '5m', '1d'),
  openTime: fc.maxSafeInteger().map((time) => time + 0),
  open: fixed8,
  high: fixed8,
  low: fixed8,
  close: fixed8,
  volume: fixed8,
  quoteVolume: fixed16,
  tradeCount: count,
  takerBuyVolume: fixed8,
  takerBuyQuoteVolume: fixed16,
  vwap: fixed8,
  firstTradeId: count,
  lastTradeId: count,
  isClosed: fc.boolean(),
  revision: count,
})

const throughText = (saved: Json) => JSON.parse(JSON.stringify(saved)) as Json

test('every candle comes back from its saved text as it was', () => {
  fc.assert(
    fc.property(anyCandle, (candle) => {
      expect(candleState.decode(throughText(candleState.encode(candle)))).toEqual(candle)
    }),
  )
})

test('a candle that was saved with the names of its fields is read too', () => {
  fc.assert(
    fc.property(anyCandle, (candle) => {
      expect(candleState.decode(throughText(plainState<Candle>().encode(candle)))).toEqual(candle)
    }),
  )
})

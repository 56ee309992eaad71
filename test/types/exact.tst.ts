import {
  type Candle,
  type Fixed8,
  ohlcv,
  parseFixed8,
  rollup,
  type Trade,
  type TradeForOhlcv,
  toFixed8,
  type WindowElement,
} from 'millrace'
import type { Observable } from 'rxjs'
import { describe, expect, test } from 'tstyche'

interface FloatTrade extends Omit<TradeForOhlcv, 'price' | 'quantity'> {
  readonly price: number
  readonly quantity: number
}

declare const trades: Observable<WindowElement<Trade>>
declare const floatTrades: Observable<WindowElement<FloatTrade>>
declare const floatCandles: Observable<WindowElement<Omit<Candle, 'close'> & { readonly close: number }>>

describe('a count of 1e-8', () => {
  test('is no plain number, which might be a price', () => {
    expect<number>().type.not.toBeAssignableTo<Fixed8>()
    expect<61837.63>().type.not.toBeAssignableTo<Fixed8>()
  })

  test('is zero, a bigint, or made as one', () => {
    expect<0>().type.toBeAssignableTo<Fixed8>()
    expect<bigint>().type.toBeAssignableTo<Fixed8>()
    expect(toFixed8(6_183_763_000_000)).type.toBe<Fixed8>()
    expect(parseFixed8('61837.63') ?? 0).type.toBe<Fixed8>()
  })

  test('can be written, compared and added up as what it is', () => {
    expect<Fixed8>().type.toBeAssignableTo<number | bigint>()
  })
})

describe('operators on trades and candles', () => {
  test('take counts, and no floats', () => {
    expect(trades.pipe(ohlcv())).type.toBe<Observable<Candle>>()
    expect(floatTrades.pipe).type.not.toBeCallableWith(ohlcv())
    expect(floatCandles.pipe).type.not.toBeCallableWith(rollup())
  })
})

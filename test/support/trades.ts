import { toFixed8 } from '../../src/exact/decimal.ts'
import type { Trade } from '../../src/market/trade.ts'

/** Prices and quantities as plain counts of 1e-8. */
export type TradeParts = Partial<
  Omit<Trade, 'price' | 'quantity'> & { readonly price: number | bigint; readonly quantity: number | bigint }
>

/** A trade of symbol A at a whole price and quantity; ids follow the order of making unless told. */
export function trade(
  tradeTime: number,
  { price = 100_000_000, quantity = 100_000_000, ...over }: TradeParts = {},
): Trade {
  return {
    type: 'trade',
    market: 'spot',
    symbol: 'A',
    tradeId: tradeTime,
    price: toFixed8(price),
    quantity: toFixed8(quantity),
    tradeTime,
    isBuyerMaker: false,
    ...over,
  }
}

import type { Trade } from '../../src/market/trade.ts'

/** A trade of symbol A at a whole price and quantity; ids follow the order of making unless told. */
export function trade(tradeTime: number, over: Partial<Trade> = {}): Trade {
  return {
    type: 'trade',
    market: 'spot',
    symbol: 'A',
    tradeId: tradeTime,
    price: 100_000_000,
    quantity: 100_000_000,
    tradeTime,
    isBuyerMaker: false,
    ...over,
  }
}

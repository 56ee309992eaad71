import type { SymbolTrades } from './exchangeTrades.ts'
import { text8 } from './klines.ts'

type Level = readonly [price: bigint, quantity: bigint]

interface Book {
  /** Update id. */
  readonly id: number
  readonly bids: readonly Level[]
  readonly asks: readonly Level[]
}

const levels = 20
const unit = 100_000_000n

/** The book after so many trades: a function of them alone, so that snapshot and updates agree by construction. */
export function bookAfter({ all }: SymbolTrades, count: number): Book {
  const last = all[count - 1]
  const middle = last?.price ?? 100n * unit
  const tick = middle / 10_000n > 0n ? middle / 10_000n : 1n
  const side = (sign: bigint): readonly Level[] =>
    Array.from({ length: levels }, (_, depth): Level => {
      const price = middle + sign * tick * BigInt(depth + 1)
      return [price > 0n ? price : 1n, unit + BigInt((count * 31 + depth * 7) % 97) * (unit / 100n)]
    })
  return { id: count, bids: side(-1n), asks: side(1n) }
}

export function levelTexts(side: readonly Level[], limit = levels): readonly (readonly [string, string])[] {
  return side.slice(0, limit).map(([price, quantity]) => [text8(price), text8(quantity)])
}

/** What makes the book after `count` trades of the one before; quantity 0 takes a level away. */
export function bookChange(trades: SymbolTrades, count: number): Pick<Book, 'bids' | 'asks'> {
  const [before, after] = [bookAfter(trades, count - 1), bookAfter(trades, count)]
  return { bids: sideChange(before.bids, after.bids), asks: sideChange(before.asks, after.asks) }
}

function sideChange(before: readonly Level[], after: readonly Level[]): readonly Level[] {
  const old = new Map(before)
  const now = new Map(after)
  const gone = before.filter(([price]) => !now.has(price)).map(([price]): Level => [price, 0n])
  return [...gone, ...after.filter(([price, quantity]) => old.get(price) !== quantity)]
}

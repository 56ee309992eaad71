import { fields, type Lent } from '../runtime/spans/lent.ts'

/** Trades that are lent, a column a field, by record. */
export interface TradeColumns {
  readonly price: Float64Array
  readonly quantity: Float64Array
  readonly tradeTime: Float64Array
  readonly tradeId: Float64Array
  /** 0 and 1. */
  readonly isBuyerMaker: Float64Array
}

/** Finds the columns of whoever lends trades, and remembers those of the last one. */
export class TradesInColumns {
  #lender: Lent<unknown> | null = null
  #columns: TradeColumns | null = null

  /** Null where the trades lie in none. */
  of(lender: Lent<unknown>): TradeColumns | null {
    if (lender !== this.#lender) {
      this.#lender = lender
      this.#columns = columnsOf(lender)
    }
    return this.#columns
  }
}

function columnsOf(lender: Lent<unknown>): TradeColumns | null {
  const columns = lender[fields]
  const column = (name: keyof TradeColumns, kind: 'numbers' | 'flags'): Float64Array | null => {
    const one = columns?.[name]
    return one?.kind === 'numbers' || one?.kind === 'flags' ? (one.kind === kind ? one.numbers : null) : null
  }
  const price = column('price', 'numbers')
  const quantity = column('quantity', 'numbers')
  const tradeTime = column('tradeTime', 'numbers')
  const tradeId = column('tradeId', 'numbers')
  const isBuyerMaker = column('isBuyerMaker', 'flags')
  if (price === null || quantity === null || tradeTime === null || tradeId === null || isBuyerMaker === null)
    return null
  return { price, quantity, tradeTime, tradeId, isBuyerMaker }
}

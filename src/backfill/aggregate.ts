/** Trades of one taker order at one price and time, as one: what an exchange calls an aggregate. A single trade is one of itself. */
export interface Aggregate {
  readonly firstId: number
  readonly lastId: number
  /** Counts of 1e-8. */
  readonly price: bigint
  /** Counts of 1e-8. */
  readonly quantity: bigint
  readonly isBuyerMaker: boolean
}

import { addFixed8, type Fixed8, subFixed8 } from '../../exact/decimal.ts'

/** The closes of the last candles, oldest first, and their exact sum. */
export interface Closes {
  readonly closes: readonly Fixed8[]
  readonly sum: Fixed8
}

export const noCloses: Closes = { closes: [], sum: 0 }

/** With one more close, and without the oldest where there are more than `period`. */
export function withClose({ closes, sum }: Closes, close: Fixed8, period: number): Closes {
  const grown = addFixed8(sum, close)
  if (closes.length < period) return { closes: [...closes, close], sum: grown }
  return { closes: [...closes.slice(1), close], sum: subFixed8(grown, closes[0] as Fixed8) }
}

/** The mean of the closes as a price: one division of the exact sum. */
export function meanOf({ closes, sum }: Closes): number {
  return Number(sum) / (closes.length * 1e8)
}

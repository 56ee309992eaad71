/**
 * A mean in which what came last weighs most. It starts as the mean of the first `period` values.
 * @see "TA-Lib, ta_EMA.c: the seed is the simple average, the compatibility with Metastock is off"
 */
export interface Exponential {
  /** How many of the first values have come; `period` at most. */
  readonly count: number
  /** The sum of the first values while there are fewer than `period`, the mean from then on. */
  readonly value: number
}

export const noExponential: Exponential = { count: 0, value: 0 }

/** With one more value; the newest weighs 2 / (period + 1). */
export function withValue({ count, value }: Exponential, newest: number, period: number): Exponential {
  if (count === period) return { count, value: value + (newest - value) * (2 / (period + 1)) }
  const sum = value + newest
  return count + 1 < period ? { count: count + 1, value: sum } : { count: period, value: sum / period }
}

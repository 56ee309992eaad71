/**
 * Wilder's mean, in which the newest value weighs 1 / period. It starts as the mean of the first `period` values.
 * @see "J. Welles Wilder, New Concepts in Technical Trading Systems (1978)"
 */
export function wilder(mean: number, newest: number, period: number): number {
  return (mean * (period - 1) + newest) / period
}

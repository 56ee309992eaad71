/** When live trades are due: trade 0 at `from`, the others evenly after it. */
export interface Schedule {
  readonly rate: number
  /** ms of the wall clock, with fractions. */
  readonly from: number
}

export function dueAt({ rate, from }: Schedule, index: number): number {
  return from + (index * 1_000) / rate
}

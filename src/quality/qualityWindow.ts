/** That are judged at once. */
export const mostWindows = 100_000

/** Rows that are judged together: those of one key, in a length of time. */
export interface QualityWindow {
  /** A value for each column of the quality's `by`. */
  readonly key: Readonly<Record<string, string | number | boolean>>
  /** ms UTC, inclusive. */
  readonly from: number
  /** ms UTC, exclusive. */
  readonly to: number
}

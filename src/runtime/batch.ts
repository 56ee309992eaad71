/** Several values in one, as `batchFlush` makes them. What `map`, `filter` and `slice` make of a batch is one again; any other array is a value. */
export class Batch<T> extends Array<T> {
  /** Never there: it has the compiler tell a batch from an array. */
  declare protected readonly isBatch: true
}

/**
 * The index of the first item that is not `before`, of items that begin with those that are; their number where all are.
 * @param from where to begin
 */
export function firstNot<T>(items: readonly T[], before: (item: T) => boolean, from = 0): number {
  let [low, high] = [from, items.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (before(items[middle] as T)) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * The key of a value, as `by` gives it.
 * @throws TypeError where it is no text
 */
export function keyOf<T>(by: (value: T) => string, value: T): string {
  const key = by(value)
  if (typeof key !== 'string') throw new TypeError(`by must give a text, got ${String(key)}`)
  return key
}

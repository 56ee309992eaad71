import { refusePromise } from '../runtime/atOnce.ts'

/**
 * The key of a value, as `by` gives it.
 * @param name of the operator
 * @throws TypeError where it is no text, and OperatorError where it is a promise
 */
export function keyOf<T>(by: (value: T) => string, value: T, name: string): string {
  const key = by(value)
  if (typeof key === 'string') return key
  refusePromise(`${name}: by`, key)
  throw new TypeError(`by must give a text, got ${String(key)}`)
}

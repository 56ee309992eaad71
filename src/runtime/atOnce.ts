import { OperatorError } from './errors.ts'

/** Whether it is a promise, of whatever kind. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

/**
 * Refuses a promise as the result of a function of the user's own, which is wrong for every value and not for this one.
 * @param place the operator's name and that of the function, as in "paid: with"
 * @throws OperatorError
 */
export function refusePromise(place: string, result: unknown): void {
  if (!isPromise(result)) return
  // Who gave it is told below; that it may be rejected as well must not end the process before.
  Promise.resolve(result).catch(() => undefined)
  throw new OperatorError(
    `${place} must give its result at once, got a promise. Put mapAsync above for asynchronous work.`,
  )
}

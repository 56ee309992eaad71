import { OperatorError, StateMismatchError } from '../errors.ts'

/** Runs code of the operator or of its codec, and says whose it was if it throws. */
export function naming<T>(operator: string, what: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    if (error instanceof StateMismatchError) throw error
    throw new OperatorError(`${operator} ${what}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}

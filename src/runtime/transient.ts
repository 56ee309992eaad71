import { MillraceError, RetryableError } from './errors.ts'

/** Codes of the system, the resolver and fetch that say that somebody else was away for a moment. */
const codes = /^(ECONN|EPIPE$|ETIMEDOUT$|EHOSTUNREACH$|ENETUNREACH$|ENETDOWN$|ENOTFOUND$|EAI_AGAIN$|UND_ERR_)/
const names = ['TimeoutError', 'AbortError']

/** The error as one to try again after, where it or a cause of it says that a service could not be reached; otherwise as it is. */
export function asRetryable(error: unknown, doing: string): unknown {
  if (error instanceof MillraceError || !isTransient(error)) return error
  return new RetryableError(`${doing}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
}

/** True where the error or a cause of it says that a service could not be reached. */
export function isTransient(error: unknown): boolean {
  for (let one = error, depth = 0; one instanceof Error && depth < 5; one = one.cause, depth++) {
    if (names.includes(one.name)) return true
    if (codes.test(String((one as { readonly code?: unknown }).code ?? ''))) return true
  }
  return false
}

import { ConfigurationError, type ErrorPlace, MillraceError, RetryableError } from '../../../runtime/errors.ts'
import { closedHint, NO_SASL_THERE, tlsRemedy } from '../connectionRemedy.ts'
import { ConnectionFailure } from '../protocol/connectionFailure.ts'

/** What a connection fails with, and what is behind that: of Node with a code, of a broker with a name. */
interface Failure extends Error {
  readonly code?: string
  readonly apiId?: string
  readonly errors?: readonly unknown[]
}

const FORBIDDEN = /_AUTHORIZATION_FAILED$/

/** The first protocol error among `error` and what it wraps, by its name; null when there is none. */
export function protocolErrorIn(error: unknown): string | null {
  return protocolErrorsIn(error)[0] ?? null
}

/** All of them: an answer about several partitions may hold several, and the first need not be the one that says why. */
export function protocolErrorsIn(error: unknown): string[] {
  return flattened(error).flatMap(({ apiId }) => (apiId === undefined ? [] : [apiId]))
}

/**
 * An error of a connection as one of ours: refused credentials, certificates and rights are a matter of configuration until a broker has once
 * accepted them, and from then on something that may pass; all else may pass.
 */
export function kafkaTrouble(error: unknown, doing: string, place: ErrorPlace, wasAccepted: boolean): MillraceError {
  if (error instanceof RetryableError && error.partition === undefined && place.partition !== undefined) {
    return new RetryableError(error.message, { ...place, cause: error.cause })
  }
  if (error instanceof MillraceError) return error
  const all = flattened(error)
  const options = { ...place, cause: error }
  const remedy = remedyFor(all)
  const said = new Set(all.map(({ message }) => message.replace(/\.?\s*$/, '')))
  const what = `Kafka: could not ${doing}: ${[...said].join(': ')}.`
  if (remedy === null) return new RetryableError(`${what} It is tried again.${closedHint(all, wasAccepted)}`, options)
  if (!wasAccepted) return new ConfigurationError(`${what} ${remedy}`, options)
  return new RetryableError(
    `${what} It worked before, so it is tried again. If it has expired or was changed: ${remedy}`,
    options,
  )
}

function remedyFor(all: readonly Failure[]): string | null {
  const tls = tlsRemedy(all)
  if (tls !== null) return tls
  if (all.some(({ apiId }) => apiId === 'ILLEGAL_SASL_STATE')) return NO_SASL_THERE
  if (all.some(({ apiId }) => apiId === 'UNSUPPORTED_SASL_MECHANISM')) return 'Check kafka.sasl.mechanism.'
  // A connection that ends in mid-login is no word on the credentials.
  const failures = all.filter((one) => one instanceof ConnectionFailure)
  const isLogin = failures.some(({ kind }) => kind === 'login')
  if (isLogin && failures.every(({ kind }) => kind === 'login')) {
    return 'Check kafka.sasl (mechanism, username, password).'
  }
  const forbidden = all.find(({ apiId }) => apiId !== undefined && FORBIDDEN.test(apiId))
  return forbidden === undefined ? null : 'Grant the right to the user of kafka.sasl, or name another topic or group.'
}

function flattened(error: unknown, depth = 0): Failure[] {
  if (!(error instanceof Error) || depth > 5) return []
  const { errors, cause } = error as Failure
  return [
    error as Failure,
    ...(errors ?? []).flatMap((inner) => flattened(inner, depth + 1)),
    ...flattened(cause, depth + 1),
  ]
}

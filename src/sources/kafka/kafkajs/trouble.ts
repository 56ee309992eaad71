import { ConfigurationError, type ErrorPlace, MillraceError, RetryableError } from '../../../runtime/errors.ts'
import { closedHint, NO_SASL_THERE, tlsRemedy } from '../connectionRemedy.ts'

interface LibraryError extends Error {
  /** The protocol's name of the error. */
  readonly type?: string
  /** Of the operating system, or of OpenSSL. */
  readonly code?: string | number
}

const SASL_WORDS = /SASL|authentication/i

/** The protocol's name of what went wrong, or null. */
export function protocolErrorOf(error: unknown): string | null {
  for (const found of chain(error)) if (found.type !== undefined) return found.type
  return null
}

/**
 * An error of kafkajs as one of ours: refused credentials, certificates and rights are a matter of configuration until a broker has once
 * accepted them, and from then on something that may pass; all else may pass.
 */
export function kafkajsTrouble(error: unknown, doing: string, place: ErrorPlace, wasAccepted: boolean): MillraceError {
  if (error instanceof MillraceError) return error
  const all = chain(error)
  const said = [...new Set(all.map(({ message }) => message.replace(/^(\w+: )+/, '').trim()))].join(': ')
  const what = `Kafka: could not ${doing}: ${said}.`
  const options = { ...place, cause: error }
  const remedy = remedyFor(all)
  if (remedy === null) return new RetryableError(`${what} It is tried again.${closedHint(all, wasAccepted)}`, options)
  if (!wasAccepted) return new ConfigurationError(`${what} ${remedy}`, options)
  return new RetryableError(
    `${what} It worked before, so it is tried again. If it has expired or was changed: ${remedy}`,
    options,
  )
}

function remedyFor(all: readonly LibraryError[]): string | null {
  const tls = tlsRemedy(all)
  if (tls !== null) return tls
  if (all.some(({ type }) => type === 'ILLEGAL_SASL_STATE')) return NO_SASL_THERE
  if (all.some(({ type }) => type === 'UNSUPPORTED_SASL_MECHANISM')) return 'Check kafka.sasl.mechanism.'
  if (all.some(({ name, message }) => name === 'KafkaJSSASLAuthenticationError' || SASL_WORDS.test(message))) {
    return 'Check kafka.sasl (mechanism, username, password).'
  }
  if (all.some(({ type }) => type?.endsWith('_AUTHORIZATION_FAILED') === true)) {
    return 'Grant the right to the user of kafka.sasl, or name another topic or group.'
  }
  return null
}

function chain(error: unknown): LibraryError[] {
  const found: LibraryError[] = []
  for (let next = error; next instanceof Error && found.length < 6; next = next.cause) found.push(next)
  return found
}

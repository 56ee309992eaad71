/** What of an error, or of one that it wraps, tells why a connection failed. */
interface Failure {
  readonly message: string
  /** Of Node, of OpenSSL or of the client library. */
  readonly code?: string | number
}

/** First match wins. Both clients pass on what Node and OpenSSL say, in the code or in the message alone. */
const TLS_REMEDIES: readonly (readonly [RegExp, string])[] = [
  [/requires TLS/, 'Set kafka.ssl (KAFKA_SSL=true), or name a listener without TLS in kafka.brokers.'],
  [
    /ALTNAME_INVALID|certificate's altnames/,
    'Name the brokers in kafka.brokers as their certificates do, or give the name of the certificate in kafka.ssl.servername.',
  ],
  [
    /CERT_HAS_EXPIRED|CERT_NOT_YET_VALID|has expired|not yet valid/,
    'Renew the certificate of the broker, or set the clock of this machine right.',
  ],
  [
    /UNABLE_TO_(VERIFY|GET_ISSUER)|SELF_SIGNED|self.signed|unable to (verify|get)|certificate signature failure/,
    'Set kafka.ssl.ca (KAFKA_SSL_CA) to the certificate of the authority that has signed that of the broker.',
  ],
  [
    /alert.(bad certificate|certificate|unknown ca|handshake failure|access denied)|ALERT_(BAD_CERT|CERT|UNKNOWN_CA|HANDSHAKE)/i,
    'The broker takes only clients with a certificate that it trusts: set kafka.ssl.cert and kafka.ssl.key (KAFKA_SSL_CERT, KAFKA_SSL_KEY) to such a one.',
  ],
  [
    /wrong version number|packet length too long/i,
    'The listener does not speak TLS: unset kafka.ssl (KAFKA_SSL), or name one in kafka.brokers that does.',
  ],
  [
    /SSL routines|x509|ERR_(TLS|SSL|OSSL)/i,
    'Check kafka.ssl (ca, servername, cert and key) and the TLS versions of the listener.',
  ],
]
/** What a listener without SASL means when it calls a login out of place. */
export const NO_SASL_THERE =
  'The listener takes no credentials: unset kafka.sasl (KAFKA_SASL_*), or name one in kafka.brokers that does.'
const CLOSED = /closed|ECONNRESET|socket hang up|before secure TLS connection/i

/** What to correct where TLS failed for a reason that does not pass by itself; null for any other trouble. */
export function tlsRemedy(failures: readonly Failure[]): string | null {
  const said = failures.map(({ code, message }) => `${code} ${message}`).join('\n')
  return TLS_REMEDIES.find(([pattern]) => pattern.test(said))?.[1] ?? null
}

/**
 * A word on connections that a broker closes before it has ever answered: it may be starting or ending, and it is also all that a listener says to a
 * client without the TLS or the credentials that it wants, or with TLS that it does not speak.
 */
export function closedHint(failures: readonly Failure[], wasAccepted: boolean): string {
  const isClosed = failures.some(({ code, message }) => CLOSED.test(`${code} ${message}`))
  if (wasAccepted || !isClosed) return ''
  return ' If it goes on, the listener may want something else: see whether it speaks TLS (kafka.ssl, KAFKA_SSL) and whether it wants credentials (kafka.sasl).'
}

import { ConfigurationError, MillraceError, RetryableError } from '../../runtime/errors.ts'
import { Silence } from '../../runtime/firstWords.ts'

/** What the SDK says about a refused or failed request, as far as it is known. */
export interface S3Failure {
  /** S3's error code (`NoSuchBucket`), the system's (`ECONNREFUSED`) or the SDK's name of the error. */
  readonly code: string
  /** HTTP status, or 0 where there was no answer. */
  readonly status: number
  readonly message: string
}

const CHECK_CREDENTIALS = 'check the access key and the secret (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)'
const CHECK_RIGHTS = `${CHECK_CREDENTIALS}, and that they may list, read and write this prefix`
const CHECK_CERTIFICATE =
  'the certificate of the endpoint is not trusted; name the endpoint (AWS_ENDPOINT_URL_S3) as its certificate does, and give Node its authority (NODE_EXTRA_CA_CERTS)'

/** What a human can do about what may pass by itself. */
const PASSING: Readonly<Record<string, string>> = {
  RequestTimeTooSkewed: 'the clock of this machine is wrong; set it (NTP)',
  QuotaExceeded: 'the store is full; free some space or raise its quota',
  StorageFull: 'the store is full; free some space',
  SlowDown: 'the store asks to be asked less often',
  ServiceUnavailable: 'the store is not available at the moment',
  ECONNREFUSED: 'connection refused; is the store running, and is the endpoint (AWS_ENDPOINT_URL_S3) right?',
  ENOTFOUND:
    'the name of the endpoint cannot be resolved; check the endpoint (AWS_ENDPOINT_URL_S3, AWS_REGION) and the network',
  TimeoutError: 'no answer in time; is it a store that listens there (AWS_ENDPOINT_URL_S3), and is it well?',
}

/**
 * What a human has to change. Until the store has done anything for these settings they are wrong; from then on somebody may have changed a policy or
 * a key over there, and may change it back.
 */
const REFUSALS: Readonly<Record<string, string>> = {
  NoSuchBucket: 'the bucket does not exist; create it (millrace buckets create), or set the name of one that does',
  InvalidAccessKeyId: `the store does not know the access key id; ${CHECK_CREDENTIALS}`,
  SignatureDoesNotMatch: `the store refuses the signature; ${CHECK_CREDENTIALS}`,
  InvalidToken: 'the store does not take the session token; check AWS_SESSION_TOKEN',
  AccessDenied: `the store refuses access; ${CHECK_RIGHTS}`,
  Forbidden: `the store refuses access; ${CHECK_RIGHTS}`,
  ExpiredToken: 'the credentials have expired; renew them',
  CredentialsProviderError:
    'no credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile (AWS_PROFILE)',
  EPROTO: 'the endpoint does not speak TLS; begin AWS_ENDPOINT_URL_S3 with http://, or name a port that does',
  DEPTH_ZERO_SELF_SIGNED_CERT: CHECK_CERTIFICATE,
  SELF_SIGNED_CERT_IN_CHAIN: CHECK_CERTIFICATE,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: CHECK_CERTIFICATE,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: CHECK_CERTIFICATE,
  CERT_HAS_EXPIRED: CHECK_CERTIFICATE,
  ERR_TLS_CERT_ALTNAME_INVALID: CHECK_CERTIFICATE,
}

/** Problems that stay until a setting is changed. */
const SETTINGS: Readonly<Record<string, string>> = {
  PermanentRedirect: 'the bucket is in another region; set that region (AWS_REGION)',
  AuthorizationHeaderMalformed: 'the store expects another region; set that region (AWS_REGION)',
  IllegalLocationConstraintException: 'the store expects another region; set that region (AWS_REGION)',
  RegionMissing: 'no region is set; set AWS_REGION to that of the bucket (us-east-1 for most stores that are not AWS)',
  InvalidBucketName: 'that is not a valid bucket name; set another',
  KeyTooLongError: 'the key is too long; use a shorter prefix',
}

/** Of what a store says, so that a page of HTML does not fill the screen. */
const MOST_WORDS = 300

/** What the SDK says where it knows nothing. */
const nameless = ['Error', 'Unknown', 'UnknownError']

export function failureOf(error: unknown): S3Failure {
  const { name, message, code, Code, $metadata } = error as {
    name?: string
    message?: string
    code?: string
    Code?: string
    $metadata?: { httpStatusCode?: number }
  }
  const status = $metadata?.httpStatusCode ?? 0
  const known = [Code, code, name].find((each) => each !== undefined && !nameless.includes(each))
  // The SDK has no name of its own for this one.
  if (message === 'Region is missing') return { code: 'RegionMissing', status, message }
  const words = message === undefined || message === '' ? 'no further words' : message
  // A HEAD request is refused without a body, so the SDK knows no code.
  return { code: known ?? (status === 403 ? 'Forbidden' : 'unknown error'), status, message: words }
}

/**
 * The failure as the error that says what the runner does about it, with the words of the server; free of credentials.
 * @param wasAccepted whether the store has ever done what it was asked with these settings
 */
export function s3Error(what: string, error: unknown, wasAccepted: boolean): Error {
  if (error instanceof MillraceError) return error
  const failure = failureOf(error)
  const { code, status } = failure
  const message = failure.message.replaceAll(/\s+/g, ' ').slice(0, MOST_WORDS)
  const detail = status === 0 ? `(${code}: ${message})` : `(${code}, HTTP ${status}: ${message})`
  // Not the SDK's own error: it holds the whole request, whose headers carry session tokens.
  const cause = isSilence(failure) ? new Silence('the endpoint') : new Error(`${code}: ${message}`)
  const refusal = refusalOf(failure)
  const setting = SETTINGS[code] ?? (wasAccepted ? undefined : refusal)
  if (setting !== undefined) return new ConfigurationError(`${what}: ${setting} ${detail}`, { cause })
  const remedy = refusal ?? PASSING[code]
  return new RetryableError(remedy === undefined ? `${what}: ${detail}` : `${what}: ${remedy} ${detail}`, { cause })
}

/** A connection that was made and on which nothing comes; one that could not be made is something else. */
function isSilence({ code, message }: S3Failure): boolean {
  return code === 'TimeoutError' && /socket timed out|inactivity/.test(message)
}

/** Also of servers that have codes of their own: no repeat changes what they call a mistake of the client. */
function refusalOf(failure: S3Failure): string | undefined {
  const { code, status } = failure
  if (isTlsAnswer(failure)) return HTTPS_WANTED
  if (code.startsWith('HPE_')) return NO_HTTP
  if (REFUSALS[code] !== undefined) return REFUSALS[code]
  if (PASSING[code] !== undefined || !CLIENT_MISTAKES.has(status)) return undefined
  return 'the store refuses it; check the endpoint (AWS_ENDPOINT_URL_S3), the bucket, the credentials and their rights'
}

const CLIENT_MISTAKES: ReadonlySet<number> = new Set([400, 401, 403, 404, 405, 501])
const NO_HTTP = 'what answers at the endpoint does not speak HTTP; correct AWS_ENDPOINT_URL_S3'
const HTTPS_WANTED = 'the endpoint speaks TLS; begin AWS_ENDPOINT_URL_S3 with https://'

/** For an endpoint without TLS that hangs up: those for TLS say nothing, or nothing that is HTTP. */
export const TLS_THERE = {
  code: 'TlsThere',
  status: 0,
  message: 'it hangs up on a request without TLS, and answers one with it',
}

/** What servers for TLS say to a request without it, in words of HTTP. */
function isTlsAnswer({ status, message, code }: S3Failure): boolean {
  return code === TLS_THERE.code || (status === 400 && /HTTP request (was sent )?to (an )?HTTPS/i.test(message))
}

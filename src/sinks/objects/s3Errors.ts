import { ConfigurationError, MillraceError, RetryableError } from '../../runtime/errors.ts'

/** What the SDK says about a refused or failed request, as far as it is known. */
export interface S3Failure {
  /** S3's error code (`NoSuchBucket`), the system's (`ECONNREFUSED`) or the SDK's name of the error. */
  readonly code: string
  /** HTTP status, or 0 where there was no answer. */
  readonly status: number
  readonly message: string
}

const CHECK_CREDENTIALS = 'check the access key and the secret'

/**
 * What a human can do. Waited out all the same, because a bucket can be made and a policy changed while the pipeline
 * waits.
 */
const REMEDIES: Readonly<Record<string, string>> = {
  NoSuchBucket: 'the bucket does not exist; create it, or set the name of one that does',
  InvalidAccessKeyId: `the store does not know the access key id; ${CHECK_CREDENTIALS}`,
  SignatureDoesNotMatch: `the store refuses the signature; ${CHECK_CREDENTIALS}`,
  AccessDenied: `the store refuses access; ${CHECK_CREDENTIALS}, and that they may list, read and write this prefix`,
  Forbidden: `the store refuses access; ${CHECK_CREDENTIALS}, and that they may list, read and write this prefix`,
  ExpiredToken: 'the credentials have expired; renew them',
  RequestTimeTooSkewed: 'the clock of this machine is wrong; set it (NTP)',
  CredentialsProviderError: 'no credentials were found; set an access key and a secret, or a profile',
  QuotaExceeded: 'the store is full; free some space or raise its quota',
  StorageFull: 'the store is full; free some space',
  SlowDown: 'the store asks to be asked less often',
  ServiceUnavailable: 'the store is not available at the moment',
  ECONNREFUSED: 'connection refused; is the store running, and is the endpoint right?',
  ENOTFOUND: 'the name of the endpoint cannot be resolved; check the endpoint and the network',
  TimeoutError: 'no answer in time',
}

/** Problems that stay until a setting is changed. */
const SETTINGS: Readonly<Record<string, string>> = {
  PermanentRedirect: 'the bucket is in another region; set that region',
  AuthorizationHeaderMalformed: 'the store expects another region; set that region',
  IllegalLocationConstraintException: 'the store expects another region; set that region',
  RegionMissing: 'no region is set; set AWS_REGION to that of the bucket (us-east-1 for most stores that are not AWS)',
  InvalidBucketName: 'that is not a valid bucket name; set another',
  KeyTooLongError: 'the key is too long; use a shorter prefix',
}

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

/** The failure as the error that says what the runner does about it; free of credentials. */
export function s3Error(what: string, error: unknown): Error {
  if (error instanceof MillraceError) return error
  const failure = failureOf(error)
  const { code, status, message } = failure
  const detail = status === 0 ? `(${code})` : `(${code}, HTTP ${status})`
  // Not the SDK's own error: it holds the whole request, whose headers carry session tokens.
  const cause = new Error(`${code}: ${message}`)
  const setting = SETTINGS[code]
  if (setting !== undefined) return new ConfigurationError(`${what}: ${setting} ${detail}`, { cause })
  return new RetryableError(`${what}: ${REMEDIES[code] ?? message} ${detail}`, { cause })
}

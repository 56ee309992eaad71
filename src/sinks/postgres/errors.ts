import {
  ConfigurationError,
  type ErrorPlace,
  MillraceError,
  OperatorError,
  RetryableError,
} from '../../runtime/errors.ts'
import { shownText } from '../../runtime/shownText.ts'
import { isTransient } from '../../runtime/transient.ts'
import { sessionPoolingRemedy } from './poolerRemedy.ts'

/** What PostgreSQL says about an error, beyond the message. */
interface ServerError {
  readonly message: string
  readonly code?: string
  readonly table?: string
  readonly column?: string
  readonly constraint?: string
  readonly detail?: string
}

// SQLSTATE classes (PostgreSQL manual, appendix A) and single codes after which the same statement may well succeed.
const passingClasses = new Set(['08', '40', '53', '55', '57', '58', 'XX'])
/** Of statements that another session had prepared. */
const preparedStatementCodes = new Set(['26000', '42P05'])
const passingCodes = new Set(['25006', '25P02', '25P03', '25P04'])

// What the client finds wrong before the server could: a password that is missing or cannot be the right one, and TLS that the two disagree on.
const saslTrouble = /^SASL: |password must be a (non-empty )?string/i
const tlsTrouble = /does not support SSL|self.signed certificate/
// What a pooler says under the code of a broken connection, although the same connection is refused again.
const poolerRefusals: readonly (readonly [RegExp, string])[] = [
  [
    /unsupported startup parameter/,
    'the address leads to a pooler that does not take it: leave it out of DATABASE_URL and PGOPTIONS, or name it in ignore_startup_parameters of PgBouncer',
  ],
  [/SASL authentication failed|password authentication failed|no such user|auth failed/i, 'check user and password'],
  [/database ".*" does not exist|no such database/i, databaseRemedy()],
]
// Bytes that were damaged on their way, or a server that fails, are over with the connection.
const tlsCodes =
  /^(CERT_|ERR_TLS_|ERR_SSL_(?!.*(BAD_RECORD_MAC|INTERNAL_ERROR))|UNABLE_TO_(GET|VERIFY)_|SELF_SIGNED_|DEPTH_ZERO_)/

// Those of the network and of Node itself have a code, or a cause that has one, as the TypeError of `fetch` has.
const programErrors = [RangeError, TypeError, ReferenceError, SyntaxError]

/**
 * The error as the runner understands it. Connection lost, timeout, restart, disk full, deadlock: `RetryableError`, which also says that it is
 * unknown whether the work was stored. Wrong table, column, type, value or password: `ConfigurationError`, since the same
 * statement fails again. What a program throws by mistake while it uses the database: `OperatorError`; where a service was away that it asked meanwhile, `RetryableError`. Errors of ours pass through.
 *
 * @param doing what was tried, as in "commit checkpoint 120 of realtime trades/3"
 */
export function asMillraceError(error: unknown, doing: string, place: ErrorPlace = {}): MillraceError {
  if (error instanceof MillraceError) return error
  const options = { ...place, cause: error }
  const { message, code } = describe(error)
  const mistake = mistakeOf(message, code)
  if (mistake !== null) return new ConfigurationError(`could not ${doing}: ${message}; ${mistake}`, options)
  if (code === undefined && programErrors.some((kind) => error instanceof kind)) {
    if (isTransient(error)) {
      const { cause } = error as Error
      return new RetryableError(`could not ${doing}: ${message}: ${describe(cause).message}`, options)
    }
    return new OperatorError(
      `could not ${doing}: ${message}; this is a mistake in the program, and not of PostgreSQL`,
      options,
    )
  }
  const isSqlState = code !== undefined && /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]{4}$/.test(code)
  if (!isSqlState) {
    return new RetryableError(
      `could not ${doing}: ${message}; PostgreSQL is not reachable, or did not answer in time`,
      options,
    )
  }
  if (passingClasses.has(code.slice(0, 2)) || passingCodes.has(code)) {
    return new RetryableError(`could not ${doing}: ${message} (${code})${remedyOf(code)}`, options)
  }
  const { table, column, constraint, detail } = shownParts(error as ServerError)
  const where = [
    table === undefined ? null : `table ${table}`,
    column === undefined ? null : `column ${column}`,
    constraint === undefined ? null : `constraint ${constraint}`,
  ].filter((part) => part !== null)
  const location = where.length === 0 ? '' : `, ${where.join(', ')}`
  return new ConfigurationError(
    `could not ${doing}: ${message} (${code}${location})${detail === undefined ? '' : `: ${detail}`}${remedyOf(code)}`,
    options,
  )
}

function describe(error: unknown): { message: string; code: string | undefined } {
  if (!(error instanceof Error)) return { message: String(error), code: undefined }
  // Node gives several failed attempts to connect (IPv6, IPv4) as one error without a message.
  const first = error instanceof AggregateError ? (error.errors[0] as Error | undefined) : undefined
  return { message: shownText(error.message || first?.message || error.name), code: (error as ServerError).code }
}

/** A server's words may hold anything, also what would steer a terminal. */
function shownParts(error: ServerError): Omit<ServerError, 'message' | 'code'> {
  const names = ['table', 'column', 'constraint', 'detail'] as const
  return Object.fromEntries(
    names.flatMap((name) => (error[name] === undefined ? [] : [[name, shownText(error[name])]])),
  )
}

function mistakeOf(message: string, code: string | undefined): string | null {
  if (saslTrouble.test(message)) return 'check user and password'
  if (tlsTrouble.test(message) || tlsCodes.test(code ?? '')) return 'check sslmode and the certificates'
  if (code === '08P01') return poolerRefusals.find(([pattern]) => pattern.test(message))?.[1] ?? null
  if (preparedStatementCodes.has(code ?? '')) {
    return `between this program and PostgreSQL is a pooler that shares sessions: ${sessionPoolingRemedy}`
  }
  return null
}

function remedyOf(code: string): string {
  if (code === '53100') return '; the database has no disk space left: free some, then it goes on by itself'
  if (code === '53300') return '; the database has no connection left: raise max_connections or end other clients'
  if (code === '55P03')
    return '; another session keeps a lock on the table: end its transaction, then it goes on by itself'
  if (code === '42P01' || code === '42703' || code === '42P10') {
    return '; run `millrace migrate` for the tables of millrace, and `ensureTables` for those of a pipeline: it says what they lack'
  }
  if (code === '28P01' || code === '28000') return '; check user and password'
  if (code === '3D000') return `; ${databaseRemedy()}`
  if (code === '42501') {
    return '; the role of the address lacks the right: its owner can grant it, and docs/run/deployment.md lists what a role needs'
  }
  return ''
}

function databaseRemedy(): string {
  return 'correct the name in DATABASE_URL, or make it with `createdb --encoding UTF8 --template template0 NAME`'
}

import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { ConfigurationError, OperatorError, RetryableError, TaskFencedError } from '../../../src/runtime/errors.ts'
import { asMillraceError } from '../../../src/sinks/postgres/errors.ts'

function serverError(code: string, fields: Partial<pg.DatabaseError> = {}): pg.DatabaseError {
  return Object.assign(new pg.DatabaseError('said so', 0, 'error'), { code, ...fields })
}

describe('asMillraceError', () => {
  it.each(['08006', '40001', '40P01', '53100', '53300', '55P03', '57014', '57P01', '57P03', '58030', '25P03', 'XX000'])(
    'lets %s be tried again',
    (code) => {
      expect(asMillraceError(serverError(code), 'commit')).toBeInstanceOf(RetryableError)
    },
  )

  it.each(['22003', '22P02', '23502', '23514', '28P01', '3D000', '42501', '42703', '42P01', '42P10'])(
    'stops at %s, which would happen again',
    (code) => {
      expect(asMillraceError(serverError(code), 'commit')).toBeInstanceOf(ConfigurationError)
    },
  )

  it.each(['42P01', '42703', '42P10'])('says at %s what finds out which tables lack what', (code) => {
    expect(asMillraceError(serverError(code), 'commit').message).toMatch(/`millrace migrate` .* `ensureTables`/)
  })

  it('names what was tried, where, table and column', () => {
    const cause = serverError('23502', { table: 'fact', column: 'open', detail: 'Failing row' })
    const error = asMillraceError(cause, 'commit realtime trades/3', { topic: 'trades', partition: 3 })
    expect(error.message).toBe(
      'could not commit realtime trades/3: said so (23502, table fact, column open): Failing row',
    )
    expect(error).toMatchObject({ topic: 'trades', partition: 3, cause })
  })

  it('takes every failure of the connection as unknown and to be tried again', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
    for (const cause of [refused, new Error('Connection terminated unexpectedly'), new Error('Query read timeout')]) {
      expect(asMillraceError(cause, 'commit')).toBeInstanceOf(RetryableError)
    }
    const both = new AggregateError([refused])
    expect(asMillraceError(both, 'commit').message).toContain('connect ECONNREFUSED')
    const broken = ['ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC', 'ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC']
    for (const code of ['EPIPE', 'ECONNRESET', ...broken]) {
      expect(asMillraceError(Object.assign(new Error('x'), { code }), 'commit')).toBeInstanceOf(RetryableError)
    }
  })

  it.each([new RangeError('Division by zero'), new TypeError('x is not a function'), new SyntaxError('in JSON')])(
    'stops at %s, which is no failure of the database and would happen again',
    (cause) => {
      const error = asMillraceError(cause, 'make a batch pass')
      expect(error).toBeInstanceOf(OperatorError)
      expect(error.message).toBe(
        `could not make a batch pass: ${cause.message}; this is a mistake in the program, and not of PostgreSQL`,
      )
      expect(error.cause).toBe(cause)
    },
  )

  it('lets be tried again what a service that was away has to do with, such as a store that is asked by fetch', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:9'), { code: 'ECONNREFUSED' })
    const ended = Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' })
    for (const cause of [refused, ended]) {
      const error = asMillraceError(new TypeError('fetch failed', { cause }), 'run a batch pass')
      expect(error).toBeInstanceOf(RetryableError)
      expect(error.message).toBe(`could not run a batch pass: fetch failed: ${cause.message}`)
    }
  })

  it.each([
    ['Password must be a string', undefined, 'user and password'],
    ['SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a non-empty string', undefined, 'user and password'],
    ['SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string', undefined, 'user and password'],
    ['The server does not support SSL connections', undefined, 'sslmode'],
    ['self-signed certificate', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'certificates'],
    ['certificate has expired', 'CERT_HAS_EXPIRED', 'certificates'],
    ['unable to verify the first certificate', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'certificates'],
  ])('stops at what the client itself finds wrong with a login: %s', (message, code, remedy) => {
    const cause = Object.assign(new Error(message), code === undefined ? {} : { code })
    const error = asMillraceError(cause, 'connect')
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error.message).toContain(remedy)
  })

  it('passes errors of ours on', () => {
    const fenced = new TaskFencedError('fenced')
    expect(asMillraceError(fenced, 'commit')).toBe(fenced)
  })
})

describe('what a server says', () => {
  const said = (message: string, code: string, more: object = {}) =>
    asMillraceError(Object.assign(new Error(message), { code, ...more }), 'connect')

  it('steers no terminal', () => {
    const { message } = said('relation "\u001b[2Jgone" does not exist', '42P01', {
      detail: 'a\u0007b',
      table: 'x\u200by',
    })
    expect(message).toContain('\\u{1b}[2Jgone')
    expect(message).toContain('a\\u{7}b')
    expect(message).toContain('x\\u{200b}y')
  })

  it.each([
    ['unsupported startup parameter: options', '08P01', /ignore_startup_parameters of PgBouncer/],
    ['SASL authentication failed', '08P01', /check user and password/],
    ['no such database: x', '08P01', /correct the name in DATABASE_URL/],
    ['database "x" does not exist', '3D000', /createdb --encoding UTF8/],
    ['prepared statement "s1" does not exist', '26000', /pool_mode = session/],
    ['prepared statement "s1" already exists', '42P05', /pool_mode = session/],
    ['permission denied for schema x', '42501', /lacks the right/],
  ])('ends a start where only a person can change it: %s (%s)', (message, code, remedy) => {
    const error = said(message, code)
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error.message).toMatch(remedy)
  })

  it.each([
    ['server closed the connection unexpectedly', '08P01'],
    ['query_wait_timeout', '08P01'],
    ['pgbouncer cannot connect to server', '08P01'],
    ['server login has been failing, try again later (server_login_retry)', '08P01'],
  ])('is waited for where it passes by itself: %s (%s)', (message, code) => {
    expect(said(message, code)).toBeInstanceOf(RetryableError)
  })
})

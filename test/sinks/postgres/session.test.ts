import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { ConfigurationError, RetryableError } from '../../../src/runtime/errors.ts'
import { openConnection, openPool, type PostgresAddress } from '../../../src/sinks/postgres/connection.ts'
import { asMillraceError } from '../../../src/sinks/postgres/errors.ts'
import { makeAuthority } from '../../support/certificates.ts'
import { databaseUrl } from '../../support/databaseUrl.ts'
import { type OwnServer, serverPrograms, serverTitle, startOwnServer } from '../../support/ownServer.ts'
import { bouncerProgram, bouncerTitle, startBouncer } from '../../support/pgbouncer.ts'
import { type TestDatabase, testDatabase } from '../../support/postgres.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase({ isMigrated: false })
}, 60_000)
afterAll(() => database.close())
afterEach(() => {
  vi.unstubAllEnvs()
})

const facts = `SELECT current_schema() AS schema, current_setting('TimeZone') AS zone, current_setting('DateStyle') AS dates,
  current_setting('default_transaction_isolation') AS isolation, current_setting('statement_timeout') AS timeout,
  current_setting('synchronous_commit') AS "synchronousCommit", current_setting('client_encoding') AS encoding`
const wanted = (schema: string) => ({
  schema,
  zone: 'UTC',
  dates: 'ISO, MDY',
  isolation: 'read committed',
  timeout: '1min',
  synchronousCommit: 'on',
  encoding: 'UTF8',
})

async function factsOf(address: PostgresAddress, schema: string): Promise<unknown> {
  const pool = openPool(address, { schema, connectTimeoutMs: 3_000 })
  try {
    return (await pool.query(facts)).rows[0]
  } finally {
    await pool.end()
  }
}

async function troubleOf(address: PostgresAddress, schema: string): Promise<Error> {
  const failed = await factsOf(address, schema).then(
    () => null,
    (error: unknown) => asMillraceError(error, 'connect'),
  )
  if (failed === null) throw new Error('it connected')
  return failed
}

describe('a session', () => {
  test('is one of the schema although the address says another, and of no other setting that it says', async () => {
    const parameters = new URLSearchParams({
      options:
        '-c search_path=public -c TimeZone=Asia/Tokyo -c DateStyle=German -c default_transaction_isolation=serializable -c synchronous_commit=off',
    })
    const address = {
      connectionString: `${databaseUrl(database.connection)}?${parameters.toString().replaceAll('+', '%20')}`,
    }
    expect(await factsOf(address, database.schema)).toEqual(wanted(database.schema))
    const client = await openConnection(address, {
      schema: database.schema,
      applicationName: 'test',
      connectTimeoutMs: 3_000,
    })
    expect((await client.query('SELECT current_schema() AS schema')).rows).toEqual([{ schema: database.schema }])
    await client.end()
  })

  test('is ended by the server within half a minute where the client is gone without a word', async () => {
    const pool = openPool(database.connection, { schema: database.schema })
    const settings = `SELECT current_setting('tcp_keepalives_idle') AS idle, current_setting('tcp_keepalives_interval') AS interval,
      current_setting('tcp_keepalives_count') AS count`
    const { rows } = await pool.query(settings)
    await pool.end()
    // As the socket itself says.
    expect(rows).toEqual([{ idle: '10', interval: '5', count: '3' }])
  })

  test('takes nothing of the environment where the address is given in parts', async () => {
    for (const [name, value] of Object.entries({
      PGSSLMODE: 'require',
      PGHOST: 'nowhere.invalid',
      PGPORT: '1',
      PGUSER: 'nobody',
      PGPASSWORD: 'wrong',
      PGDATABASE: 'nowhere',
      PGAPPNAME: 'other',
      PGOPTIONS: '-c search_path=public -c work_mem=77kB',
      PGCLIENTENCODING: 'LATIN1',
      PGCLIENT_ENCODING: 'LATIN1',
      PGREPLICATION: 'database',
      PGSSLNEGOTIATION: 'direct',
      PGCONNECT_TIMEOUT: '1',
    }))
      vi.stubEnv(name, value)
    expect(await factsOf(database.connection, database.schema)).toEqual(wanted(database.schema))
    expect((await troubleOf({ ...database.connection, password: '' }, 'public')).message).toMatch(/password/)
    const pool = openPool(database.connection, { schema: database.schema })
    onTestFinished(() => pool.end())
    expect((await pool.query('SHOW work_mem')).rows).toEqual([{ work_mem: '8MB' }])
  })

  test('an address lets the variables of libpq say what it does not', async () => {
    const { host, port, user, password, database: name } = database.connection
    vi.stubEnv('PGHOST', host)
    vi.stubEnv('PGPORT', String(port))
    vi.stubEnv('PGUSER', user)
    vi.stubEnv('PGPASSWORD', password)
    vi.stubEnv('PGOPTIONS', '-c search_path=public')
    expect(await factsOf({ connectionString: `postgres:///${name}` }, database.schema)).toEqual(wanted(database.schema))
  })
})

describe.skipIf(bouncerProgram === null)(bouncerTitle('behind PgBouncer'), { timeout: 30_000 }, () => {
  const bounced = async (...lines: readonly string[]) => {
    const bouncer = await startBouncer(database.connection, lines)
    onTestFinished(() => bouncer.stop())
    return bouncer
  }

  test.each([[[]], [['server_reset_query =']]])('in session mode a session is as it must be %j', async (lines) => {
    const bouncer = await bounced('pool_mode = session', ...lines)
    expect(await factsOf({ connectionString: bouncer.url() }, database.schema)).toEqual(wanted(database.schema))
  })

  test.each([
    [['pool_mode = transaction']],
    [['pool_mode = transaction', 'default_pool_size = 1']],
    [['pool_mode = transaction', 'server_round_robin = 1', 'min_pool_size = 3']],
    [['pool_mode = transaction', 'ignore_startup_parameters = options']],
    [['pool_mode = statement']],
  ])('one that shares sessions is refused, with the mode that works %j', async (lines) => {
    const bouncer = await bounced(...lines)
    const address = { connectionString: bouncer.url() }
    const error = await troubleOf(address, database.schema)
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error.message).toMatch(/pooler in transaction or statement mode.*pool_mode = session/)
    await expect(
      openConnection(address, { schema: database.schema, applicationName: 'test', connectTimeoutMs: 3_000 }),
    ).rejects.toThrow(/pool_mode = session/)
  })

  test('what a person must change is no outage, and an exhausted pool is one', async () => {
    const bouncer = await bounced('pool_mode = session')
    const cases = [
      [
        bouncer.url('?options=-c%20work_mem%3D8MB'),
        /unsupported startup parameter.*DATABASE_URL.*ignore_startup_parameters/,
      ],
      [bouncer.url().replace(/\/[^/]+$/, '/nowhere'), /"nowhere" does not exist; correct the name in DATABASE_URL/],
      [bouncer.url().replace(/:[^:@/]+@/, ':wrong@'), /check user and password/],
      [bouncer.url().replace(/\/\/[^:]+/, '//nobody'), /check user and password/],
    ] as const
    for (const [connectionString, message] of cases) {
      const error = await troubleOf({ connectionString }, database.schema)
      expect(error, String(message)).toBeInstanceOf(ConfigurationError)
      expect(error.message).toMatch(message)
    }
    const small = await bounced('pool_mode = session', 'default_pool_size = 1')
    const error = await troubleOf({ connectionString: small.url() }, database.schema)
    expect(error).toBeInstanceOf(RetryableError)
    expect(error.message).toMatch(/default_pool_size/)
  })
})

describe.skipIf(serverPrograms === null)(serverTitle('a server of another version'), { timeout: 60_000 }, () => {
  const authority = makeAuthority('millrace test')
  const other = makeAuthority('somebody else')
  let folder: string
  let server: OwnServer
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-tls-'))
    writeFileSync(join(folder, 'ca.pem'), authority.cert)
    writeFileSync(join(folder, 'other.pem'), other.cert)
    const { cert, key } = authority.issue('db', ['db.example'])
    server = await startOwnServer({
      settings: { ssl: 'on', ssl_cert_file: 'server.pem', ssl_key_file: 'server.key' },
      files: { 'server.pem': cert, 'server.key': key },
    })
  }, 60_000)
  afterAll(async () => {
    await server.stop()
    rmSync(folder, { recursive: true })
  })

  const admin = async (...statements: readonly string[]) => {
    const client = new pg.Client(server.connection)
    await client.connect()
    for (const statement of statements) await client.query(statement)
    await client.end()
  }

  test('sslmode means what it means in libpq', async () => {
    const address = (parameters: string) => ({ connectionString: `${databaseUrl(server.connection)}?${parameters}` })
    const ca = (name: string) => `sslrootcert=${join(folder, name)}`
    const secured = async (parameters: string) => {
      const pool = openPool(address(parameters), { schema: 'public' })
      onTestFinished(() => pool.end())
      return (await pool.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')).rows[0]?.ssl
    }
    expect(await secured('sslmode=disable')).toBe(false)
    expect(await secured('sslmode=require')).toBe(true)
    expect(await secured(`sslmode=require&${ca('ca.pem')}`)).toBe(true)
    expect(await secured(`sslmode=verify-ca&${ca('ca.pem')}`)).toBe(true)
    for (const parameters of [
      `sslmode=require&${ca('other.pem')}`,
      `sslmode=verify-ca&${ca('other.pem')}`,
      'sslmode=verify-ca',
      `sslmode=verify-full&${ca('ca.pem')}`,
    ]) {
      const error = await troubleOf(address(parameters), 'public')
      expect(error, parameters).toBeInstanceOf(ConfigurationError)
      expect(error.message).toMatch(/check sslmode and the certificates/)
    }
  })

  test('what role and database say of sessions does not reach ours', async () => {
    await admin(
      'CREATE SCHEMA mine',
      `CREATE ROLE odd LOGIN PASSWORD 'odd' SUPERUSER`,
      ...[
        'search_path = public',
        `"TimeZone" = 'Asia/Tokyo'`,
        `"DateStyle" = 'SQL, DMY'`,
        `client_encoding = 'LATIN1'`,
        `default_transaction_isolation = 'repeatable read'`,
        'synchronous_commit = off',
        'statement_timeout = 500',
        'lock_timeout = 1',
      ].map((setting) => `ALTER ROLE odd SET ${setting}`),
    )
    expect(await factsOf({ ...server.connection, user: 'odd', password: 'odd' }, 'mine')).toEqual(wanted('mine'))
  })

  test.each(['LATIN1', 'EUC_JP', 'SQL_ASCII'])(
    'a database in %s is refused, with how to make one that is not',
    async (encoding) => {
      const name = `in_${encoding.toLowerCase()}`
      await admin(`CREATE DATABASE ${name} ENCODING '${encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'`)
      const error = await troubleOf({ ...server.connection, database: name }, 'public')
      expect(error).toBeInstanceOf(ConfigurationError)
      expect(error.message).toContain(`database ${name} is encoded in ${encoding}`)
      expect(error.message).toContain(`CREATE DATABASE "${name}_utf8" ENCODING 'UTF8' TEMPLATE template0`)
    },
  )
})

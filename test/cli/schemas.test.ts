import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runProgram } from '../../src/cli/program.ts'
import { PostgresCheckpointStore } from '../../src/sinks/postgres/checkpointStore.ts'
import { migrate, readMigrations } from '../../src/sinks/postgres/migrate.ts'
import { type OwnDatabase, ownDatabase } from '../support/ownDatabase.ts'
import { asSuperuser } from '../support/postgres.ts'

// Names that must be quoted, in SQL and in the start options of a session.
const odd = `odd "schema" \\ of's`
const folder = mkdtempSync(join(tmpdir(), 'millrace-schemas-'))
let database: OwnDatabase

const millrace = (...args: readonly string[]) => millraceWith({}, ...args)

async function millraceWith(env: Readonly<Record<string, string>>, ...args: readonly string[]) {
  let out = ''
  const err: string[] = []
  const code = await runProgram([...args, '--data-dir', folder], {
    output: {
      out: async (text) => {
        out += text
        return true
      },
      onClosed: () => {},
      err: (line) => void err.push(line),
    },
    env: { DATABASE_URL: database.url, ...env },
    envFile: join(folder, '.env'),
    isTerminal: false,
  })
  return { code, out, err: err.join('\n') }
}

const letter = (offset: number) => ({
  ...{ offset, ordinal: 0, operator: 'decode', reason: 'malformed', detail: 'broken', recordTime: null },
  ...{ key: null, headers: [], payload: Buffer.from(`letter ${offset}`) },
})

beforeAll(async () => {
  database = await ownDatabase()
})

afterAll(async () => {
  await database.close()
  rmSync(folder, { recursive: true, force: true })
})

describe('before anything was migrated', () => {
  test('what is not found says that no schema was looked at', async () => {
    expect(await millrace('dead-letters', 'list')).toMatchObject({
      code: 0,
      err: 'No dead letters match (no schema holds tables of Millrace).',
    })
    expect((await millrace('status')).out).toContain('No pipeline has run: no schema holds tables of Millrace.')
    expect(await millrace('status', '--schema', 'nowhere')).toMatchObject({
      code: 2,
      err: expect.stringMatching(
        /schema "nowhere" \(--schema, MILLRACE_SCHEMA\) of .* holds no tables of Millrace .*; no schema does\./,
      ),
    })
  })
})

describe('every migrated schema', () => {
  beforeAll(async () => {
    await database.schema('readings')
    await database.schema(odd)
    await (await database.schema('readings')).query(`INSERT INTO log_topic VALUES ('orders', 1), ('payments', 1)`)
    await (await database.schema('readings')).query(
      `INSERT INTO log_partition VALUES ('orders', 0, 0, 50), ('payments', 0, 0, 70)`,
    )
    const store = new PostgresCheckpointStore(database.connection, { schema: 'readings' })
    const claim = await store.claim({ pipeline: 'paid', topic: 'orders', partition: 0, otherTopics: ['payments'] }, 1)
    await store.commit(claim, {
      ...{
        nextOffset: 40,
        watermark: 1_700_000_000_000,
        archiveNextOffset: null,
        writes: [],
        objects: [],
        idleAdvances: [],
      },
      state: { kind: 'base', body: '{"version":2,"operators":[]}' },
      others: [{ nextOffset: 55, archiveNextOffset: 50 }],
      deadLetters: [letter(3), { ...letter(9), input: 1 }],
      messages: [
        { outlet: 'receipts', messages: [1, 2].map((sequence) => ({ sequence, time: 0, key: null, value: null })) },
      ],
    })
    await store.close()
    const other = new PostgresCheckpointStore(database.connection, { schema: odd })
    const alone = await other.claim({ pipeline: 'alone', topic: 'letters', partition: 0 }, 1)
    await other.commit(alone, {
      ...{ nextOffset: 1, watermark: null, archiveNextOffset: null, writes: [], objects: [], idleAdvances: [] },
      state: { kind: 'base', body: '{"version":2,"operators":[]}' },
      deadLetters: [letter(0)],
    })
    await other.close()
  })

  test('is in status, with the further inputs of its tasks and what its outlets have not sent', async () => {
    const { code, out } = await millrace('status', '--json')
    expect(code).toBe(0)
    const { dataSets } = JSON.parse(out)
    expect(dataSets).toMatchObject([
      { schema: odd, name: odd, tasks: [{ pipeline: 'alone', inputs: [], lagRecords: null }], outbox: [] },
      {
        schema: 'readings',
        tasks: [
          {
            ...{ pipeline: 'paid', topic: 'orders', nextOffset: 40, lagRecords: 10 },
            inputs: [
              { topic: 'payments', nextOffset: 55, lagRecords: 15, archiveNextOffset: 50, archiveLagRecords: 20 },
            ],
          },
        ],
        outbox: [{ pipeline: 'paid', topic: 'orders', outlet: 'receipts', waiting: 2 }],
      },
    ])
    // Stored just now, whatever the time of the event.
    expect(dataSets[1].outbox[0].oldestAgeMs).toBeLessThan(600_000)
    const text = (await millrace('status', '--schema', 'readings')).out
    expect(text).toMatch(/paid +orders +0 +40 +10 /)
    expect(text).toMatch(/\+ payments +0 +55 +15 /)
    expect(text).toMatch(/outbox of paid\/orders\/0\/receipts: 2 to be sent, the oldest for \d/)
    expect(text).toContain('dead letters of paid, topic payments, malformed: 1 waiting')
    expect(text).not.toContain('alone')
  })

  test('has its dead letters listed, shown and redriven, and --schema leaves the others alone', async () => {
    const list = async (...more: string[]) =>
      JSON.parse((await millrace('dead-letters', 'list', '--json', ...more)).out)
    const ids = (letters: { schema: string; id: string }[]) =>
      letters.map(({ schema, id }) => `${schema}: ${id}`).sort()
    const of = { alone: `${odd}: alone/letters/0/0/decode/0`, orders: 'readings: paid/orders/0/3/decode/0' }
    const payments = 'readings: paid/payments/0/9/decode/0'
    expect(ids(await list())).toEqual([of.alone, of.orders, payments])
    expect(ids(await list('--schema', odd))).toEqual([of.alone])
    const shown = await millrace('dead-letters', 'show', 'paid/orders/0/3/decode/0')
    expect(shown.out).toMatch(/schema +readings\n[\s\S]*letter 3/)
    expect(await millrace('dead-letters', 'show', 'paid/orders/0/3/decode/0', '--schema', odd)).toMatchObject({
      code: 1,
      err: expect.stringContaining(`looked at schema ${odd}`),
    })
    expect(ids(await list('--pipeline', 'alone'))).toEqual([of.alone])
    expect((await millrace('dead-letters', 'redrive', '--pipeline', 'other', '--all')).out).toMatch(
      /^Nothing to redrive/,
    )
    const redriven = await millraceWith({ MILLRACE_SCHEMA: 'readings' }, 'dead-letters', 'redrive', '--all')
    expect(redriven).toMatchObject({ code: 0, err: '' })
    expect(redriven.out).not.toContain('letters (schema')
    expect(redriven.out).toContain('orders (schema readings): 1 appended again and stamped')
    expect(ids(await list())).toEqual([of.alone])
    expect((await millrace('dead-letters', 'list', '--schema', 'readings')).err).toBe(
      'No dead letters match (looked at schema readings).',
    )
  })

  test('is migrated by `millrace migrate`, and refused until then', async () => {
    const pool = await database.schema('older')
    const migrations = readMigrations()
    await pool.query('DROP SCHEMA older CASCADE')
    await migrate(pool, 'older', migrations.slice(0, -1))
    expect(await millrace('status')).toMatchObject({
      code: 2,
      err: expect.stringMatching(
        /schema older has the tables of an older release .*millrace migrate --data-dir \S+ --schema older/,
      ),
    })
    expect((await millrace('status', '--schema', 'readings')).code).toBe(0)
    const { out } = await millrace('migrate')
    expect(out).toMatch(/^schema public: applied /)
    expect(out).toContain(`schema older: applied ${migrations.at(-1)?.name}\n`)
    expect((await millrace('status')).code).toBe(0)
    expect((await millrace('doctor')).out).toContain(`schemas public, simulated, ${odd}, older, readings`)
    expect((await millrace('migrate', '--schema', 'brand new')).out).toMatch(/^schema brand new: applied .*\n$/)
  })

  test('that the user may not read is not looked at', async () => {
    const pool = await database.schema('hidden')
    await asSuperuser(database.superuser, `CREATE ROLE ${role} LOGIN PASSWORD 'reader'`)
    try {
      await pool.query(`GRANT USAGE ON SCHEMA readings TO ${role}`)
      await pool.query(`GRANT SELECT ON ALL TABLES IN SCHEMA readings TO ${role}`)
      const { host, port, database: name } = database.connection
      const own = database.url
      database = { ...database, url: `postgres://${role}:reader@${host}:${port}/${name}` }
      const { code, out } = await millrace('status', '--json')
      database = { ...database, url: own }
      expect(code).toBe(0)
      expect(JSON.parse(out).dataSets.map(({ schema }: { schema: string }) => schema)).toEqual(['readings'])
    } finally {
      await asSuperuser(database.superuser, `DROP OWNED BY ${role}`, `DROP ROLE ${role}`)
    }
  })
})

const role = `reader_${process.pid}`

import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ConfigurationError } from '../../../src/runtime/errors.ts'
import type { AppendTable, Table, UpsertTable } from '../../../src/runtime/store/table.ts'
import { withdrawn } from '../../../src/runtime/withdrawn.ts'
import { runStep } from '../../../src/sinks/postgres/runSteps.ts'
import { writeSteps } from '../../../src/sinks/postgres/tableWriter.ts'
import { type TestDatabase, testDatabase } from '../../support/postgres.ts'

interface Row {
  readonly key: number
  readonly revision: number
  readonly word: string
}

const columns: UpsertTable<Row>['columns'] = [
  { name: 'key', type: 'bigint', of: (row) => row.key },
  { name: 'revision', type: 'integer', of: (row) => row.revision },
  { name: 'word', type: 'text', of: (row) => row.word },
]
const upsert: UpsertTable<Row> = { mode: 'upsert', name: 'word', key: ['key'], revision: 'revision', columns }
const append: AppendTable<Row> = { mode: 'append', name: 'word', columns }

describe('writeSteps', () => {
  let db: TestDatabase

  beforeAll(async () => {
    db = await testDatabase()
    await db.pool.query(
      'CREATE TABLE word (key bigint PRIMARY KEY, revision integer NOT NULL, word text NOT NULL, row_owner integer)',
    )
  })
  beforeEach(() => db.pool.query('TRUNCATE word'))
  afterAll(() => db.close())

  const write = async (client: pg.ClientBase, table: Table<Row>, rows: readonly Row[]) => {
    for (const step of writeSteps({ table, rows }, 1)) await runStep(client, step)
  }

  it('says of a COPY how much it sends, so that much of it is not sent in one flight', () => {
    const word = 'w'.repeat(100_000)
    const rows = [1, 2, 3].map((key) => ({ key, revision: 1, word }))
    const bytes = writeSteps({ table: append, rows }, 1).map((step) => step.bytes)
    expect(bytes).toEqual([3 * `1\t1\t${word}\n`.length])
  })

  const withClient = async (action: (client: pg.PoolClient) => Promise<void>) => {
    const client = await db.pool.connect()
    try {
      await action(client)
    } finally {
      client.release()
    }
  }

  const many = (count: number, revision: number): Row[] =>
    Array.from({ length: count }, (_, key) => ({ key, revision, word: `word ${key}, revision ${revision}` }))

  it('writes more rows than one statement takes', async () => {
    await withClient((client) => write(client, upsert, many(25_000, 1)))
    const { rows } = await db.pool.query('SELECT count(*)::integer AS count, sum(key)::integer AS sum FROM word')
    expect(rows).toEqual([{ count: 25_000, sum: (24_999 * 25_000) / 2 }])
    expect(writeSteps({ table: upsert, rows: many(25_000, 1) }, 1)).toHaveLength(3)
  })

  it('does nothing for no rows', () => {
    expect(writeSteps({ table: upsert, rows: [] }, 1)).toEqual([])
    expect(writeSteps({ table: append, rows: [] }, 1)).toEqual([])
  })

  it('lets two writers of the same rows in opposite order wait, not deadlock', async () => {
    const forwards = many(2_000, 1)
    const backwards = [...many(2_000, 2)].reverse()
    await Promise.all(
      [forwards, backwards, forwards, backwards].map((rows) =>
        withClient(async (client) => {
          await client.query('BEGIN')
          await write(client, upsert, rows)
          await client.query('COMMIT')
        }),
      ),
    )
    const { rows } = await db.pool.query('SELECT DISTINCT revision FROM word')
    expect(rows).toEqual([{ revision: 2 }])
  })

  it('lets two writers wait for each other of whom each takes back what the other one writes', async () => {
    const before = many(2_000, 1)
    await withClient((client) => write(client, upsert, before))
    const resultsOf = (revision: number, takesBack: (key: number) => boolean) =>
      many(2_000, revision).map((row) => (takesBack(row.key) ? withdrawn(row) : row))
    const stepsOf = (rows: ReturnType<typeof resultsOf>) => [...writeSteps({ table: upsert, rows }, 1)]
    const [firstOfOdd, ...othersOfOdd] = stepsOf(resultsOf(2, (key) => key % 2 === 1))
    const ofEven = stepsOf(resultsOf(3, (key) => key % 2 === 0))
    await withClient((one) =>
      withClient(async (other) => {
        await one.query('BEGIN')
        await other.query('BEGIN')
        await runStep(one, firstOfOdd!)
        const second = (async () => {
          for (const step of ofEven) await runStep(other, step)
          await other.query('COMMIT')
        })()
        // Time enough for the other one to take what it can.
        await new Promise((resolve) => setTimeout(resolve, 200))
        for (const step of othersOfOdd) await runStep(one, step)
        await one.query('COMMIT')
        await second
      }),
    )
    const { rows } = await db.pool.query(
      'SELECT count(*)::integer AS count, sum(key % 2)::integer AS odd, max(revision) FROM word',
    )
    expect(rows).toEqual([{ count: 1_000, odd: 1_000, max: 3 }])
  })

  it('leaves the connection usable after a COPY that the server refused', async () => {
    await withClient(async (client) => {
      const [row] = many(1, 1)
      await expect(write(client, append, [row!, row!])).rejects.toThrow(/duplicate key/)
      await write(client, append, many(2, 1))
    })
    const { rows } = await db.pool.query('SELECT count(*)::integer AS count FROM word')
    expect(rows).toEqual([{ count: 2 }])
  })

  it('refuses a row that does not fit before anything of a COPY is stored', async () => {
    await withClient(async (client) => {
      const rows = [...many(5_000, 1), { key: 0.5, revision: 1, word: 'half' }]
      await expect(write(client, append, rows)).rejects.toThrow(ConfigurationError)
      const { rows: stored } = await client.query('SELECT 1 FROM word')
      expect(stored).toEqual([])
    })
  })

  it('refuses a key that is no column', () => {
    const wrong: UpsertTable<Row> = { ...upsert, key: ['kee'] }
    expect(() => writeSteps({ table: wrong, rows: many(1, 1) }, 1)).toThrow(/table word: .*kee/)
  })

  it('gives a row without an owner to who writes it first, and refuses the next', async () => {
    await db.pool.query(`INSERT INTO word VALUES (1, 0, 'old', NULL), (2, 5, 'newer', NULL)`)
    const by = (owner: number, revision: number) =>
      withClient(async (client) => {
        for (const step of writeSteps({ table: upsert, rows: many(3, revision) }, owner)) await runStep(client, step)
      })
    await by(7, 1)
    const owners = async () =>
      (await db.pool.query('SELECT key::integer, row_owner FROM word ORDER BY key')).rows.map((row) => [
        row.key,
        row.row_owner,
      ])
    // The one that was newer is nobody's still.
    expect(await owners()).toEqual([
      [0, 7],
      [1, 7],
      [2, null],
    ])
    await expect(by(8, 9)).rejects.toMatchObject({ code: 'MR004' })
    await by(7, 5)
    expect(await owners()).toEqual([
      [0, 7],
      [1, 7],
      [2, 7],
    ])
  })

  it('lets a row that was given away be taken back by a task that began afterwards, and by no earlier one', async () => {
    await db.pool.query(`INSERT INTO row_owner (id, pipeline, topic, partition, begun_after) OVERRIDING SYSTEM VALUE
      VALUES (901, 'early', 't', 0, 4), (902, 'late', 't', 0, 5)`)
    await db.pool.query(`INSERT INTO word VALUES (0, 1, 'old', -5)`)
    const takeBack = (owner: number) =>
      withClient(async (client) => {
        const rows = many(1, 2).map((row) => withdrawn(row))
        for (const step of writeSteps({ table: upsert, rows }, owner)) await runStep(client, step)
      })
    await expect(takeBack(901)).rejects.toMatchObject({ code: 'MR004' })
    await takeBack(902)
    expect((await db.pool.query('SELECT 1 FROM word')).rows).toEqual([])
  })
})

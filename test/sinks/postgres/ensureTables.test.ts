import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { intervals } from '../../../src/market/interval.ts'
import { candleTable } from '../../../src/pipelines/candleTable.ts'
import { ConfigurationError } from '../../../src/runtime/errors.ts'
import type { AppendTable, ColumnType, Table, UpsertTable } from '../../../src/runtime/store/table.ts'
import { openPool, quoteIdentifier } from '../../../src/sinks/postgres/connection.ts'
import { ensureTables } from '../../../src/sinks/postgres/ensureTables.ts'
import { runStep } from '../../../src/sinks/postgres/runSteps.ts'
import { checkDescriptor } from '../../../src/sinks/postgres/tableDescriptor.ts'
import { writeSteps } from '../../../src/sinks/postgres/tableWriter.ts'
import { asSuperuser, type TestDatabase, testDatabase } from '../../support/postgres.ts'

interface Row {
  readonly k: string
  readonly at: number
  readonly n: number | null
  readonly big: bigint
  readonly price: string
  readonly ok: boolean
  readonly data: string
  readonly revision: number
}

const columns: UpsertTable<Row>['columns'] = [
  { name: 'k', type: 'text', of: (row) => row.k },
  { name: 'at', type: 'timestamptz', of: (row) => row.at },
  { name: 'n', type: 'integer', of: (row) => row.n },
  { name: 'big', type: 'bigint', of: (row) => row.big },
  { name: 'price', type: 'numeric', of: (row) => row.price },
  { name: 'ok', type: 'boolean', of: (row) => row.ok },
  { name: 'data', type: 'jsonb', of: (row) => row.data },
  { name: 'revision', type: 'integer', of: (row) => row.revision },
]
const upsert: UpsertTable<Row> = { mode: 'upsert', name: 'thing', key: ['k', 'at'], revision: 'revision', columns }
const append: AppendTable<Row> = { mode: 'append', name: 'thing', columns }

const row: Row = {
  k: 'a "key"',
  at: Date.UTC(2024, 0, 2, 3, 4, 5, 678),
  n: 2_147_483_647,
  big: 9_223_372_036_854_775_807n,
  price: '0.10000000000000000000000000000000001',
  ok: true,
  data: '{"deep": [1, null]}',
  revision: 1,
}

/** What is written is there, to the last digit. */
const asWritten = {
  k: row.k,
  at: '2024-01-02T03:04:05.678+00:00',
  n: 2_147_483_647,
  big: '9223372036854775807',
  price: row.price,
  ok: true,
  data: { deep: [1, null] },
  revision: 1,
}

describe('ensureTables', () => {
  let db: TestDatabase

  beforeAll(async () => {
    db = await testDatabase()
    await db.pool.query(
      `CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false); CREATE SCHEMA ${elsewhere()}`,
    )
  })
  beforeEach(async () => {
    await db.pool.query('DROP TABLE IF EXISTS thing, other, thing_old')
  })
  afterAll(async () => {
    await db.pool.query(`DROP SCHEMA ${elsewhere()} CASCADE`)
    await db.close()
  })

  const elsewhereName = () => `${db.schema} "else; where`
  const elsewhere = () => quoteIdentifier(elsewhereName())

  const withClient = async <T>(action: (client: pg.PoolClient) => Promise<T>): Promise<T> => {
    const client = await db.pool.connect()
    try {
      return await action(client)
    } finally {
      client.release()
    }
  }

  const write = (table: Table<Row>, ...rows: readonly Row[]) =>
    withClient(async (client) => {
      for (const step of writeSteps({ table, rows }, 1)) await runStep(client, step)
    })

  const stored = async (where = '') => {
    const { rows } = await db.pool.query<{ k: string }>(
      `SELECT k, to_json(at) #>> '{}' AS at, n::integer, big::text, price::text, ok, data, revision::integer FROM thing ${where} ORDER BY k`,
    )
    return rows
  }

  /** The message of the one error that ends the start. */
  async function refusal(tables: readonly Table<never>[], on: pg.Pool | pg.ClientBase = db.pool): Promise<string> {
    const error = await ensureTables(on, db.schema, tables).then(
      (made) => expect.fail(`it was taken, and ${made.join(', ') || 'nothing'} was made`),
      (reason: unknown) => reason,
    )
    expect(error).toBeInstanceOf(ConfigurationError)
    return (error as Error).message
  }

  const sqlOf = (message: string) => message.slice(message.indexOf('\n\n') + 2)
  const wordsOf = (message: string) => message.split('\n').filter((line) => line.startsWith('- '))

  /** Runs what the message says, as it stands. After it the table fits, and takes rows. */
  async function mend(message: string, table: Table<Row> = upsert): Promise<void> {
    await db.pool.query(sqlOf(message))
    await ensureTables(db.pool, db.schema, [table])
    expect(await ensureTables(db.pool, db.schema, [table])).toEqual([])
    await write(table, row)
    expect(await stored(`WHERE k = 'a "key"'`)).toEqual([asWritten])
  }

  const fitting: Readonly<Record<string, string | null>> = {
    k: 'text NOT NULL',
    at: 'timestamptz NOT NULL',
    n: 'integer',
    big: 'bigint',
    price: 'numeric',
    ok: 'boolean',
    data: 'jsonb',
    revision: 'integer NOT NULL',
  }

  /** A table made by hand, in which columns are of other types, or are missing (null), or are more. */
  async function byHand(
    other: Readonly<Record<string, string | null>>,
    constraints: readonly string[] = ['PRIMARY KEY (k, at)'],
    { kind = 'TABLE', rest = '' } = {},
  ): Promise<void> {
    const lines = Object.entries({ ...fitting, ...other })
      .filter(([, type]) => type !== null)
      .map(([name, type]) => `${name} ${type}`)
    await db.pool.query(`CREATE ${kind} thing (${[...lines, ...constraints].join(', ')}) ${rest}`)
  }

  describe('a table that is missing', () => {
    it('is made with the columns, the key and what may not be NULL, and then is found to fit', async () => {
      const other: AppendTable<Row> = { ...append, name: 'other' }
      expect(await ensureTables(db.pool, db.schema, [upsert, other])).toEqual(['thing', 'other'])
      expect(await ensureTables(db.pool, db.schema, [upsert, other])).toEqual([])
      const { rows } = await db.pool.query(
        `SELECT table_name AS table, string_agg(column_name || ' ' || data_type || CASE is_nullable WHEN 'NO' THEN '!' ELSE '' END, ', ' ORDER BY ordinal_position) AS columns
        FROM information_schema.columns WHERE table_schema = $1 AND table_name IN ('thing', 'other') GROUP BY 1 ORDER BY 1`,
        [db.schema],
      )
      expect(rows).toEqual([
        {
          table: 'other',
          columns:
            'k text, at timestamp with time zone, n integer, big bigint, price numeric, ok boolean, data jsonb, revision integer',
        },
        {
          table: 'thing',
          columns:
            'k text!, at timestamp with time zone!, n integer, big bigint, price numeric, ok boolean, data jsonb, revision integer!, row_owner integer',
        },
      ])
      const { rows: keys } = await db.pool.query(
        `SELECT conrelid::regclass::text AS table, pg_get_constraintdef(oid) AS key FROM pg_constraint
        WHERE contype = 'p' AND conrelid IN ('thing'::regclass, 'other'::regclass)`,
      )
      expect(keys).toEqual([{ table: 'thing', key: 'PRIMARY KEY (k, at)' }])
    })

    it('takes rows as they are written, once a key and as often as they come', async () => {
      const other: AppendTable<Row> = { ...append, name: 'other' }
      await ensureTables(db.pool, db.schema, [upsert, other])
      const nulls = { ...row, k: 'b', n: null }
      await write(upsert, row, nulls)
      await write(upsert, { ...row, revision: 0, ok: false }, { ...nulls, revision: 2 })
      await write(other, row, row, nulls)
      expect(await stored()).toEqual([asWritten, { ...asWritten, k: 'b', n: null, revision: 2 }])
      expect((await db.pool.query('SELECT count(*)::integer AS count FROM other')).rows).toEqual([{ count: 3 }])
    })

    it('is made once by ten that start together; each of them finds that it fits', async () => {
      const pool = openPool(db.connection, { schema: db.schema, maxConnections: 10 })
      try {
        await Promise.all(Array.from({ length: 10 }, () => pool.query('SELECT pg_sleep(0.05)')))
        const other: AppendTable<Row> = { ...append, name: 'other' }
        const made = await Promise.all(
          Array.from({ length: 10 }, (_, i) =>
            ensureTables(pool, db.schema, i % 2 === 0 ? [upsert, other] : [other, upsert]),
          ),
        )
        expect(made.filter((names) => names.length > 0).map((names) => [...names].sort())).toEqual([['other', 'thing']])
      } finally {
        await pool.end()
      }
    })

    it('is held to the descriptor of the one that comes second, when two that differ start together', async () => {
      const integers: UpsertTable<Row> = {
        ...upsert,
        columns: columns.map((column) => (column.name === 'price' ? { ...column, type: 'integer' as const } : column)),
      }
      const ends = await Promise.allSettled([
        ensureTables(db.pool, db.schema, [upsert]),
        ensureTables(db.pool, db.schema, [integers]),
      ])
      expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
      const { reason } = ends.find((end) => end.status === 'rejected') as PromiseRejectedResult
      expect(String(reason)).toMatch(/column price is (numeric|integer), which does not hold every (integer|numeric)/)
    })

    it('is not made while another one does not fit', async () => {
      await byHand({ price: 'real' })
      const message = await refusal([{ ...append, name: 'other' }, upsert])
      expect(message).not.toContain('other')
      expect((await db.pool.query(`SELECT to_regclass('other') AS found`)).rows).toEqual([{ found: null }])
    })

    it('is made where the schema says, whatever the connection takes for its own, under names as odd as names can be', async () => {
      const odd: UpsertTable<Row> = {
        ...upsert,
        name: 'od"d; Näme',
        key: ['select "'],
        columns: [{ ...columns[0]!, name: 'select "' }, columns.at(-1)!],
      }
      expect(await ensureTables(db.pool, elsewhereName(), [odd])).toEqual([odd.name])
      expect(await ensureTables(db.pool, elsewhereName(), [odd])).toEqual([])
      await db.pool.query(`ALTER TABLE ${elsewhere()}."od""d; Näme" DROP COLUMN "select """`)
      const error = await ensureTables(db.pool, elsewhereName(), [odd]).catch((reason: unknown) => reason)
      await db.pool.query(sqlOf(String(error)))
      expect(await ensureTables(db.pool, elsewhereName(), [odd])).toEqual([])
    })

    it('is made with all others or not at all, and a connection is as it was before a failure', async () => {
      await db.pool.query('CREATE DOMAIN thing AS text')
      try {
        await withClient(async (client) => {
          const making = ensureTables(client, db.schema, [{ ...append, name: 'other' }, upsert])
          await expect(making).rejects.toThrow(/^could not make the tables of schema .*: type "thing" already exists/)
          expect((await client.query(`SELECT to_regclass('other') AS found`)).rows).toEqual([{ found: null }])
        })
      } finally {
        await db.pool.query('DROP DOMAIN thing')
      }
    })

    it('may be made on one connection, which is as it was afterwards', async () => {
      await withClient(async (client) => {
        expect(await ensureTables(client, db.schema, [upsert])).toEqual(['thing'])
        await client.query('ALTER TABLE thing DROP COLUMN price')
        await refusal([upsert], client)
        const { rows } = await client.query('SELECT now() = statement_timestamp() AS "isOutsideOfTransactions"')
        expect(rows).toEqual([{ isOutsideOfTransactions: true }])
      })
    })
  })

  describe('the tables of sql/', () => {
    it('fit the candles of every interval', async () => {
      expect(await ensureTables(db.pool, db.schema, intervals.map(candleTable))).toEqual([])
    })
  })

  describe('a table made by hand fits', () => {
    it.each<[string, Readonly<Record<string, string | null>>, (readonly string[])?, { kind?: string; rest?: string }?]>(
      [
        ['with types that hold more', { k: 'varchar NOT NULL', n: 'bigint', big: 'numeric', revision: 'bigint' }],
        ['with times to the ms', { at: 'timestamptz(3) NOT NULL' }],
        ['with columns that allow NULL, which is never written', { revision: 'integer' }],
        ['with columns that allow none', { n: 'integer NOT NULL', data: 'jsonb NOT NULL' }],
        [
          'with more columns that need no value',
          {
            note: 'text',
            made: 'timestamptz NOT NULL DEFAULT now()',
            id: 'bigint NOT NULL GENERATED ALWAYS AS IDENTITY',
            serial: 'serial',
            twice: 'bigint NOT NULL GENERATED ALWAYS AS (n::bigint * 2) STORED',
            half: 'numeric GENERATED ALWAYS AS (price / 2) VIRTUAL',
          },
        ],
        ['with its key in another order', {}, ['PRIMARY KEY (at, k)']],
        ['with a unique constraint', { id: 'serial PRIMARY KEY' }, ['UNIQUE NULLS NOT DISTINCT (k, at) INCLUDE (n)']],
        ['with a wider unique constraint beside', {}, ['PRIMARY KEY (k, at)', 'UNIQUE (k, at, n)']],
        ['with a check', {}, ['PRIMARY KEY (k, at)', 'CHECK (revision > 0)']],
      ],
    )('%s', async (_law, other, constraints, options) => {
      await byHand(other, constraints, options)
      expect(await ensureTables(db.pool, db.schema, [upsert])).toEqual([])
      await write(upsert, { ...row, revision: 1 }, row)
      expect(await stored()).toEqual([asWritten])
    })

    it('partitioned, with the key on every part', async () => {
      await byHand({}, undefined, { rest: 'PARTITION BY HASH (k)' })
      await db.pool.query('CREATE TABLE thing_0 PARTITION OF thing FOR VALUES WITH (MODULUS 1, REMAINDER 0)')
      expect(await ensureTables(db.pool, db.schema, [upsert])).toEqual([])
      await write(upsert, row, row)
      expect(await stored()).toEqual([asWritten])
    })

    it('for rows that are added, whatever its key, and with an identity that COPY overrides', async () => {
      await byHand({ n: 'integer GENERATED ALWAYS AS IDENTITY' }, ['UNIQUE (price)'])
      expect(await ensureTables(db.pool, db.schema, [append])).toEqual([])
      await write(append, row)
      expect(await stored()).toEqual([asWritten])
    })
  })

  describe('a column that does not hold every value is told, and mended with what is in it', () => {
    it.each<[column: string, type: string, value: string, after: unknown]>([
      ['k', 'varchar(20) NOT NULL', `'old'`, 'old'],
      ['k', 'char(5) NOT NULL', `'old'`, 'old'],
      ['k', `varchar(20) NOT NULL DEFAULT 'x'`, 'DEFAULT', 'x'],
      ['k', 'uuid NOT NULL', `'00000000-0000-0000-0000-00000000000a'`, '00000000-0000-0000-0000-00000000000a'],
      ['at', 'timestamp NOT NULL', `'2020-01-01 00:00:00.123'`, '2020-01-01T00:00:00.123+00:00'],
      ['at', 'timestamptz(0) NOT NULL', `'2020-01-01 02:00+02'`, '2020-01-01T00:00:00+00:00'],
      ['at', 'date NOT NULL', `'2020-01-01'`, '2020-01-01T00:00:00+00:00'],
      ['at', 'bigint NOT NULL', '1577836800123', '2020-01-01T00:00:00.123+00:00'],
      ['at', 'text NOT NULL', `'2020-01-01T00:00:00.5Z'`, '2020-01-01T00:00:00.5+00:00'],
      ['n', 'smallint', '7', 7],
      ['n', 'numeric', '7', 7],
      ['n', 'boolean', 'true', 1],
      ['n', 'smallint GENERATED ALWAYS AS IDENTITY', 'DEFAULT', 1],
      ['big', 'integer DEFAULT 5', 'DEFAULT', '5'],
      ['big', `text DEFAULT 'none'`, `'5'`, '5'],
      ['big', 'boolean DEFAULT false', 'DEFAULT', '0'],
      ['price', 'numeric(10,2)', '1.25', '1.25'],
      ['price', 'double precision', '0.1', '0.1'],
      ['price', 'real', '0.1', '0.1'],
      ['price', 'bigint', '9007199254740993', '9007199254740993'],
      ['price', 'bigint GENERATED ALWAYS AS IDENTITY', 'DEFAULT', '1'],
      ['ok', 'integer', '1', true],
      ['ok', 'text', `'no'`, false],
      ['data', 'json', `'{"a": 1}'`, { a: 1 }],
      ['data', 'text', `'[2]'`, [2]],
      ['data', 'text[]', `'{x}'`, ['x']],
      ['data', 'timestamp', `'2020-01-01'`, '2020-01-01T00:00:00'],
    ])('%s %s', async (column, type, value, after) => {
      await byHand({ [column]: type })
      const values = { k: `'old'`, at: `'2020-01-01Z'`, revision: '0', [column]: value }
      await db.pool.query(
        `INSERT INTO thing (${Object.keys(values).join(', ')}) VALUES (${Object.values(values).join(', ')})`,
      )
      const message = await refusal([upsert])
      expect(wordsOf(message)).toEqual([
        expect.stringMatching(new RegExp(`^- table thing: column ${column} is .*, which does not hold every `)),
      ])
      await mend(message)
      const [old] = (await stored(`WHERE k <> 'a "key"'`)) as unknown as Record<string, unknown>[]
      expect(old?.[column]).toEqual(after)
    })

    it('a default stays where it can become the new type, and goes where it cannot', async () => {
      await byHand({ k: `varchar(9) DEFAULT 'x'`, big: 'integer DEFAULT 5', price: `text DEFAULT 'none'` })
      const sql = sqlOf(await refusal([upsert]))
      await db.pool.query(sql)
      const { rows } = await db.pool.query(
        `INSERT INTO thing (at, revision) VALUES (now(), 0) RETURNING k, big::integer, price`,
      )
      expect(rows).toEqual([{ k: 'x', big: 5, price: null }])
    })

    it('a loss is no mending: what does not fit stops it', async () => {
      await byHand({ n: 'numeric' })
      await db.pool.query(`INSERT INTO thing (k, at, n, revision) VALUES ('old', now(), 1.5, 0)`)
      await expect(db.pool.query(sqlOf(await refusal([upsert])))).rejects.toThrow(
        'invalid input syntax for type integer',
      )
    })

    it('is any type for which there is no sense in it, too, as long as there are no rows', async () => {
      const types: readonly ColumnType[] = ['text', 'integer', 'bigint', 'numeric', 'boolean', 'timestamptz', 'jsonb']
      const others = [
        'integer',
        'bigint',
        'boolean',
        'timestamptz',
        'jsonb',
        'bytea',
        'interval',
        'text',
        'point',
        'int4range',
      ]
      for (const type of types) {
        const wanted: AppendTable<Row> = { ...append, columns: [{ ...columns[0]!, type }] }
        for (const other of others) {
          await db.pool.query(`CREATE TABLE thing (k ${other})`)
          const outcome = await ensureTables(db.pool, db.schema, [wanted]).catch((error: Error) => error.message)
          if (typeof outcome === 'string') await db.pool.query(sqlOf(outcome))
          expect(await ensureTables(db.pool, db.schema, [wanted])).toEqual([])
          await db.pool.query('DROP TABLE thing')
        }
      }
    })
  })

  describe('a table that does not fit ends the start with the difference and the SQL that mends it', () => {
    it.each<[string, Readonly<Record<string, string | null>>, readonly string[], readonly string[]]>([
      [
        'a column is missing',
        { price: null, data: null },
        ['PRIMARY KEY (k, at)'],
        ['has no column price', 'has no column data'],
      ],
      ['the revision is missing', { revision: null }, ['PRIMARY KEY (k, at)'], ['has no column revision']],
      [
        'a column of the key is missing',
        { at: null },
        ['PRIMARY KEY (k)'],
        [
          'its primary key thing_pkey (k) has room for one row of what the natural key (k, at) has several of',
          'has no column at',
          'has no primary key and no unique index',
        ],
      ],
      [
        'the key is missing',
        {},
        [],
        [
          'has no primary key and no unique index, whole and not deferrable, on exactly its natural key (k, at), which ON CONFLICT needs',
        ],
      ],
      ['the key is on more', {}, ['PRIMARY KEY (k, at, revision)'], ['has no primary key and no unique index']],
      [
        'the key is on less, also beside the right one',
        {},
        ['PRIMARY KEY (k, at)', 'UNIQUE (at)'],
        ['its unique index thing_at_key (at) has room for one row'],
      ],
      [
        'the key is deferrable',
        {},
        ['PRIMARY KEY (k, at) DEFERRABLE'],
        ['its primary key thing_pkey (k, at) is deferrable', 'has no primary key and no unique index'],
      ],
      [
        'the key is deferrable, also beside one that is not',
        {},
        ['PRIMARY KEY (k, at)', 'CONSTRAINT "second; key" UNIQUE (at, k) DEFERRABLE'],
        ['its unique index second; key (at, k) is deferrable, which ON CONFLICT refuses'],
      ],
      [
        'another column wants a value',
        { place: 'text NOT NULL' },
        ['PRIMARY KEY (k, at)'],
        ['column place is not written by the pipeline, and takes no NULL and has no default'],
      ],
      [
        'other columns in the primary key want a value',
        { place: 'text NOT NULL', floor: 'integer NOT NULL' },
        ['PRIMARY KEY (k, at, place, floor)'],
        ['column place is not written', 'column floor is not written', 'has no primary key and no unique index'],
      ],
      [
        'a column is generated',
        { n: 'integer GENERATED ALWAYS AS (length(k)) STORED' },
        ['PRIMARY KEY (k, at)'],
        ['column n is generated'],
      ],
      [
        'a column is generated, and of another type',
        { n: 'smallint GENERATED ALWAYS AS (length(k)) STORED' },
        ['PRIMARY KEY (k, at)'],
        ['column n is generated', 'column n is smallint'],
      ],
      [
        'a column is computed',
        { n: 'smallint GENERATED ALWAYS AS (length(k)) VIRTUAL', revision: 'integer GENERATED ALWAYS AS (1) VIRTUAL' },
        ['PRIMARY KEY (k, at)'],
        ['column n is computed whenever it is read', 'column revision is computed'],
      ],
      [
        'a column is an identity that takes no other value',
        { n: 'integer GENERATED ALWAYS AS IDENTITY' },
        ['PRIMARY KEY (k, at)'],
        ['column n is GENERATED ALWAYS AS IDENTITY'],
      ],
      [
        'different keys may be equal',
        { k: 'text COLLATE loose NOT NULL' },
        ['PRIMARY KEY (k, at)'],
        ['column k has a collation to which different texts may be equal'],
      ],
    ])('%s', async (_law, other, constraints, words) => {
      await byHand(other, constraints)
      const message = await refusal([upsert])
      expect(wordsOf(message)).toEqual(words.map((part) => expect.stringContaining(`- table thing: ${part}`)))
      await mend(message)
      await write(upsert, { ...row, k: row.k.toUpperCase() })
      expect(await stored()).toHaveLength(2)
    })

    it.each([
      ['partial', 'CREATE UNIQUE INDEX ON thing (k, at) WHERE ok'],
      ['on an expression', 'CREATE UNIQUE INDEX ON thing (lower(k), at)'],
      ['not unique', 'CREATE INDEX ON thing (k, at)'],
      ['loose', 'CREATE UNIQUE INDEX ON thing (k COLLATE loose, at)'],
    ])('an index on the key is %s', async (_law, statement) => {
      await byHand({}, [])
      await db.pool.query(statement)
      const message = await refusal([upsert])
      expect(wordsOf(message)).toEqual([expect.stringContaining('has no primary key and no unique index')])
      await mend(message)
    })

    it('a narrower unique index is dropped, as it is no constraint', async () => {
      await byHand({})
      await db.pool.query('CREATE UNIQUE INDEX "One; at" ON thing (k)')
      const message = await refusal([upsert])
      expect(sqlOf(message)).toBe(`DROP INDEX "${db.schema}"."One; at";`)
      await mend(message)
    })

    it('a revision is missing, and rows that had none are older than any other', async () => {
      await byHand({ revision: null })
      await db.pool.query(`INSERT INTO thing (k, at, n) VALUES ('a "key"', '${asWritten.at}', 1)`)
      await mend(await refusal([upsert]))
      expect(await stored()).toEqual([asWritten])
    })

    it('it is unlogged', async () => {
      await byHand({}, undefined, { kind: 'UNLOGGED TABLE' })
      const message = await refusal([upsert])
      expect(wordsOf(message)).toEqual([expect.stringContaining('is unlogged: a crash of the server empties it')])
      await mend(message)
    })

    it.each([
      ['a view', 'CREATE VIEW thing AS SELECT 1 AS k', 'VIEW'],
      ['a materialized view', 'CREATE MATERIALIZED VIEW thing AS SELECT 1 AS k', 'MATERIALIZED VIEW'],
      ['a foreign table', 'CREATE FOREIGN TABLE thing (k text) SERVER nowhere', 'FOREIGN TABLE'],
      ['a sequence', 'CREATE SEQUENCE thing', 'SEQUENCE'],
      ['an index', 'CREATE INDEX thing ON migration (name)', 'INDEX'],
      ['a composite type', 'CREATE TYPE thing AS (k text)', 'TYPE'],
    ])('it is %s', async (words, statement, keyword) => {
      if (keyword === 'FOREIGN TABLE') {
        await asSuperuser(
          db.superuser,
          'CREATE FOREIGN DATA WRAPPER nothing',
          'CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing',
          `GRANT USAGE ON FOREIGN SERVER nowhere TO ${db.connection.user}`,
        )
      }
      try {
        await db.pool.query(statement)
        const message = await refusal([upsert])
        expect(wordsOf(message)).toEqual([expect.stringContaining(`table thing: is ${words}: `)])
        await mend(message)
      } finally {
        await db.pool.query(`DROP ${keyword} IF EXISTS thing_old CASCADE`)
        if (keyword === 'FOREIGN TABLE') await asSuperuser(db.superuser, 'DROP FOREIGN DATA WRAPPER nothing CASCADE')
      }
    })

    it('it has the longest of names, and is no table', async () => {
      const name = `${'ä'.repeat(31)}x`
      await db.pool.query(`CREATE VIEW "${name}" AS SELECT 1`)
      await db.pool.query(sqlOf(await refusal([{ ...upsert, name }])))
      expect(await ensureTables(db.pool, db.schema, [{ ...upsert, name }])).toEqual([name])
    })

    it('in one error for all of them, word for word', async () => {
      await byHand({ price: 'real', place: 'text NOT NULL' }, ['PRIMARY KEY (k, at, place)'])
      await db.pool.query('CREATE TABLE other (k text, n text)')
      const other: AppendTable<Row> = { ...append, name: 'other', columns: columns.slice(0, 3) }
      const { database } = db.connection
      const s = `"${db.schema}"`
      const message = await refusal([upsert, other])
      expect(
        message,
      ).toBe(`schema ${db.schema} of database ${database} does not have the tables that the pipeline writes:
- table thing: column price is real, which does not hold every numeric as it is
- table thing: column place is not written by the pipeline, and takes no NULL and has no default
- table thing: has no primary key and no unique index, whole and not deferrable, on exactly its natural key (k, at), which ON CONFLICT needs
- table other: has no column at
- table other: column n is text, which does not hold every integer as it is
Nothing was changed. Change the descriptors, or run this as the owner of the tables (\`npx millrace sql\`, with it in single quotes) and start again:

ALTER TABLE ${s}."thing" ALTER COLUMN "price" TYPE numeric USING "price"::text::numeric;
ALTER TABLE ${s}."thing" DROP CONSTRAINT "thing_pkey";
ALTER TABLE ${s}."thing" ALTER COLUMN "place" DROP NOT NULL;
CREATE UNIQUE INDEX ON ${s}."thing" ("k", "at");
ALTER TABLE ${s}."other" ADD COLUMN "at" timestamptz;
ALTER TABLE ${s}."other" ALTER COLUMN "n" TYPE integer USING "n"::text::integer;`)
      await db.pool.query(sqlOf(message))
      expect(await ensureTables(db.pool, db.schema, [upsert, other])).toEqual([])
    })

    it('and is not touched by it', async () => {
      await byHand({ price: 'real' })
      expect(await refusal([upsert])).toBe(await refusal([upsert]))
    })
  })

  describe('the column of the owners of rows', () => {
    it('is given to a table of before, whose rows belong to nobody, and is the one thing that is changed', async () => {
      await byHand({})
      await db.pool.query(`INSERT INTO thing (k, at, revision) VALUES ('old', now(), 0)`)
      expect(await ensureTables(db.pool, db.schema, [upsert])).toEqual([])
      const { rows } = await db.pool.query(`SELECT k, row_owner FROM thing`)
      expect(rows).toEqual([{ k: 'old', row_owner: null }])
      await write(upsert, row)
    })

    it('is not taken from somebody who keeps something else in it, nor from a descriptor', async () => {
      await byHand({ row_owner: 'text' })
      const message = await refusal([upsert])
      expect(wordsOf(message)).toEqual([expect.stringMatching(/column row_owner is text/)])
      await mend(message)
      expect(() =>
        checkDescriptor({ ...upsert, columns: [...upsert.columns, { name: 'row_owner', type: 'text', of: () => '' }] }),
      ).toThrow(/whose a row is in a column row_owner/)
    })
  })

  describe('a user without the right', () => {
    const role = () => `${db.schema}_worker`

    beforeAll(() => asSuperuser(db.superuser, `CREATE ROLE ${role()}`, `GRANT ${role()} TO ${db.connection.user}`))
    afterAll(() => asSuperuser(db.superuser, `DROP OWNED BY ${role()}`, `DROP ROLE ${role()}`))

    /** What the user gets to read; null when it fits. */
    const asWorker = (tables: readonly Table<never>[]) =>
      withClient(async (client) => {
        try {
          await client.query(`SET ROLE ${role()}`)
          return await ensureTables(client, db.schema, tables).then(
            () => null,
            (error: Error) => error.message,
          )
        } finally {
          await client.query('RESET ROLE')
        }
      })

    it('to add the column of the owners gets to read what the owner of the table has to run', async () => {
      await byHand({})
      await db.pool.query(
        `GRANT USAGE ON SCHEMA "${db.schema}" TO ${role()}; GRANT SELECT, INSERT, UPDATE ON thing TO ${role()}`,
      )
      const message = (await asWorker([upsert]))!
      expect(wordsOf(message)).toEqual([expect.stringMatching(/table thing: has no column row_owner.*does not own/)])
      await db.pool.query(sqlOf(message))
      expect(await asWorker([upsert])).toBe(null)
      await db.pool.query(`REVOKE ALL ON SCHEMA "${db.schema}" FROM ${role()}`)
    })

    it('gets to read what somebody with the right has to run', async () => {
      const other: AppendTable<Row> = { ...append, name: 'other' }
      const message = (await asWorker([upsert, other]))!
      expect(wordsOf(message)).toEqual([
        `- user ${role()} has no right to use the schema`,
        `- table thing: does not exist, and user ${role()} has no right to create it`,
        `- table other: does not exist, and user ${role()} has no right to create it`,
      ])
      expect(sqlOf(message)).toContain(`CREATE TABLE "${db.schema}"."thing" (
  "k" text NOT NULL,
  "at" timestamptz NOT NULL,
  "n" integer,
  "big" bigint,
  "price" numeric,
  "ok" boolean,
  "data" jsonb,
  "revision" integer NOT NULL,
  "row_owner" integer,
  PRIMARY KEY ("k", "at")
);
GRANT SELECT, INSERT, UPDATE ON "${db.schema}"."thing" TO "${role()}";`)
      await db.pool.query(sqlOf(message))
      expect(await asWorker([upsert, other])).toBe(null)
      // Who writes rows looks up whose they are.
      await db.pool.query(`GRANT SELECT ON row_owner TO ${role()}`)
      await withClient(async (client) => {
        await client.query(`SET ROLE ${role()}`)
        for (const table of [upsert, other])
          for (const step of writeSteps({ table, rows: [row] }, 1)) await runStep(client, step)
        await client.query('RESET ROLE')
      })
      expect(await stored()).toEqual([asWritten])
    })

    it('to write into a table that exists is told as well, by what it lacks', async () => {
      await ensureTables(db.pool, db.schema, [upsert])
      await db.pool.query(
        `GRANT USAGE ON SCHEMA ${db.schema} TO ${role()}; GRANT SELECT (k), INSERT ON thing TO ${role()}`,
      )
      const message = (await asWorker([upsert]))!
      expect(wordsOf(message)).toEqual([`- table thing: user ${role()} has no right to SELECT, UPDATE`])
      await db.pool.query(sqlOf(message))
      expect(await asWorker([upsert])).toBe(null)
    })

    it('and a schema that is missing, get the statement for it', async () => {
      const error = await ensureTables(db.pool, `${db.schema}_none`, [upsert]).catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(ConfigurationError)
      expect(sqlOf((error as Error).message)).toBe(`CREATE SCHEMA "${db.schema}_none";`)
    })
  })

  describe('descriptors', () => {
    it('of one table that are alike are one', async () => {
      const again: UpsertTable<Row> = { ...upsert, key: ['at', 'k'], columns: [...columns].reverse() }
      expect(await ensureTables(db.pool, db.schema, [upsert, { ...upsert }, again])).toEqual(['thing'])
    })

    it.each<[string, Table<never>]>([
      ['columns', { ...upsert, columns: columns.filter(({ name }) => name !== 'n') }],
      [
        'types',
        {
          ...upsert,
          columns: columns.map((column) => ({ ...column, type: column.name === 'n' ? 'bigint' : column.type })),
        },
      ],
      ['keys', { ...upsert, key: ['k'] }],
      ['revisions', { ...upsert, revision: 'n' }],
      ['modes', append],
    ])('of one table with different %s are refused, with both', async (_law, other) => {
      const message = await refusal([upsert, other])
      expect(message).toContain(
        'table thing is described twice, and not alike: upsert, key (at, k), revision revision, columns (',
      )
      expect(message).toContain('; and ')
    })

    it.each([
      ['table', 'schema', { ...append, name: 'x'.repeat(64) }, 'table xxx'],
      [
        'column',
        'schema',
        { ...append, columns: [{ ...columns[0]!, name: 'ü'.repeat(32) }] },
        'table thing: column üüü',
      ],
      ['schema', 's'.repeat(64), append, 'schema sss'],
    ])('with a name of a %s that PostgreSQL would cut are refused, and told why', async (_law, schema, table, what) => {
      const made = ensureTables(db.pool, schema, [table])
      await expect(made).rejects.toThrow(ConfigurationError)
      await expect(ensureTables(db.pool, schema, [table])).rejects.toThrow(
        new RegExp(`^${what}.*: its name has 64 bytes, of which PostgreSQL would keep 63`),
      )
    })

    it.each(['', 'a\0b', 'half \ud800'])('with the name %j are refused', async (name) => {
      expect(await refusal([{ ...append, name }])).toMatch(/^table ".*": a name is not empty/)
    })

    it('of no tables make none', async () => {
      expect(await ensureTables(db.pool, db.schema, [])).toEqual([])
    })
  })
})

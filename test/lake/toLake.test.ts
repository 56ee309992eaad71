import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { EMPTY, map } from 'rxjs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type BatchJob, batchPass } from '../../src/batch/batchPass.ts'
import { outletPlanOf } from '../../src/host/outletPlan.ts'
import { prepareDatabase } from '../../src/host/prepareDatabase.ts'
import { decode, definePipeline, jsonCodec, table, Withdrawn } from '../../src/index.ts'
import { DataFileWriter } from '../../src/lake/dataFile.ts'
import { type LakePlace, prepareCommit, readCommitted } from '../../src/lake/lakeCommit.ts'
import { readLiveFiles } from '../../src/lake/lakeFacts.ts'
import { followInLake, readMirrors } from '../../src/lake/lakeMirror.ts'
import { toLake } from '../../src/lake/toLake.ts'
import { tradeCodec } from '../../src/market/tradeCodec.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { ConfigurationError } from '../../src/runtime/errors.ts'
import { Worker } from '../../src/runtime/worker/worker.ts'
import { directoryStore } from '../../src/sinks/objects/directoryStore.ts'
import { PostgresCheckpointStore } from '../../src/sinks/postgres/checkpointStore.ts'
import { MemoryLog } from '../../src/testing/memoryLog.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

const python = process.env.MILLRACE_TEST_PYTHON ?? 'python3'
const program = fileURLToPath(new URL('../support/python/lake.py', import.meta.url))
const readers = [
  ['pyiceberg', 'import pyiceberg, pyarrow'],
  ['duckdb', 'import duckdb, duckdb_extension_iceberg'],
  ['clickhouse', 'import chdb'],
] as const
const here = readers.filter(([, check]) => spawnSync(python, ['-c', check]).status === 0)

const readings = table('lake_readings', {
  columns: {
    sensor: 'text',
    at: 'timestamptz',
    celsius: 'numeric',
    note: 'text?',
    count: 'bigint',
    revision: 'integer',
  },
  key: ['sensor', 'at'],
  revision: 'revision',
})
const Reading = z.object({
  sensor: z.string(),
  at: z.number(),
  celsius: z.string(),
  note: z.string().nullable(),
  count: z.number(),
  revision: z.number(),
  isGone: z.boolean().optional(),
})
type Reading = z.infer<typeof Reading>

const pipeline = definePipeline({
  name: 'readings',
  build: (records) => ({
    rows: toLake(
      records.pipe(
        decode(jsonCodec(Reading)),
        map(({ isGone, ...reading }) => (isGone === true ? new Withdrawn(reading) : reading)),
      ),
      readings,
      { name: 'weather.readings', day: 'at', decimals: { celsius: 'decimal(10,3)' } },
    ),
  }),
})

const noon = Date.parse('2026-10-31T12:00:00.123Z')
const day = 86_400_000
const reading = (sensor: string, more: Partial<Reading> = {}): Reading => ({
  sensor,
  at: noon,
  celsius: '21.125',
  note: null,
  count: 9_007_199_254_740_991,
  revision: 1,
  ...more,
})

describe('a table of a pipeline that the lake has as well', { timeout: 120_000 }, () => {
  let db: TestDatabase
  const folder = mkdtempSync(join(tmpdir(), 'millrace-to-lake-'))
  const place: LakePlace = { store: directoryStore(folder), keyPrefix: 'lake/', catalog: 'millrace' }
  const log = new MemoryLog({ topic: 'readings' })
  beforeAll(async () => {
    db = await testDatabase()
    const { tables, followed } = outletPlanOf(pipeline)
    await prepareDatabase(db.connection, db.schema, tables)
    for (const one of [...followed, ...followed]) await followInLake(db.pool, one)
  })
  afterAll(async () => {
    await db.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const bring = async (...values: readonly Reading[]) => {
    log.add(...values.map((value) => ({ value: JSON.stringify(value) })))
    const store = new PostgresCheckpointStore(db.connection, { schema: db.schema })
    const worker = new Worker({ pipeline, source: log, store, archive: null, clock: systemClock })
    const running = worker.run()
    worker.stop('drain')
    await running
    await store.close()
  }
  const pass = (more: Partial<BatchJob> = {}) =>
    batchPass(
      { trades: tradeCodec({ market: 'spot', timeUnit: 'ms' }), archive: null, lake: place, ...more },
      {
        database: { address: db.connection, schema: db.schema },
        runId: 'a',
        signal: new AbortController().signal,
      },
    )
  const files = async () => {
    const client = await db.pool.connect()
    try {
      return (await readLiveFiles(client, 'weather.readings')).map(({ day, rowCount, added }) => [day, rowCount, added])
    } finally {
      client.release()
    }
  }
  const columns = ['sensor', 'at', 'celsius', 'note', 'count', 'revision']
  const inPostgres = async () => {
    const { rows } = await db.pool.query<Record<string, string | null>>(
      `SELECT sensor, ((extract(epoch FROM at) * 1000)::bigint)::text AS at, celsius::numeric(10,3)::text AS celsius, note, count::text AS count, revision::text AS revision FROM lake_readings`,
    )
    return rows.map((row) => JSON.stringify(columns.map((name) => row[name]))).sort()
  }
  const inLake = (reader: string) => {
    const isClickhouse = reader === 'clickhouse'
    const where = join(folder, 'lake/weather/readings')
    const { status, stdout, stderr } = spawnSync(
      python,
      [
        program,
        reader,
        isClickhouse ? where : newestMetadata(where),
        ...columns.map((name) => (isClickhouse && name === 'at' ? 'at:time' : name)),
      ],
      { encoding: 'utf8', cwd: folder },
    )
    if (status !== 0) throw new Error(stderr)
    return (JSON.parse(stdout) as unknown[][]).map((row) => JSON.stringify(row)).sort()
  }
  let commits = 0
  const newestMetadata = (where: string) => join(where, `metadata/v${commits}.metadata.json`)

  it(`has after each pass what PostgreSQL has${here.length === readers.length ? '' : ' (others’ readers are not here)'}`, {
    timeout: 240_000,
  }, async () => {
    const day0 = Math.floor(noon / day)
    const steps: readonly (readonly [bring: readonly Reading[], files: readonly (readonly number[])[]])[] = [
      [[reading('roof'), reading('cellar', { celsius: '-4.125', note: 'ÄÖ🙂' })], [[day0, 2, 1]]],
      [
        [reading('roof', { at: noon + day }), reading('roof', { at: noon + day + 1 })],
        [
          [day0, 2, 1],
          [day0 + 1, 2, 2],
        ],
      ],
      [
        [reading('roof', { celsius: '22.001', revision: 2 })],
        [
          [day0, 2, 3],
          [day0 + 1, 2, 2],
        ],
      ],
      [
        [reading('roof', { at: noon + day, isGone: true }), reading('roof', { at: noon + day + 1, isGone: true })],
        [[day0, 2, 3]],
      ],
    ]
    for (const [rows, expected] of steps) {
      await bring(...rows)
      expect(await pass()).toMatchObject({ commits: 1 })
      commits += 1
      expect((await files()).sort((a, b) => Number(a[0]) - Number(b[0]))).toEqual(expected)
      for (const [reader] of here.length === readers.length ? readers : [])
        expect(inLake(reader), `${reader} after commit ${commits}`).toEqual(await inPostgres())
      expect(await pass()).toMatchObject({ commits: 0 })
    }
  })

  it('leaves the lake as it was where the table is dropped, and follows it once it is made again', async () => {
    const { tables, followed } = outletPlanOf(pipeline)
    await bring(reading('attic', { at: noon + 5 * day }))
    await pass()
    const before = await files()
    await bring(reading('attic', { at: noon + 6 * day }))
    await db.pool.query('DROP TABLE lake_readings')
    expect(await pass()).toMatchObject({ commits: 0 })
    expect(await files()).toEqual(before)
    await prepareDatabase(db.connection, db.schema, tables)
    for (const one of followed) await followInLake(db.pool, one)
    await bring(reading('attic', { at: noon + 7 * day }))
    expect(await pass()).toMatchObject({ commits: 1 })
    const [seventh] = await files()
    expect([seventh?.[0], (await files()).length]).toEqual([Math.floor(noon / day) + 7, 1])
    await db.pool.query('TRUNCATE lake_readings')
    expect(await pass()).toMatchObject({ commits: 1 })
    expect(await files()).toEqual([])
    commits += 3
  })

  it('takes the days of a table that is cut by days, whatever else was noted of it', async () => {
    await bring(reading('first', { at: 0 }))
    await db.pool.query(
      `INSERT INTO dirty_day (table_name, day) VALUES ('lake_readings', NULL), ('lake_readings', 'infinity')`,
    )
    expect(await pass()).toMatchObject({ commits: 1 })
    commits += 1
    const before = await files()
    expect(before.map(([day]) => day)).toEqual([0])
    await db.pool.query(`INSERT INTO dirty_day (table_name, day) VALUES ('lake_readings', NULL)`)
    expect(await pass()).toMatchObject({ commits: 0 })
    expect(await files()).toEqual(before)
  })

  it('takes away rows of no day that it was given once, when it is made anew', async () => {
    await bring(reading('stray', { at: day }))
    await pass()
    commits += 1
    const before = await files()
    const client = await db.pool.connect()
    try {
      const mirror = (await readMirrors(client)).find(({ table }) => table === 'lake_readings')
      if (mirror === undefined) throw new Error('it is not followed')
      const writer = new DataFileWriter(mirror.lake)
      writer.addRows([{ sensor: 'twice', at: 0, celsius: '1', note: null, count: 1, revision: 1 }])
      const commit = await prepareCommit(
        await readCommitted(client, mirror.lake),
        place,
        mirror.lake,
        { added: [writer.finish(null)], removed: [] },
        0,
      )
      await commit?.apply(client)
      await commit?.publish()
    } finally {
      client.release()
    }
    commits += 1
    expect(await files()).toHaveLength(before.length + 1)
    expect(await pass({ isFull: true })).toMatchObject({ commits: 1 })
    commits += 1
    expect((await files()).map(([day, rows]) => [day, rows])).toEqual(before.map(([day, rows]) => [day, rows]))
  })

  it('leaves a table as it was that the lake cannot have, tells so once, and goes on with the others', async () => {
    await db.pool.query(`CREATE TABLE other_sensor (name text PRIMARY KEY, revision integer NOT NULL)`)
    const other = { name: 'sensor', namespace: 'weather', key: ['name'], day: null }
    const name = { name: 'name', type: 'string' as const, isOptional: false }
    await followInLake(db.pool, { table: 'other_sensor', lake: { ...other, columns: [name] } })
    const told: string[] = []
    const refusing = async () => {
      const counts = await batchPass(
        { trades: tradeCodec({ market: 'spot', timeUnit: 'ms' }), archive: null, lake: place },
        {
          database: { address: db.connection, schema: db.schema },
          runId: 'refusing',
          signal: new AbortController().signal,
          tell: async (_client, text) => void told.push(text),
        },
      )
      return [counts.commits, counts.refused]
    }
    await bring(reading('sound'))
    expect(await refusing()).toEqual([1, 0])
    const before = await files()
    await db.pool.query(`UPDATE lake_readings SET celsius = 1e8 WHERE sensor = 'sound'`)
    await db.pool.query(`INSERT INTO other_sensor VALUES ('a', 1)`)
    expect(await refusing()).toEqual([1, 1])
    expect(await refusing()).toEqual([0, 1])
    expect(await files()).toEqual(before)
    expect(told).toEqual([
      expect.stringMatching(
        /^The table weather\.readings of the lake stays as it was, for it cannot have lake_readings as it is: lake table weather\.readings, column celsius: /,
      ),
    ])
    await db.pool.query(`UPDATE lake_readings SET celsius = 1 WHERE sensor = 'sound'`)
    expect(await refusing()).toEqual([1, 0])
    expect(await refusing()).toEqual([0, 0])
    await db.pool.query(`INSERT INTO other_sensor VALUES ('b', 1)`)
    await db.pool.query('ALTER TABLE other_sensor RENAME COLUMN name TO title')
    await bring(reading('behind it'))
    expect(await refusing()).toEqual([1, 1])
    expect(told.slice(1)).toEqual([expect.stringContaining('column other_sensor.name does not exist')])
    await db.pool.query('ALTER TABLE other_sensor RENAME COLUMN title TO name')
    expect(await refusing()).toEqual([1, 0])
    await db.pool.query('ALTER TABLE other_sensor RENAME TO whole_sensor')
    await db.pool.query(
      `CREATE FUNCTION not_ours() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the fault of no table'; END $$`,
    )
    await db.pool.query('CREATE VIEW other_sensor AS SELECT not_ours() AS name')
    await db.pool.query(`INSERT INTO dirty_day (table_name) VALUES ('other_sensor')`)
    await expect(refusing()).rejects.toThrow('the fault of no table')
    await db.pool.query('DROP VIEW other_sensor; DROP TABLE whole_sensor')
    commits += 3
  })

  it('refuses a pipeline whose table the lake could not have, before a pass would stand still', async () => {
    const [first] = outletPlanOf(pipeline).followed
    if (first === undefined) throw new Error('nothing is followed')
    const { table, lake } = first
    const [sensor, at, ...rest] = lake.columns
    const other = (more: Partial<typeof lake>) => followInLake(db.pool, { table, lake: { ...lake, ...more } })
    await bring(reading('cut'))
    await pass()
    commits += 1
    await expect(other({ columns: lake.columns.map((one) => ({ ...one, isOptional: false })) })).rejects.toThrow(
      'lake table weather.readings: column 3 of it is (celsius, decimal(10, 3), optional), and of the descriptor (celsius, decimal(10, 3)). A descriptor may add optional columns at the end and change nothing else; give a table of other columns another name.',
    )
    await expect(other({ columns: [at, sensor, ...rest].flatMap((one) => one ?? []) })).rejects.toThrow(
      ConfigurationError,
    )
    await expect(other({ day: null })).rejects.toThrow(
      'lake table weather.readings: its files are cut by the day of at, and the descriptor would cut them by no day. Give a table that is cut otherwise another name.',
    )
    await db.pool.query('CREATE TABLE other_readings (LIKE lake_readings)')
    await expect(followInLake(db.pool, { table: 'other_readings', lake })).rejects.toThrow(
      'toLake weather.readings: the lake has the table lake_readings under that name. Give other_readings another name in the lake.',
    )
    expect(await pass()).toMatchObject({ commits: 0 })
    await other({ columns: [...lake.columns, { name: 'place', type: 'string', isOptional: true }] })
    await db.pool.query('ALTER TABLE lake_readings ADD COLUMN place text')
    expect(await pass()).toMatchObject({ commits: 1 })
    commits += 1
    // The release before comes back.
    await other({})
    await bring(reading('back'))
    expect(await pass()).toMatchObject({ commits: 1 })
    commits += 1
    const { rows } = await db.pool.query(
      `SELECT jsonb_array_length(columns) AS n FROM lake_mirror WHERE table_name = 'lake_readings'`,
    )
    expect(rows).toEqual([{ n: 7 }])
  })

  it('takes over the name of a table that was dropped', async () => {
    const [first] = outletPlanOf(pipeline).followed
    if (first === undefined) throw new Error('nothing is followed')
    const lake = { ...first.lake, name: 'moved' }
    await db.pool.query('CREATE TABLE moved (LIKE lake_readings); CREATE TABLE moved_again (LIKE lake_readings)')
    await followInLake(db.pool, { table: 'moved', lake })
    await db.pool.query('DROP TABLE moved')
    await followInLake(db.pool, { table: 'moved_again', lake })
    const { rows } = await db.pool.query(`SELECT table_name FROM lake_mirror WHERE lake_name = 'weather.moved'`)
    expect(rows).toEqual([{ table_name: 'moved_again' }])
  })

  it('sets a row aside that the lake cannot hold', async () => {
    await bring(
      reading('hot', { celsius: '12345678.5' }),
      reading('fine', { celsius: '0.0001' }),
      reading('ok', { celsius: '1.1000' }),
    )
    const { rows } = await db.pool.query('SELECT detail FROM dead_letter ORDER BY "offset"')
    expect(rows.map(({ detail }) => detail)).toEqual([
      expect.stringContaining('12345678.5 does not fit decimal(10,3) of weather.readings'),
      expect.stringContaining('0.0001 does not fit'),
    ])
    expect(await pass()).toMatchObject({ commits: 1 })
  })

  it('says what a numeric column needs', () => {
    expect(() => toLake(EMPTY, readings, { name: 'weather.readings' })).toThrow(
      "toLake weather.readings: column celsius is numeric, which in the lake has a number of digits: give decimals: { celsius: 'decimal(38,8)' }, say.",
    )
    expect(() => toLake(EMPTY, readings, { name: 'w.r', decimals: { sensor: 'decimal(3,1)' } })).toThrow(
      'decimals names sensor, which is no numeric column of lake_readings',
    )
    expect(() => toLake(EMPTY, readings, { name: 'w.r', dya: 'at' } as never)).toThrow(/dya/)
  })
})

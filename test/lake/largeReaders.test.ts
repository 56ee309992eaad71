// Engines that are too large for CI. Run it where Python has them:
//   MILLRACE_TEST_TRINO=…/trino-server-476 (and a new java on the path)
//   MILLRACE_TEST_PYTHON=…/bin/python MILLRACE_TEST_SPARK_JAR=…/iceberg-spark-runtime-3.5_2.12-1.10.2.jar npx vitest run test/lake/largeReaders.test.ts
import { execFile, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeLake } from '../../src/lake/lake.ts'
import { expireLake, sweepLake } from '../../src/lake/lakeCleanup.ts'
import type { LakePlace } from '../../src/lake/lakeCommit.ts'
import { type LakeRow, lakeTable } from '../../src/lake/lakeTable.ts'
import { type RunningCatalog, serveCatalog } from '../../src/lake/restCatalog.ts'
import { directoryStore } from '../../src/sinks/objects/directoryStore.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'
import { startTrino, trinoFolder } from '../support/trino.ts'

const python = process.env.MILLRACE_TEST_PYTHON ?? 'python3'
const program = fileURLToPath(new URL('../support/python/largeReaders.py', import.meta.url))
const has = (module: string) => spawnSync(python, ['-c', `import ${module}`]).status === 0
const hasSpark = has('pyspark') && existsSync(process.env.MILLRACE_TEST_SPARK_JAR ?? '')

const fills = lakeTable('market.fills', {
  columns: {
    symbol: 'string',
    at: 'timestamptz',
    price: 'decimal(18,8)',
    turnover: 'decimal(38,16)',
    id: 'long',
    kind: 'int',
    is_buyer: 'boolean',
    note: 'string?',
  },
  key: ['symbol', 'id'],
  day: 'at',
})
const columns = fills.columns.map(({ name }) => name)
const asText = columns.map((name) =>
  name === 'at' ? '(extract(epoch FROM at) * 1000)::bigint::text' : name === 'kind' ? 'kind::text' : `${name}::text`,
)

const noon = Date.parse('2026-10-31T12:00:00.123Z')
const day = 86_400_000

function row(id: number, differing: LakeRow = {}): LakeRow {
  return {
    symbol: id % 2 === 0 ? 'BTCUSDT' : 'ÄÖ🙂',
    at: noon + id,
    price: '61837.63000001',
    turnover: '123456789012345678901.0000000000000001',
    id: 9_007_199_254_740_993n + BigInt(id),
    kind: -id,
    is_buyer: id % 3 === 0,
    note: id % 5 === 0 ? null : `n ${id}`,
    ...differing,
  }
}

type Rows = readonly (readonly (string | null)[])[]
const sorted = (rows: Rows) => rows.map((one) => JSON.stringify(one)).sort()

/** What Spark is asked besides the rows. */
const facts = ['snapshots', 'history', 'files', 'partitions', 'entries', 'manifests'] as const
type Answer = Readonly<Record<'rows' | 'byFolder' | 'before' | 'where' | (typeof facts)[number], Rows>> & {
  readonly plan: readonly string[]
}

async function ask(reader: string, question: object): Promise<Answer> {
  const { stdout } = await promisify(execFile)(python, [program, JSON.stringify({ reader, columns, ...question })], {
    maxBuffer: 1 << 26,
  })
  // Ids of snapshots are larger than a double tells apart, and come as text.
  return JSON.parse(stdout.slice(stdout.indexOf('{')))
}

describe('a table of the lake, as large engines read it', { timeout: 600_000 }, () => {
  let folder: string
  let place: LakePlace
  let db: TestDatabase
  let catalog: RunningCatalog
  const first = Array.from({ length: 10 }, (_, i) => row(i))
  const second = Array.from({ length: 4 }, (_, i) => row(100 + i, { at: noon + day + i }))
  const corrected = first.map((one, i) => (i === 3 ? { ...one, price: '-0.00000001', note: 'corrected' } : one))
  /** What PostgreSQL has after each commit, as its own text. */
  const stored: string[][] = []
  let metadata = ''

  async function commit(
    mode: 'append' | 'replace-days',
    rows: readonly LakeRow[],
    all: readonly LakeRow[],
    at: number,
  ): Promise<void> {
    const client = await db.pool.connect()
    try {
      metadata = (await writeLake(client, place, { table: fills, mode, rows }, at))?.metadata ?? metadata
      await client.query('TRUNCATE fills')
      const values = all.map((one) => ({ ...one, id: String(one.id), at: new Date(one.at as number).toISOString() }))
      await client.query('INSERT INTO fills SELECT * FROM jsonb_populate_recordset(NULL::fills, $1)', [
        JSON.stringify(values),
      ])
      const { rows: texts } = await client.query<(string | null)[]>({
        text: `SELECT ${asText.join()} FROM fills`,
        rowMode: 'array',
      })
      stored.push(sorted(texts))
    } finally {
      client.release()
    }
  }

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-large-'))
    place = { store: directoryStore(folder), keyPrefix: 'lake/', catalog: 'millrace' }
    db = await testDatabase()
    await db.pool.query(
      'CREATE TABLE fills (symbol text, at timestamptz, price numeric(18,8), turnover numeric(38,16), id bigint, kind integer, is_buyer boolean, note text)',
    )
    catalog = await serveCatalog(db.pool, place, { host: '127.0.0.1', port: 0 }, (error) => {
      throw error
    })
    await commit('append', first, first, noon)
    await commit('append', second, [...first, ...second], noon + 1)
    await commit('replace-days', corrected, [...corrected, ...second], noon + 2)
  })
  afterAll(async () => {
    await catalog.close()
    await db.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const question = () => ({ uri: catalog.url, table: 'market.fills', metadata })

  it.skipIf(!hasSpark)(
    'has the rows of PostgreSQL in Spark, now and before, after expire and sweep as well',
    async () => {
      const found = await ask('spark', { ...question(), ask: ['rows', 'byFolder', ...facts] })
      expect(sorted(found.rows)).toEqual(stored[2])
      expect(sorted(found.byFolder)).toEqual(stored[2])
      expect(found.snapshots.map(([, operation]) => operation)).toEqual(['append', 'append', 'overwrite'])
      expect(found.history).toEqual([['true'], ['true'], ['true']])
      expect(found.files.map(([records]) => records)).toEqual(['4', '10'])
      expect(found.partitions).toEqual([
        ['4', '1'],
        ['10', '1'],
      ])
      // Added, added in the manifest of another month, which stays as it was, and deleted.
      expect(found.entries.map(([status]) => status).sort()).toEqual(['1', '1', '2'])
      expect(found.manifests.length).toBeGreaterThan(0)

      // Without the file of the other day: a condition on the time does not open it.
      const other = String(found.files[1]?.[1]).replace('file://', '')
      renameSync(other, `${other}.away`)
      const again = await ask('spark', {
        ...question(),
        ...{ ask: ['before', 'where', 'plan'], snapshot: found.snapshots[1]?.[0] },
        where: `at >= TIMESTAMP '2026-11-01 00:00:00' AND price > 1`,
      })
      renameSync(`${other}.away`, other)
      expect(sorted(again.before)).toEqual(stored[1])
      expect(again.where).toHaveLength(4)
      expect(again.plan.join()).toContain('price > 1')

      const client = await db.pool.connect()
      try {
        await expireLake(client, place, { keepSnapshots: 1, keepMs: 0, now: noon + 10 })
        await sweepLake(client, place, { isDeleting: true })
        expect(sorted((await ask('spark', { ...question(), ask: ['rows'] })).rows)).toEqual(stored[2])
        const late = row(200, { at: noon + 2 * day })
        await commit('append', [late], [...corrected, ...second, late], noon + 11)
        const after = await ask('spark', { ...question(), ask: ['rows', 'byFolder', 'snapshots'] })
        expect(sorted(after.rows)).toEqual(stored[3])
        expect(sorted(after.byFolder)).toEqual(stored[3])
        expect(after.snapshots).toHaveLength(2)
      } finally {
        client.release()
      }
    },
  )

  it.skipIf(trinoFolder === undefined)(
    'has them in Trino, now and before, and what is known of the table',
    async () => {
      const trino = await startTrino({
        'connector.name': 'iceberg',
        'iceberg.catalog.type': 'rest',
        'iceberg.rest-catalog.uri': catalog.url,
        'fs.hadoop.enabled': 'true',
      })
      const texts = columns.map((name) =>
        name === 'at' ? 'CAST(to_unixtime(at) * 1000 AS bigint)' : name === 'note' ? name : `CAST(${name} AS varchar)`,
      )
      const rowsOf = async (source: string) => {
        const rows = await trino.query(`SELECT ${texts.join()} FROM millrace.market.fills ${source}`)
        return sorted(rows.map((one) => one.map((value) => (value === null ? null : String(value)))))
      }
      try {
        const snapshots = await trino.query(
          'SELECT CAST(snapshot_id AS varchar), operation FROM millrace.market."fills$snapshots" ORDER BY committed_at',
        )
        expect(await rowsOf('')).toEqual(stored.at(-1))
        expect(await rowsOf(`FOR VERSION AS OF ${snapshots.at(-2)?.[0]}`)).toEqual(stored.at(-2))
        const where = `WHERE at >= TIMESTAMP '2026-11-01 00:00:00 UTC' AND price > 1`
        const november = Date.parse('2026-11-01T00:00:00Z')
        const found = stored.at(-1)?.filter((one) => Number(JSON.parse(one)[1]) >= november)
        expect(await trino.query(`SELECT count(*) FROM millrace.market.fills ${where}`)).toEqual([[found?.length]])
      } finally {
        await trino.stop()
      }
    },
  )

  it.skipIf(!has('polars, pyiceberg'))('has them in Polars', async () => {
    expect(sorted((await ask('polars', question())).rows)).toEqual(stored.at(-1))
  })

  it.skipIf(!has('daft, pyiceberg'))('has them in Daft', async () => {
    expect(sorted((await ask('daft', question())).rows)).toEqual(stored.at(-1))
  })
})

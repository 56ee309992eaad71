import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeLake } from '../../src/lake/lake.ts'
import type { LakePlace } from '../../src/lake/lakeCommit.ts'
import { type LakeRow, lakeTable } from '../../src/lake/lakeTable.ts'
import { directoryStore } from '../../src/sinks/objects/directoryStore.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

const python = process.env.MILLRACE_TEST_PYTHON ?? 'python3'
const program = fileURLToPath(new URL('../support/python/lake.py', import.meta.url))
const readers = [
  ['pyiceberg', 'import pyiceberg, pyarrow'],
  ['duckdb', 'import duckdb, duckdb_extension_iceberg'],
  ['clickhouse', 'import chdb'],
] as const
const here = readers.filter(([, check]) => spawnSync(python, ['-c', check]).status === 0).map(([name]) => name)

const trades = lakeTable('market.trades', {
  columns: {
    symbol: 'string',
    at: 'timestamptz',
    price: 'decimal(18,8)',
    turnover: 'decimal(38,16)',
    id: 'long',
    kind: 'int',
    is_buyer: 'boolean',
    ratio: 'double?',
    note: 'string?',
  },
  key: ['symbol', 'id'],
  day: 'at',
})

// ClickHouse reads below the folder that it runs in.
const folder = mkdtempSync(join(tmpdir(), 'millrace-lake-'))
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
    ratio: id % 4 === 0 ? null : id / 3,
    note: id % 5 === 0 ? null : `n ${id}`,
    ...differing,
  }
}

/** The rows as texts of exact decimals, by id. */
function texts(rows: readonly LakeRow[]): string[] {
  const columns = trades.columns.map(({ name }) => name)
  return rows
    .map((one) =>
      JSON.stringify(
        columns.map((name) => (one[name] === null ? null : name === 'ratio' ? Number(one[name]) : String(one[name]))),
      ),
    )
    .sort()
}

function read(reader: string, place: string): string[] {
  const columns = trades.columns.map(({ name, type }) =>
    reader === 'clickhouse' && type === 'timestamptz' ? `${name}:time` : name,
  )
  const { status, stdout, stderr } = spawnSync(python, [program, reader, place, ...columns], {
    encoding: 'utf8',
    cwd: folder,
  })
  if (status !== 0) throw new Error(stderr)
  const at = trades.columns.findIndex(({ name }) => name === 'ratio')
  return (JSON.parse(stdout) as (string | null)[][])
    .map((one) => JSON.stringify(one.map((cell, i) => (i === at && cell !== null ? Number(cell) : cell))))
    .sort()
}

describe('a table of the lake, as others read it', { timeout: 120_000 }, () => {
  let db: TestDatabase
  const place: LakePlace = { store: directoryStore(folder), keyPrefix: 'lake/', catalog: 'millrace' }
  beforeAll(async () => {
    db = await testDatabase()
  })
  afterAll(async () => {
    await db.close()
    rmSync(folder, { recursive: true, force: true })
  })

  it.skipIf(here.length < readers.length)(
    `has the same rows after each commit (${readers.map(([name]) => name).join(', ')})`,
    async () => {
      const client = await db.pool.connect()
      const first = Array.from({ length: 10 }, (_, i) => row(i))
      const second = Array.from({ length: 4 }, (_, i) => row(100 + i, { at: noon + day + i }))
      const corrected = first.map((one, i) => (i === 3 ? { ...one, price: '-0.00000001', note: 'corrected' } : one))
      const steps: readonly (readonly [write: Parameters<typeof writeLake>[2], rows: readonly LakeRow[]])[] = [
        [{ table: trades, rows: first, mode: 'append' }, first],
        [{ table: trades, rows: second, mode: 'append' }, [...first, ...second]],
        [{ table: trades, rows: corrected, mode: 'replace-days' }, [...corrected, ...second]],
        [{ table: trades, rows: [], mode: 'replace-days', days: [noon + day] }, corrected],
      ]
      try {
        for (const [i, [write, rows]] of steps.entries()) {
          const metadata = (await writeLake(client, place, write, noon + i))?.metadata ?? ''
          for (const [reader] of readers) {
            const where = reader === 'clickhouse' ? join(folder, 'lake/market/trades') : metadata
            expect(read(reader, where), `${reader} after commit ${i + 1}`).toEqual(texts(rows))
          }
        }
      } finally {
        client.release()
      }
    },
  )
})

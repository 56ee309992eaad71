import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { toFixed8 } from '../../src/exact/decimal.ts'
import { whileWriting } from '../../src/lake/lakeLock.ts'
import { MirroredDays } from '../../src/lake/mirroredDays.ts'
import type { RowsAtHand } from '../../src/lake/rowsAtHand.ts'
import { rowAt } from '../../src/sinks/postgres/binaryRow.ts'
import { BinaryRows } from '../../src/sinks/postgres/binaryRows.ts'
import { CopiedRows } from '../../src/sinks/postgres/copiedRows.ts'
import { MemoryObjectStore } from '../../src/testing/memoryObjectStore.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

const table = 'gold_klines_1h'
const midnight = Date.UTC(2026, 0, 5)
const hourMs = 3_600_000
const values = ['open', 'high', 'low', 'close', 'volume', 'quote_volume', 'trade_count']
const columns = ['market', 'symbol', 'open_time', ...values, 'taker_buy_volume', 'taker_buy_quote_volume', 'vwap']

let db: TestDatabase
let client: pg.PoolClient

beforeAll(async () => {
  db = await testDatabase()
  client = await db.pool.connect()
})

beforeEach(async () => {
  await client.query(
    `TRUNCATE ${table}, dirty_day, lake_table, lake_file, lake_snapshot, lake_manifest, iceberg_tables CASCADE`,
  )
})

afterAll(async () => {
  client.release()
  await db.close()
})

const insert = (symbol: string, hours: number) =>
  client.query(
    `INSERT INTO ${table} SELECT 'spot', $1, timestamptz '2026-01-05Z' + n * interval '1 hour', 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 FROM generate_series(0, $2::integer - 1) AS n`,
    [symbol, hours],
  )

/** Hours of a symbol on the day, as somebody would have read them. */
function seriesOf(symbol: string, hours: number): RowsAtHand['series'][number] {
  const rows = new BinaryRows()
  for (let n = 0; n < hours; n++) {
    rows.beginRow(columns.length - 2)
    rows.long((midnight + n * hourMs - Date.UTC(2000, 0, 1)) * 1_000)
    for (let i = 0; i < 5; i++) rows.fixed8(toFixed8(1))
    rows.fixed16(1n)
    rows.long(1)
    rows.fixed8(toFixed8(1))
    rows.fixed16(1n)
    rows.fixed8(toFixed8(1))
  }
  const copied = new CopiedRows()
  const bytes = rows.copyBytes(Array.from({ length: hours }, (_, n) => n))
  // One message, as if it were a row: a reader walks on behind each that was read.
  if (rowAt(bytes) >= 0) copied.add(bytes.subarray(0, -2))
  return { day: midnight, key: ['spot', symbol], reader: () => copied.reader() }
}

interface Made {
  /** Rows of its files in the lake, by day. */
  readonly rows: number
  readonly isLetGo: boolean
}

/** A commit by somebody who has read some of the rows, and to whom something may happen after that. */
async function made(
  series: RowsAtHand['series'],
  {
    after,
    meanwhile = async () => {},
    ...more
  }: Partial<RowsAtHand> & { readonly after?: number; readonly meanwhile?: () => Promise<unknown> } = {},
): Promise<Made> {
  let isLetGo = false
  await whileWriting(client, async () => {
    await client.query('BEGIN')
    const mirrors = new MirroredDays(client, { store: new MemoryObjectStore(), keyPrefix: '', catalog: 'millrace' })
    await mirrors.expect(table, [midnight])
    mirrors.hold({ table, columns, series, ...more }, () => {
      isLetGo = true
    })
    await meanwhile()
    await mirrors.make(after)
    // What was held for days that were not made is read from the table.
    if (after !== undefined) await mirrors.make()
    const { refused } = await mirrors.commit(midnight)
    expect(refused).toEqual([])
    await client.query('COMMIT')
  })
  const { rows } = await client.query<{ rows: number }>(
    'SELECT sum(row_count)::integer AS rows FROM lake_file WHERE removed IS NULL',
  )
  return { rows: rows[0]?.rows ?? 0, isLetGo }
}

test('a day of which all was read is written as it was read', async () => {
  await insert('BTCUSDT', 3)
  await insert('ETHUSDT', 2)
  const handed = [seriesOf('ETHUSDT', 9), seriesOf('BTCUSDT', 8)]
  expect(await made(handed)).toEqual({ rows: 17, isLetGo: true })
})

test('a series that has no rows any more is none', async () => {
  await insert('BTCUSDT', 3)
  expect(await made([seriesOf('BTCUSDT', 8), seriesOf('ETHUSDT', 0)])).toEqual({ rows: 8, isLetGo: true })
})

test('a day of which some was read is read from the table', async () => {
  await insert('BTCUSDT', 3)
  await insert('ETHUSDT', 2)
  expect(await made([seriesOf('BTCUSDT', 8)])).toEqual({ rows: 5, isLetGo: true })
})

test('a day that has changed since it was read is read from the table', async () => {
  await insert('BTCUSDT', 3)
  const meanwhile = () => client.query(`UPDATE ${table} SET high = 2`)
  expect(await made([seriesOf('BTCUSDT', 8)], { meanwhile })).toEqual({ rows: 3, isLetGo: true })
})

test('what was read of a day that is made later, or of other columns, is let go of', async () => {
  await insert('BTCUSDT', 3)
  expect(await made([seriesOf('BTCUSDT', 8)], { after: midnight })).toEqual({ rows: 3, isLetGo: true })
  await client.query(`UPDATE ${table} SET high = 3`)
  expect(await made([seriesOf('BTCUSDT', 8)], { columns: columns.slice(0, -1) })).toEqual({ rows: 3, isLetGo: true })
})

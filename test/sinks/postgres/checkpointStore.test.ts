import type { ColumnValue } from '../../../src/runtime/store/table.ts'
import { PostgresCheckpointStore } from '../../../src/sinks/postgres/checkpointStore.ts'
import { unescapeText } from '../../../src/sinks/postgres/columnText.ts'
import { storedHeaders } from '../../../src/sinks/postgres/headersText.ts'
import { checkpointStoreContract } from '../../contract/checkpointStore.ts'
import { testDatabase } from '../../support/postgres.ts'

const tables = `
  CREATE TABLE "contract ""Bar""" (
    symbol text NOT NULL, day numeric NOT NULL, at timestamptz NOT NULL, revision integer NOT NULL, price numeric NOT NULL,
    count bigint NOT NULL, "note ""x""" text, "isClosed" boolean NOT NULL, extra jsonb, row_owner integer, PRIMARY KEY (symbol, day, at)
  );
  CREATE TABLE contract_line (number bigint NOT NULL, text text, at timestamptz);
`
const ms = (column: string) => `round(extract(epoch FROM ${column}) * 1000)::text`
const barColumns = `symbol, day::text, ${ms('at')} AS at, revision, price::text, count::text, "note ""x""", "isClosed", extra::text`
const selects: Readonly<Record<string, string>> = {
  'contract "Bar"': `SELECT ${barColumns} FROM "contract ""Bar"""`,
  contract_line: `SELECT number::text, text, ${ms('at')} AS at FROM contract_line`,
}

const bytesOf = (bytes: Uint8Array | null) => (bytes === null ? null : Uint8Array.from(bytes))

const restore: Readonly<Record<string, (value: never) => ColumnValue>> = {
  at: (value: string) => Number(value),
  count: (value: string) => BigInt(value),
  number: (value: string) => BigInt(value),
  symbol: unescapeText,
  text: unescapeText,
  'note "x"': unescapeText,
}

checkpointStoreContract('PostgreSQL', async () => {
  const db = await testDatabase()
  await db.pool.query(tables)
  const store = new PostgresCheckpointStore(db.connection, { schema: db.schema })
  return {
    store,
    async rows(table) {
      const { rows } = await db.pool.query<Record<string, never>>(selects[table]!)
      return rows.map((row) =>
        Object.fromEntries(
          Object.entries(row).map(([name, value]) => [name, value === null ? null : (restore[name]?.(value) ?? value)]),
        ),
      )
    },
    async deadLetters(task) {
      const { rows } = await db.pool.query<Record<string, never>>(
        `SELECT "offset"::text, ordinal, operator, reason, detail, ${ms('record_time')} AS time, key, headers, payload
         FROM dead_letter WHERE pipeline = $1 AND topic = $2`,
        [task.pipeline, task.topic],
      )
      return rows.map((row) => ({
        offset: Number(row.offset),
        ordinal: row.ordinal!,
        operator: row.operator!,
        reason: row.reason!,
        detail: unescapeText(row.detail!),
        recordTime: row.time === null ? null : Number(row.time),
        key: bytesOf(row.key!),
        headers: storedHeaders(row.headers!).map(({ key, value }) => ({ key, value: bytesOf(value) })),
        payload: bytesOf(row.payload!),
      }))
    },
    async objects(task) {
      const { rows } = await db.pool.query<Record<string, never>>(
        `SELECT *, ${ms('min_timestamp')} AS min, ${ms('max_timestamp')} AS max FROM archive_object WHERE pipeline = $1 AND topic = $2`,
        [task.pipeline, task.topic],
      )
      return rows.map((row) => ({
        key: row.key!,
        firstOffset: Number(row.first_offset),
        lastOffset: Number(row.last_offset),
        recordCount: Number(row.record_count),
        sizeBytes: Number(row.size_bytes),
        sha256: row.sha256!,
        minTimestamp: Number(row.min),
        maxTimestamp: Number(row.max),
        symbols: row.symbols!,
      }))
    },
    async idleAdvances(task) {
      const { rows } = await db.pool.query<{ offset: string; watermark: string }>(
        'SELECT "offset", watermark FROM idle_advance WHERE pipeline = $1 AND topic = $2 ORDER BY 1, 2',
        [task.pipeline, task.topic],
      )
      return rows.map(({ offset, watermark }) => ({ offset: Number(offset), watermark: Number(watermark) }))
    },
    async dispose() {
      await store.close()
      await db.close()
    },
  }
})

import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { daysSetting, daysText, hasFewSeries, setDays } from '../../src/lake/dayRows.ts'
import type { LakeMirror } from '../../src/lake/lakeMirror.ts'
import { lakeTable } from '../../src/lake/lakeTable.ts'
import { openConnection } from '../../src/sinks/postgres/connection.ts'
import { copyOut } from '../../src/sinks/postgres/copyOut.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

let db: TestDatabase
let client: Awaited<ReturnType<typeof openConnection>>
beforeAll(async () => {
  db = await testDatabase()
  client = await openConnection(db.connection, {
    schema: db.schema,
    applicationName: 'test',
    connectTimeoutMs: 5_000,
  })
})
afterAll(async () => {
  await client.end()
  await db.close()
})

const mirror = (key: readonly string[], more: Partial<{ table: string; day: string }> = {}): LakeMirror => ({
  table: more.table ?? 'days',
  lake: lakeTable('test.odd', {
    columns: { market: 'string', order: 'string', at: 'timestamptz', price: 'decimal(38,8)?' },
    key,
    day: more.day ?? 'at',
  }),
  isRefused: false,
})
const key = ['market', 'order', 'at']

it('reads the same rows series by series as out of the whole table, day by day and in the order of the key', async () => {
  const row = fc.record({
    market: fc.constantFrom('a', 'b', 'B', ''),
    symbol: fc.constantFrom('x', 'y y', 'ü', "q'"),
    ms: fc.integer({ min: -3 * 86_400_000, max: 3 * 86_400_000 }),
    price: fc.option(fc.integer({ min: -9, max: 9 })),
  })
  await client.query(
    'CREATE TABLE days (market text, "order" text, at timestamptz, price numeric, PRIMARY KEY (market, "order", at))',
  )
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(row, { selector: ({ market, symbol, ms }) => `${market}/${symbol}/${ms}`, maxLength: 30 }),
      fc.uniqueArray(fc.integer({ min: -4, max: 4 }), { minLength: 1, maxLength: 8 }),
      async (rows, days) => {
        await client.query('TRUNCATE days')
        for (const { market, symbol, ms, price } of rows)
          await client.query('INSERT INTO days VALUES ($1, $2, $3, $4)', [market, symbol, new Date(ms), price])
        await client.query('BEGIN')
        await client.query(setDays, [daysSetting(days)])
        const read = async (isBySeries: boolean) => {
          const messages: string[] = []
          await copyOut(client, daysText(mirror(key), isBySeries), (bytes) => messages.push(bytes.toString('hex')))
          return messages
        }
        const [bySeries, byTable] = [await read(true), await read(false)]
        await client.query('ROLLBACK')
        expect(bySeries).toEqual(byTable)
        const inDays = rows.filter(({ ms }) => days.includes(Math.floor(ms / 86_400_000)))
        // The header comes with the first row, or with the end.
        expect(bySeries).toHaveLength(inDays.length + 1)
      },
    ),
    { numRuns: 25 },
  )
})

it('goes series by series where an index finds them and there are few', async () => {
  expect(await hasFewSeries(client, mirror(key))).toBe(true)
  expect(await hasFewSeries(client, mirror(['at']))).toBe(false)
  expect(await hasFewSeries(client, mirror(['at', 'market', 'order']))).toBe(false)
  expect(await hasFewSeries(client, mirror(['order', 'market', 'at']))).toBe(false)
  await client.query('CREATE TABLE many (market text, "order" text, at timestamptz, price numeric)')
  const many = mirror(key, { table: 'many' })
  expect(await hasFewSeries(client, many)).toBe(false)
  await client.query('CREATE INDEX ON many (market, "order", at) WHERE price > 0')
  expect(await hasFewSeries(client, many)).toBe(false)
  await client.query('CREATE INDEX ON many (market, "order", at, price)')
  expect(await hasFewSeries(client, many)).toBe(true)
  await client.query(`INSERT INTO many SELECT 'a', n::text, now() FROM generate_series(1, 1000) AS n`)
  expect(await hasFewSeries(client, many)).toBe(true)
  await client.query(`INSERT INTO many VALUES ('b', '', now())`)
  expect(await hasFewSeries(client, many)).toBe(false)
})

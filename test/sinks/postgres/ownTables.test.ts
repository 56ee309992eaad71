import { afterAll, beforeAll, expect, it } from 'vitest'
import { ConfigurationError } from '../../../src/runtime/errors.ts'
import { ensureTables } from '../../../src/sinks/postgres/ensureTables.ts'
import { ownTables } from '../../../src/sinks/postgres/ownTables.ts'
import { table } from '../../../src/sinks/table.ts'
import { type TestDatabase, testDatabase } from '../../support/postgres.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

it('are all that the migrations make but what is of the market', async () => {
  const { rows } = await db.pool.query<{ name: string }>(
    'SELECT tablename AS name FROM pg_tables WHERE schemaname = $1 ORDER BY tablename',
    [db.schema],
  )
  const ofMarket = ['alert_event', 'candle_difference', 'feed_gap', 'kline_archive', 'kline_coverage', 'raw_klines']
  const isOfMarket = (name: string) => /^fact_|_klines_/.test(name) || ofMarket.includes(name)
  expect(rows.map(({ name }) => name).filter((name) => !isOfMarket(name))).toEqual(ownTables)
})

it.each(ownTables)('%s is no table of a pipeline, and stays as it is', async (name) => {
  const columns = [{ name: 'line', type: 'text' as const, of: () => 'x' }]
  const made = ensureTables(db.pool, db.schema, [{ mode: 'append', name, columns }])
  await expect(made).rejects.toThrow(ConfigurationError)
  await expect(made).rejects.toThrow(/^table \w+: Millrace keeps its own data in a table of this name/)
  expect(() => table(name, { columns: { line: 'text' } })).toThrow('give yours another one')
})

import fc from 'fast-check'
import { afterAll, expect, it } from 'vitest'
import { checkQuality } from '../../src/quality/checkQuality.ts'
import type { Expectation } from '../../src/quality/expectation.ts'
import { defineQuality } from '../../src/quality/quality.ts'
import { openConnection } from '../../src/sinks/postgres/connection.ts'
import { testDatabase } from '../support/postgres.ts'

const db = await testDatabase()
const client = await openConnection(db.connection, {
  schema: db.schema,
  applicationName: 'test',
  connectTimeoutMs: 5_000,
})
const start = Date.UTC(2024, 7, 8)
const minute = 60_000
const symbols = ['A', 'B', 'C'] as const
const columns = 'symbol, at, low, open, high, volume, side'
await db.pool.query(
  `CREATE TABLE bar (symbol text, at timestamptz, low numeric, open numeric, high numeric, volume numeric, side text)`,
)
await db.pool.query('CREATE TABLE gold (LIKE bar)')
afterAll(async () => {
  await client.end()
  await db.close()
})

/** What each plant breaks, and which expectation tells. */
const plants = {
  'low is more than 0': { low: '0' },
  'low <= open <= high': { high: '0.5' },
  'open is not null': { open: null },
  'volume is at least 0': { volume: 'NaN' },
  'side is one of buy, sell': { side: 'hold' },
} as const
type Plant = keyof typeof plants

const expectations: readonly Expectation[] = [
  { kind: 'range', column: 'low', above: 0 },
  { kind: 'order', columns: ['low', 'open', 'high'], nullable: true },
  { kind: 'notNull', column: 'open' },
  { kind: 'range', column: 'volume', min: 0 },
  { kind: 'acceptedValues', column: 'side', values: ['buy', 'sell'] },
  { kind: 'unique', columns: ['symbol', 'at'] },
]

/** Cannot be judged, each in its way. */
const broken: readonly Expectation[] = [
  { kind: 'notNull', column: 'gone', severity: 'warn' },
  { kind: 'matches', column: 'side', pattern: '[', severity: 'warn' },
  { kind: 'range', column: 'open', min: 'much', allow: { share: 1 } },
  { kind: 'references', columns: ['side'], table: 'gone' },
  { kind: 'aggregate', of: 'sum', column: 'side', min: 0 },
  { kind: 'holds', that: { left: { column: 'at' }, is: '<', right: { column: 'open' } }, severity: 'warn' },
]

const bar = fc.record({
  symbol: fc.constantFrom(...symbols),
  minute: fc.integer({ min: 0, max: 19 }),
  plant: fc.option(fc.constantFrom(...(Object.keys(plants) as Plant[])), { freq: 3 }),
  isTwice: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
})

const windows = symbols.flatMap((symbol) =>
  [0, 5, 10, 15].map((from) => ({ key: { symbol }, from: start + from * minute, to: start + (from + 5) * minute })),
)

it('puts each planted row into quarantine with its reason, keeps it from gold, and holds back nothing else', {
  timeout: 300_000,
}, async () => {
  let run = 0
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(bar, { selector: (one) => `${one.symbol}${one.minute}`, maxLength: 40 }),
      fc.option(fc.constantFrom(...broken), { freq: 4 }),
      async (bars, breaks) => {
        run += 1
        await db.pool.query('TRUNCATE bar, gold, quality_result, quality_window, quarantine')
        for (const { symbol, minute: at, plant, isTwice } of bars) {
          const row = {
            low: '1',
            open: '2',
            high: '3',
            volume: '4',
            side: 'buy',
            ...(plant === null ? {} : plants[plant]),
          }
          for (let copies = isTwice ? 2 : 1; copies > 0; copies -= 1) {
            await db.pool.query(`INSERT INTO bar VALUES ($1, $2, $3, $4, $5, $6, $7)`, [
              ...[symbol, new Date(start + at * minute), row.low, row.open, row.high, row.volume, row.side],
            ])
          }
        }
        const quality = defineQuality({
          ...{ table: 'bar', by: ['symbol'], time: 'at' },
          expectations: breaks === null ? expectations : [...expectations, breaks],
        })
        await client.query('BEGIN')
        const verdict = await checkQuality(client, quality, windows, { runId: `run ${run}`, now: start })
        for (const { window, isBlocked } of verdict.windows) {
          if (isBlocked) continue
          await client.query(`INSERT INTO gold SELECT ${columns} FROM bar WHERE symbol = $1 AND at >= $2 AND at < $3`, [
            ...[window.key.symbol, new Date(window.from), new Date(window.to)],
          ])
        }
        await client.query('COMMIT')

        const kept = (
          await db.pool.query(
            'SELECT expectation, reason, run_id, "row"->>\'symbol\' AS symbol, "row"->>\'at\' AS at FROM quarantine',
          )
        ).rows
        const told = kept
          .map((one) => `${one.expectation} ${one.symbol} ${(Date.parse(one.at) - start) / minute}`)
          .sort()
        const planted = bars.flatMap(({ symbol, minute: at, plant, isTwice }) => [
          ...(plant === null ? [] : [`${plant} ${symbol} ${at}`]),
          ...(isTwice ? [`symbol, at are unique ${symbol} ${at}`] : []),
        ])
        expect(told).toEqual(planted.sort())
        expect(kept.every((one) => one.reason === one.expectation && one.run_id === `run ${run}`)).toBe(true)

        const gold = (await db.pool.query('SELECT symbol, at FROM gold ORDER BY symbol, at')).rows
        const windowOf = ({ symbol, minute: at }: { symbol: string; minute: number }) =>
          `${symbol}${Math.floor(at / 5)}`
        const spoilt = new Set(bars.filter(({ plant, isTwice }) => plant !== null || isTwice).map(windowOf))
        const good = bars.filter((one) => breaks === null && !spoilt.has(windowOf(one)))
        expect(gold.map((one) => `${one.symbol} ${(one.at.getTime() - start) / minute}`).sort()).toEqual(
          good.map((one) => `${one.symbol} ${one.minute}`).sort(),
        )
      },
    ),
    { numRuns: Number(process.env.MILLRACE_QUALITY_RUNS ?? 60) },
  )
})

import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { checkQuality } from '../../src/quality/checkQuality.ts'
import type { Expectation } from '../../src/quality/expectation.ts'
import { defineQuality, type QualityOptions } from '../../src/quality/quality.ts'
import type { QualityWindow } from '../../src/quality/qualityWindow.ts'
import { countUnplaced } from '../../src/quality/qualityWindows.ts'
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
const now = start + 60 * minute
let runs = 0

await db.pool.query(`CREATE TABLE bar (
  symbol text, at timestamptz, number bigint, low numeric, open numeric, high numeric, side text, weight double precision
)`)
await db.pool.query('CREATE TABLE known_symbol (symbol text)')
await db.pool.query('CREATE TABLE their_bar (LIKE bar)')

beforeEach(async () => {
  await db.pool.query('TRUNCATE bar, known_symbol, their_bar, quality_result, quality_window, quarantine')
  await db.pool.query("INSERT INTO known_symbol VALUES ('A')")
})
afterAll(async () => {
  await client.end()
  await db.close()
})

interface Bar {
  readonly symbol?: string | null
  readonly at: number
  readonly number?: number | null
  readonly low?: string | null
  readonly open?: string | null
  readonly high?: string | null
  readonly side?: string | null
  readonly weight?: number | string | null
}

async function bars(...rows: readonly Bar[]) {
  await into('bar', ...rows)
}

async function into(table: 'bar' | 'their_bar', ...rows: readonly Bar[]) {
  for (const { at, symbol = 'A', number = at, low = '1', open = '2', high = '3', side = 'buy', weight = 1 } of rows) {
    await db.pool.query(`INSERT INTO ${table} VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, [
      symbol,
      new Date(start + at * minute),
      number,
      low,
      open,
      high,
      side,
      weight,
    ])
  }
}

const five = (symbol = 'A', from = 0): QualityWindow => ({
  key: { symbol },
  from: start + from * minute,
  to: start + (from + 5) * minute,
})

const wholeFive: readonly Bar[] = [0, 1, 2, 3, 4].map((at) => ({ at }))

async function check(
  expectations: readonly Expectation[],
  windows: readonly QualityWindow[] = [five()],
  more: Partial<QualityOptions> = {},
) {
  const quality = defineQuality({ table: 'bar', by: ['symbol'], time: 'at', ...more, expectations })
  runs += 1
  await client.query('BEGIN')
  try {
    const verdict = await checkQuality(client, quality, windows, { runId: `run ${runs}`, now })
    await client.query('COMMIT')
    return verdict
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  }
}

async function stateOf(expectation: Expectation, windows?: readonly QualityWindow[], more?: Partial<QualityOptions>) {
  const { results, isBlocked } = await check([expectation], windows, more)
  const [{ state, reason }] = results as [(typeof results)[0]]
  expect(isBlocked).toBe(state === 'fail' || state === 'error')
  return { state, reason }
}

const quarantined = async () =>
  (
    await db.pool.query(
      'SELECT "row", expected, expectation, reason, copies::int, run_id, last_run_id, released_at FROM quarantine ORDER BY window_from, "row"',
    )
  ).rows

/** An expectation, a row that fulfils it, one that does not, and others that do not. */
const cases: readonly (readonly [Expectation, readonly Bar[], readonly Bar[]])[] = [
  [{ kind: 'notNull', column: 'open' }, [{ at: 0 }], [{ at: 1, open: null }]],
  [
    { kind: 'unique', columns: ['symbol', 'at'] },
    [{ at: 0 }, { at: 1 }],
    [
      { at: 2, number: 1 },
      { at: 2, number: 2 },
    ],
  ],
  [
    { kind: 'unique', columns: ['number'] },
    [{ at: 0 }],
    [
      { at: 1, number: 7 },
      { at: 2, number: 7 },
    ],
  ],
  [{ kind: 'unique', columns: ['number'] }, [{ at: 0 }], [{ at: 1, number: null }]],
  [
    { kind: 'acceptedValues', column: 'side', values: ['buy', 'sell'] },
    [{ at: 0 }, { at: 1, side: 'sell' }],
    [
      { at: 2, side: 'BUY' },
      { at: 3, side: null },
    ],
  ],
  [{ kind: 'acceptedValues', column: 'number', values: [1, 2] }, [{ at: 0, number: 1 }], [{ at: 1, number: 3 }]],
  [
    { kind: 'range', column: 'low', above: 0 },
    [{ at: 0, low: '0.00000001' }],
    [
      { at: 1, low: '0' },
      { at: 2, low: '-1' },
      { at: 3, low: 'NaN' },
      { at: 4, low: 'Infinity' },
      { at: 4, low: null },
    ],
  ],
  [
    { kind: 'range', column: 'low', min: '0.1', max: '0.3' },
    [
      { at: 0, low: '0.1' },
      { at: 1, low: '0.3' },
    ],
    [
      { at: 2, low: '0.30000000000000001' },
      { at: 3, low: '0.09' },
    ],
  ],
  [{ kind: 'range', column: 'at', below: '2024-08-08T00:03:00Z' }, [{ at: 2 }], [{ at: 3 }]],
  [
    { kind: 'range', column: 'weight', min: 0 },
    [{ at: 0, weight: 0 }],
    [
      { at: 1, weight: 'NaN' },
      { at: 2, weight: 'Infinity' },
    ],
  ],
  [
    { kind: 'order', columns: ['low', 'open', 'high'] },
    [{ at: 0, low: '2' }],
    [
      { at: 1, low: '4' },
      { at: 2, high: '1' },
      { at: 3, high: 'NaN' },
      { at: 4, open: null },
    ],
  ],
  [{ kind: 'order', columns: ['low', 'open'], strictly: true }, [{ at: 0 }], [{ at: 1, low: '2' }]],
  [
    { kind: 'matches', column: 'side', pattern: '^[a-z]+$' },
    [{ at: 0 }],
    [
      { at: 1, side: 'Buy' },
      { at: 2, side: null },
      { at: 3, side: '' },
    ],
  ],
  [
    {
      kind: 'holds',
      that: { left: { column: 'high' }, is: '>=', right: { plus: [{ column: 'low' }, { value: '0.5' }] } },
    },
    [{ at: 0 }],
    [
      { at: 1, high: '1.4' },
      { at: 2, high: null },
      { at: 3, high: 'NaN' },
    ],
  ],
  [
    {
      kind: 'holds',
      that: {
        any: [
          { isNull: 'side' },
          {
            all: [
              { left: { column: 'side' }, is: '=', right: { value: 'buy' } },
              { not: { left: { column: 'number' }, is: '>', right: { value: 10 } } },
            ],
          },
        ],
      },
    },
    [{ at: 0 }, { at: 1, side: null }],
    [
      { at: 2, side: 'sell' },
      { at: 3, number: 11 },
    ],
  ],
  [
    {
      kind: 'holds',
      that: {
        left: { abs: { minus: [{ column: 'high' }, { times: [{ column: 'low' }, { value: 3 }] }] } },
        is: '=',
        right: { value: 0 },
      },
    },
    [{ at: 0 }],
    [{ at: 1, high: '3.1' }],
  ],
  [
    { kind: 'references', columns: ['side'], table: 'known_symbol', otherColumns: ['symbol'] },
    [{ at: 0, side: 'A' }],
    [
      { at: 1, side: 'B' },
      { at: 2, side: null },
    ],
  ],
  [
    { kind: 'increasing', column: 'number' },
    [
      { at: 0, number: 5 },
      { at: 1, number: 5 },
    ],
    [{ at: 2, number: 4 }],
  ],
  [{ kind: 'increasing', column: 'number', strictly: true }, [{ at: 0, number: 5 }], [{ at: 1, number: 5 }]],
]

describe('a row expectation', () => {
  it.each(cases)('%j lets good rows pass and puts each bad one into quarantine', async (expectation, good, bad) => {
    await bars(...good)
    expect(await stateOf(expectation)).toEqual({ state: 'pass', reason: null })
    expect(await quarantined()).toEqual([])
    await bars(...bad)
    const { results, windows } = await check([expectation])
    expect(results[0]).toMatchObject({
      state: 'fail',
      rows: good.length + bad.length,
      failing: bad.length,
      windows: 1,
      passed: 0,
    })
    expect(windows[0]?.isBlocked).toBe(true)
    const kept = await quarantined()
    expect(kept).toHaveLength(bad.length)
    const times = kept.map(({ row }) => Date.parse(row.at)).sort()
    expect(times).toEqual(bad.map(({ at }) => start + at * minute).sort())
    expect(Object.keys(kept[0].row).sort()).toEqual(['at', 'high', 'low', 'number', 'open', 'side', 'symbol', 'weight'])
  })

  it('lets nulls pass where it says so, and nothing else', async () => {
    await bars({ at: 0, open: null }, { at: 1 })
    expect(await stateOf({ kind: 'range', column: 'open', above: 0, nullable: true })).toMatchObject({ state: 'pass' })
    expect(await stateOf({ kind: 'unique', columns: ['symbol', 'at', 'open'], nullable: true })).toMatchObject({
      state: 'pass',
    })
    expect(await stateOf({ kind: 'range', column: 'open', above: 2, nullable: true })).toMatchObject({ state: 'fail' })
  })

  it('trusts an index that lets nothing be there twice, but none that does so for some rows, for others than these columns, or later', async () => {
    const isUnique = async (change: string, ...rows: readonly string[]) => {
      await db.pool.query(`CREATE TABLE once (symbol text, at timestamptz, n integer)`)
      await client.query('BEGIN')
      try {
        await client.query(change)
        for (const row of rows) await client.query(`INSERT INTO ${row}`)
        const quality = defineQuality({
          table: 'once',
          by: ['symbol'],
          time: 'at',
          expectations: [{ kind: 'unique', columns: ['symbol', 'at'] }],
        })
        const { results } = await checkQuality(client, quality, [five()], { runId: `run ${++runs}`, now })
        return results.map(({ state, rows, failing }) => [state, rows, failing])
      } finally {
        await client.query('ROLLBACK')
        await db.pool.query('DROP TABLE once')
      }
    }
    const [one, other] = [0, 1].map((at) => `('A', '${new Date(start + at * minute).toISOString()}')`)
    const into = (row: string | undefined, table = 'once') => `${table} (symbol, at) VALUES ${row}`
    const twice = [into(one), into(one), into(other)]
    expect(await isUnique('ALTER TABLE once ADD UNIQUE (symbol, at)', into(one), into(other))).toEqual([['pass', 2, 0]])
    expect(await isUnique('CREATE UNIQUE INDEX ON once (at)', into(one), into(other))).toEqual([['pass', 2, 0]])
    expect(await isUnique('ALTER TABLE once ADD UNIQUE (symbol, at) DEFERRABLE INITIALLY DEFERRED', ...twice)).toEqual([
      ['fail', 3, 2],
    ])
    expect(await isUnique('CREATE UNIQUE INDEX ON once (symbol, at) WHERE n > 0', ...twice)).toEqual([['fail', 3, 2]])
    expect(await isUnique('ALTER TABLE once ADD UNIQUE (symbol, at, n)', ...twice)).toEqual([['fail', 3, 2]])
    expect(await isUnique('CREATE UNIQUE INDEX ON once (symbol, at, (n + 1))', ...twice)).toEqual([['fail', 3, 2]])
    const child = 'ALTER TABLE once ADD UNIQUE (symbol, at); CREATE TABLE more () INHERITS (once)'
    expect(await isUnique(child, into(one), into(one, 'more'))).toEqual([['fail', 2, 2]])
  })

  it('lets pass what is allowed, by number and by share', async () => {
    await bars(...wholeFive.slice(0, 4), { at: 4, open: null })
    const notNull = { kind: 'notNull', column: 'open' } as const
    expect(await stateOf({ ...notNull, allow: { rows: 1 } })).toMatchObject({ state: 'pass' })
    expect(await stateOf({ ...notNull, allow: { share: 0.2 } })).toMatchObject({ state: 'pass' })
    expect(await stateOf({ ...notNull, allow: { share: 0.19 } })).toMatchObject({ state: 'fail' })
    expect(await stateOf({ ...notNull, allow: { rows: 1, share: 0.1 } })).toMatchObject({ state: 'fail' })
  })

  it('knows of rows that are in no window', async () => {
    await bars({ at: 0 }, { at: 1, symbol: null })
    await db.pool.query(`INSERT INTO bar (symbol, at) VALUES ('A', NULL), ('A', 'infinity'), ('A', '-infinity')`)
    const quality = defineQuality({
      table: 'bar',
      by: ['symbol'],
      time: 'at',
      expectations: [{ kind: 'rowCount', min: 0 }],
    })
    expect(await countUnplaced(client, quality)).toBe(4)
  })

  it('lets pass a share to the very row', async () => {
    const rows = Array.from({ length: 100 }, (_, i) => ({ at: i / 20, number: i, open: i < 58 ? null : '2' }))
    await bars(...rows)
    const notNull = { kind: 'notNull', column: 'open' } as const
    // 0.58 * 100 is 57.99999999999999.
    expect(await stateOf({ ...notNull, allow: { share: 0.58 } })).toMatchObject({ state: 'pass' })
    expect(await stateOf({ ...notNull, allow: { share: 0.57 } })).toMatchObject({ state: 'fail' })
  })

  it('compares with a bound as it is written, whatever the column would make of it', async () => {
    await db.pool.query(
      'CREATE TABLE narrow (at timestamptz(0), price numeric(10,2), currency char(3), name varchar(3))',
    )
    await db.pool.query(`INSERT INTO narrow VALUES ($1, '1.01', 'USD', 'abc')`, [new Date(start)])
    const stateIn = async (expectation: Expectation) => {
      const quality = defineQuality({ table: 'narrow', time: 'at', expectations: [expectation] })
      await client.query('BEGIN')
      const { results } = await checkQuality(client, quality, [{ key: {}, from: start, to: start + 1 }], {
        runId: 'n',
        now,
      })
      await client.query('COMMIT')
      return results[0]?.state
    }
    try {
      expect(await stateIn({ kind: 'range', column: 'price', max: '1.005' })).toBe('fail')
      expect(await stateIn({ kind: 'range', column: 'price', above: '1.0099' })).toBe('pass')
      expect(await stateIn({ kind: 'range', column: 'name', min: 'abcd' })).toBe('fail')
      expect(await stateIn({ kind: 'acceptedValues', column: 'currency', values: ['USD'] })).toBe('pass')
      expect(await stateIn({ kind: 'acceptedValues', column: 'currency', values: ['USDT', 'U'] })).toBe('fail')
    } finally {
      await db.pool.query('DROP TABLE narrow')
    }
  })

  it('takes what is no number for none in a column of limited digits as well', async () => {
    await db.pool.query(
      'CREATE TABLE exact (at timestamptz, price numeric(10,2), least numeric(10,2), most numeric(10,2))',
    )
    await db.pool.query('CREATE TABLE their_exact (LIKE exact)')
    try {
      const kinds: readonly Expectation[] = [
        { kind: 'range', column: 'price', min: 0 },
        { kind: 'range', column: 'price', max: 9 },
        { kind: 'order', columns: ['least', 'price'] },
        { kind: 'order', columns: ['price', 'most'] },
        { kind: 'holds', that: { left: { column: 'price' }, is: '>=', right: { column: 'least' } } },
        { kind: 'holds', that: { left: { column: 'price' }, is: '<=', right: { column: 'most' } } },
        { kind: 'equals', table: 'their_exact', on: ['at'], columns: ['price'] },
        { kind: 'equals', table: 'their_exact', on: ['at'], columns: [{ column: 'price', within: '0.1' }] },
      ]
      const statesOf = async (price: string) => {
        await db.pool.query('TRUNCATE exact, their_exact')
        for (const table of ['exact', 'their_exact'])
          await db.pool.query(`INSERT INTO ${table} VALUES ($1, $2, 1, 3)`, [new Date(start), price])
        const states: (string | undefined)[] = []
        for (const expectation of kinds) {
          const quality = defineQuality({ table: 'exact', time: 'at', expectations: [expectation] })
          await client.query('BEGIN')
          const run = { runId: `exact ${price}`, now }
          states.push(
            (await checkQuality(client, quality, [{ key: {}, from: start, to: start + 1 }], run)).results[0]?.state,
          )
          await client.query('ROLLBACK')
        }
        return states
      }
      expect(await statesOf('2')).toEqual(kinds.map(() => 'pass'))
      expect(await statesOf('NaN')).toEqual(kinds.map(() => 'fail'))
    } finally {
      await db.pool.query('DROP TABLE exact, their_exact')
    }
  })

  it('puts so many rows of a run into quarantine and no more, in however many parts it judges', async () => {
    await db.pool.query(
      `INSERT INTO bar (symbol, at, open) SELECT 'A', $1::timestamptz + n * interval '1 millisecond', NULL FROM generate_series(0, 13999) AS n`,
      [new Date(start)],
    )
    const quality = defineQuality({
      ...{ table: 'bar', by: ['symbol'], time: 'at', mostRows: 10_000 },
      expectations: [{ kind: 'notNull', column: 'open' }],
    })
    await client.query('BEGIN')
    for (const part of [0, 1]) {
      const from = start + part * 7_000
      await checkQuality(client, quality, [{ key: { symbol: 'A' }, from, to: from + 7_000 }], { runId: 'parts', now })
    }
    const { rows } = await client.query<{ kept: number }>('SELECT count(*)::integer AS kept FROM quarantine')
    await client.query('ROLLBACK')
    expect(rows[0]?.kept).toBe(10_000)
  })

  it('blocks one window and not another, and warns where it is told to', async () => {
    await bars(...wholeFive, { at: 0, symbol: 'B', open: null }, { at: 5 })
    const windows = [five('A'), five('B'), five('A', 5)]
    const verdict = await check([{ kind: 'notNull', column: 'open' }], windows)
    expect(verdict.windows.map(({ isBlocked }) => isBlocked)).toEqual([false, true, false])
    const warned = await check([{ kind: 'notNull', column: 'open', severity: 'warn' }], windows)
    expect(warned.isBlocked).toBe(false)
    expect(warned.windows[1]?.problems[0]).toMatchObject({
      state: 'warn',
      reason: '1 of 1 rows fail: open is not null',
    })
  })
})

describe('an expectation of windows', () => {
  it('misses steps that have no row, and says which', async () => {
    await bars({ at: 0 }, { at: 3 })
    const verdict = await check([{ kind: 'complete', every: '1m' }])
    expect(verdict.results[0]).toMatchObject({
      state: 'fail',
      rows: 5,
      failing: 3,
      reason: '3 of 5 steps of 1m have no row',
    })
    expect((await quarantined()).map(({ row }) => row)).toEqual(
      [1, 2, 4].map((at) => ({ symbol: 'A', at: expect.stringContaining(`00:0${at}:00`) })),
    )
    expect(await stateOf({ kind: 'complete', every: '1m' }, [five('A', 20)])).toMatchObject({ state: 'fail' })
  })

  it('does not miss what is not over yet', async () => {
    await bars({ at: 58 }, { at: 59 })
    const last = [{ ...five('A', 58), to: start + 70 * minute }]
    expect(await stateOf({ kind: 'complete', every: '1m' }, last)).toMatchObject({ state: 'pass' })
    expect(await stateOf({ kind: 'complete', every: '1m' }, [five('A', 60)])).toEqual({
      state: 'none',
      reason: 'no 1m of it is over yet',
    })
    expect(
      await stateOf({ kind: 'complete', every: '1m', lateBy: '2m' }, [{ ...five('A', 57), to: start + 60 * minute }]),
    ).toMatchObject({ state: 'fail' })
  })

  it('knows how old the newest row of a key is', async () => {
    await bars({ at: 0 }, { at: 55 }, { at: 10, symbol: 'B' })
    const windows = [five('A'), five('B', 10)]
    const verdict = await check([{ kind: 'fresh', within: '5m' }], windows)
    expect(verdict.windows.map(({ isBlocked }) => isBlocked)).toEqual([false, true])
    expect(verdict.results[0]?.reason).toMatch('the newest row is of 2024-08-08 00:10:00')
    expect(await stateOf({ kind: 'fresh', within: 299_999 })).toMatchObject({ state: 'fail' })
    expect(await stateOf({ kind: 'fresh', within: '5m' }, [five('C')])).toMatchObject({ state: 'error' })
  })

  it('counts rows', async () => {
    await bars(...wholeFive)
    expect(await stateOf({ kind: 'rowCount', min: 5, max: 5 })).toMatchObject({ state: 'pass' })
    expect(await stateOf({ kind: 'rowCount', min: 6 })).toEqual({ state: 'fail', reason: 'there are 5 rows' })
    expect(await stateOf({ kind: 'rowCount', max: 4 })).toMatchObject({ state: 'fail' })
    expect(await stateOf({ kind: 'rowCount', min: 1 }, [five('B')])).toEqual({
      state: 'fail',
      reason: 'there are 0 rows',
    })
  })

  it('calculates over a window', async () => {
    await bars({ at: 0, open: '1' }, { at: 1, open: '2' }, { at: 2, open: null })
    const of = (of: 'sum' | 'average' | 'least' | 'greatest' | 'distinct' | 'deviation', min: string, max = min) =>
      stateOf({ kind: 'aggregate', of, column: 'open', min, max })
    expect(await of('sum', '3')).toMatchObject({ state: 'pass' })
    expect(await of('average', '1.5')).toMatchObject({ state: 'pass' })
    expect(await of('least', '1')).toMatchObject({ state: 'pass' })
    expect(await of('greatest', '2')).toMatchObject({ state: 'pass' })
    expect(await of('distinct', '2')).toMatchObject({ state: 'pass' })
    expect(await of('deviation', '0.7', '0.71')).toMatchObject({ state: 'pass' })
    expect(await of('sum', '4')).toEqual({ state: 'fail', reason: 'it is 3' })
    await bars({ at: 3, open: 'NaN' })
    expect(await of('sum', '3', '1000')).toMatchObject({ state: 'fail' })
    expect(await stateOf({ kind: 'aggregate', of: 'sum', column: 'open', min: 0 }, [five('B')])).toMatchObject({
      state: 'error',
    })
  })

  it('compares with another table, within a tolerance, and finds what is missing', async () => {
    await bars({ at: 0 }, { at: 1, high: '3.05' }, { at: 2 })
    await into('their_bar', { at: 0 }, { at: 1 }, { at: 3, number: 0 })
    const equals = {
      kind: 'equals',
      table: 'their_bar',
      on: ['symbol', 'at'],
      columns: ['open', { column: 'high', within: '0.1' }],
    } as const
    expect(await stateOf(equals)).toMatchObject({ state: 'pass' })
    expect(await stateOf({ ...equals, columns: ['open', 'high'] })).toEqual({
      state: 'fail',
      reason: '1 of 2 rows are not as in their_bar',
    })
    const [row] = await quarantined()
    expect([row.row.high, row.expected.high]).toEqual([3.05, 3])
    expect(await stateOf({ ...equals, missing: 'fail' })).toEqual({
      state: 'fail',
      reason: '1 of 3 rows are not as in their_bar',
    })
    const thatCount = { left: { column: 'number' }, is: '>', right: { value: 0 } } as const
    expect(await stateOf({ ...equals, missing: 'fail', otherOnly: thatCount, columns: ['open'] })).toMatchObject({
      state: 'pass',
    })
    expect(await stateOf(equals, [five('A', 10)])).toEqual({ state: 'none', reason: 'their_bar has no row for it' })
    expect(await stateOf({ ...equals, nothingToCompare: 'error' }, [five('A', 10)])).toMatchObject({ state: 'error' })
    await into('their_bar', { at: 2, open: null })
    expect(await stateOf({ ...equals, columns: ['open'] })).toMatchObject({ state: 'fail' })
  })

  it('finds what only this table has, where it is to have the same rows', async () => {
    await bars({ at: 0 }, { at: 1, low: '7' })
    await into('their_bar', { at: 0 })
    const equals = { kind: 'equals', table: 'their_bar', on: ['symbol', 'at'], columns: ['open'] } as const
    expect(await stateOf({ ...equals, missing: 'fail' })).toMatchObject({ state: 'pass' })
    expect(await stateOf({ ...equals, extra: 'fail' })).toEqual({
      state: 'fail',
      reason: '1 of 2 rows are not as in their_bar',
    })
    const [row] = await quarantined()
    expect([row.row.low, row.expected]).toEqual([7, null])
    await into('their_bar', { at: 1 })
    expect(await stateOf({ ...equals, extra: 'fail', missing: 'fail' })).toMatchObject({ state: 'pass' })
  })

  it('takes two numbers that are none for no equal ones', async () => {
    await bars({ at: 0, open: 'NaN' })
    await into('their_bar', { at: 0, open: 'NaN' })
    const equals = { kind: 'equals', table: 'their_bar', on: ['symbol', 'at'], columns: ['open'] } as const
    expect(await stateOf(equals)).toMatchObject({ state: 'fail' })
  })

  it('knows the shape of a table', async () => {
    await bars(...wholeFive)
    const columns = { symbol: 'text', at: 'timestamp with time zone' }
    expect(await stateOf({ kind: 'shape', columns })).toMatchObject({ state: 'pass' })
    expect((await stateOf({ kind: 'shape', columns, exactly: true })).reason).toMatch('number is one too many')
    expect((await stateOf({ kind: 'shape', columns: { symbol: 'integer', gone: 'text' } })).reason).toBe(
      'symbol is text, not integer; gone is not there',
    )
  })
})

describe('what cannot be judged', () => {
  it('is an error that blocks: a column that is not there, with the one that was meant', async () => {
    await bars(...wholeFive)
    expect(await stateOf({ kind: 'notNull', column: 'opne' })).toEqual({
      state: 'error',
      reason: 'bar has no column opne (did you mean open?)',
    })
    expect(await stateOf({ kind: 'notNull', column: 'opne', severity: 'warn' })).toMatchObject({ state: 'error' })
    expect(await stateOf({ kind: 'notNull', column: 'open', allow: { share: 1 } })).toMatchObject({ state: 'pass' })
    expect(await stateOf({ kind: 'notNull', column: 'opne', allow: { share: 1 } })).toMatchObject({ state: 'error' })
    const gone = { kind: 'references', columns: ['side'], table: 'nothing' } as const
    expect(await stateOf(gone)).toEqual({ state: 'error', reason: 'there is no table nothing' })
    expect(await stateOf({ ...gone, table: 'known_symbol' })).toMatchObject({
      state: 'error',
      reason: 'known_symbol has no column side',
    })
  })

  it('is an error: a table, a key or a time that is not there', async () => {
    const one = { kind: 'rowCount', min: 0 } as const
    expect(await stateOf(one, undefined, { table: 'nothing' })).toEqual({
      state: 'error',
      reason: 'there is no table nothing',
    })
    expect(await stateOf(one, undefined, { time: 'ta' })).toMatchObject({ state: 'error' })
    expect(await stateOf(one, [{ ...five(), key: { symbl: 'A' } }], { by: ['symbl'] })).toMatchObject({
      state: 'error',
    })
    expect((await stateOf(one, undefined, { time: 'open' })).reason).toBe(
      'open is numeric, and the time must be a timestamp or a date',
    )
    await bars(...wholeFive)
    const wrong = [{ ...five(), key: { number: 'A' } }]
    expect(await stateOf(one, wrong, { by: ['number'] })).toMatchObject({ state: 'error' })
  })

  it('is an error: no rows where there should be some', async () => {
    await bars(...wholeFive)
    const windows = [five('A'), five('B')]
    const { windows: verdicts } = await check([{ kind: 'notNull', column: 'open' }], windows)
    expect(verdicts.map(({ isBlocked }) => isBlocked)).toEqual([false, true])
    expect(verdicts[1]?.problems).toMatchObject([{ state: 'error', reason: 'there are no rows to look at' }])
  })

  it('is an error of its own where the server refuses it, and the others are judged', async () => {
    await bars(...wholeFive, { at: 0, side: null, number: 9 })
    const { results } = await check([
      { kind: 'notNull', column: 'open' },
      { kind: 'matches', column: 'side', pattern: '(' },
      { kind: 'range', column: 'at', min: 'yesterdayish' },
      { kind: 'order', columns: ['low', 'side'] },
      { kind: 'aggregate', of: 'sum', column: 'side', min: 0 },
      { kind: 'notNull', column: 'side' },
    ])
    expect(results.map(({ state }) => state)).toEqual(['pass', 'error', 'error', 'error', 'error', 'fail'])
    expect(results[1]?.reason).toMatch('invalid regular expression')
    const rows = await db.pool.query('SELECT expectation, state FROM quality_result ORDER BY expectation')
    expect(rows.rows).toHaveLength(6)
  })

  it('lets a lost connection through as what it is', async () => {
    const lost = await openConnection(db.connection, {
      schema: db.schema,
      applicationName: 'test',
      connectTimeoutMs: 5_000,
    })
    await lost.query('BEGIN')
    const { rows } = await lost.query('SELECT pg_backend_pid() AS pid')
    await db.pool.query('SELECT pg_terminate_backend($1)', [rows[0].pid])
    const quality = defineQuality({ table: 'bar', time: 'at', expectations: [{ kind: 'notNull', column: 'open' }] })
    await expect(checkQuality(lost, quality, [{ ...five(), key: {} }], { runId: 'lost', now })).rejects.toThrow()
    await lost.end().catch(() => undefined)
  })

  it('is refused outside a transaction, and with windows that are none', async () => {
    const quality = defineQuality({
      table: 'bar',
      by: ['symbol'],
      time: 'at',
      expectations: [{ kind: 'rowCount', min: 1 }],
    })
    await expect(checkQuality(client, quality, [five()], { runId: 'x', now })).rejects.toThrow('send BEGIN before it')
    await expect(check([{ kind: 'rowCount', min: 1 }], [{ ...five(), to: start }])).rejects.toThrow('is none')
    await expect(check([{ kind: 'rowCount', min: 1 }], [{ ...five(), key: {} }])).rejects.toThrow('lacks symbol')
  })
})

describe('quarantine', () => {
  it('keeps a row once, however often it fails, and releases it when it does not any more', async () => {
    await bars({ at: 0, open: null, number: 7 }, { at: 1 })
    const notNull = [{ kind: 'notNull', column: 'open' }] as const
    await check(notNull)
    const first = runs
    await check(notNull)
    expect(await quarantined()).toMatchObject([
      { run_id: `run ${first}`, last_run_id: `run ${first + 1}`, released_at: null, copies: 1 },
    ])
    await check([{ kind: 'notNull', column: 'nothing', name: 'open is not null' }])
    expect(await quarantined()).toMatchObject([{ released_at: null }])
    await db.pool.query('UPDATE bar SET open = 2')
    await check(notNull)
    expect(await quarantined()).toMatchObject([{ released_at: new Date(now) }])
    await db.pool.query('UPDATE bar SET open = NULL WHERE number = 7')
    await check(notNull)
    expect(await quarantined()).toMatchObject([{ released_at: null, last_run_id: `run ${runs}` }])
  })

  it('keeps rows that are all alike as one, with their number', async () => {
    await bars({ at: 0, number: 1 }, { at: 0, number: 1 }, { at: 0, number: 2 })
    await check([{ kind: 'unique', columns: ['symbol', 'at'] }])
    expect((await quarantined()).map(({ row, copies }) => [row.number, copies])).toEqual([
      [1, 2],
      [2, 1],
    ])
  })

  it('is capped by window, and all are counted', async () => {
    await bars(...[0, 1, 2, 3, 4].map((at) => ({ at, open: null })), ...[5, 6].map((at) => ({ at, open: null })))
    const { results } = await check([{ kind: 'notNull', column: 'open' }], [five(), five('A', 5)], { mostRows: 2 })
    expect(results[0]).toMatchObject({ failing: 7, rows: 7 })
    expect((await quarantined()).map(({ row }) => Date.parse(row.at) - start)).toEqual(
      [0, 1, 5, 6].map((at) => at * minute),
    )
  })

  it('keeps decimals as they are', async () => {
    await bars({ at: 0, low: '0.12345678901234567890', open: null })
    await check([{ kind: 'notNull', column: 'open' }])
    const { rows } = await db.pool.query(`SELECT "row"->>'low' AS low FROM quarantine`)
    expect(rows).toEqual([{ low: '0.12345678901234567890' }])
  })
})

it('adds up what a run judges in parts', async () => {
  await bars(...wholeFive, { at: 5, open: null }, { at: 10 })
  const quality = defineQuality({
    table: 'bar',
    by: ['symbol'],
    time: 'at',
    expectations: [{ kind: 'notNull', column: 'open' }],
  })
  await client.query('BEGIN')
  for (const from of [0, 5, 10]) await checkQuality(client, quality, [five('A', from)], { runId: 'parts', now })
  await client.query('COMMIT')
  const { rows } = await db.pool.query(
    'SELECT state, windows::int, passed::int, row_count::int, failing::int, reason FROM quality_result',
  )
  expect(rows).toEqual([
    { state: 'fail', windows: 3, passed: 2, row_count: 7, failing: 1, reason: '1 of 1 rows fail: open is not null' },
  ])
})

it('looks only at the rows that it is told to', async () => {
  await bars({ at: 0, open: null, side: 'open' }, { at: 1, side: 'closed' }, { at: 2, side: null, open: null })
  const only = { left: { column: 'side' }, is: '<>', right: { value: 'open' } } as const
  const { results } = await check([{ kind: 'notNull', column: 'open' }], [five()], { only })
  expect(results[0]).toMatchObject({ rows: 2, failing: 1 })
})

it('takes a name that is no name for what it is, and runs nothing of it', async () => {
  await bars(...wholeFive)
  const evil = `open" IS NULL); DROP TABLE bar; --`
  expect(await stateOf({ kind: 'notNull', column: evil })).toMatchObject({ state: 'error' })
  expect(await stateOf({ kind: 'acceptedValues', column: 'side', values: [`buy'; DROP TABLE bar; --`] })).toMatchObject(
    { state: 'fail' },
  )
  expect((await db.pool.query('SELECT count(*)::int FROM bar')).rows).toEqual([{ count: 5 }])
})

it('judges without a key', async () => {
  await bars({ at: 0 }, { at: 1, symbol: 'B', open: null })
  const whole = [{ ...five(), key: {} }]
  expect(await stateOf({ kind: 'notNull', column: 'open' }, whole, { by: [] })).toMatchObject({ state: 'fail' })
  expect(await stateOf({ kind: 'fresh', within: '2h' }, whole, { by: [] })).toMatchObject({ state: 'pass' })
})

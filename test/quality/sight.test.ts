import fc from 'fast-check'
import { afterAll, expect, it } from 'vitest'
import { checkSeenQuality } from '../../src/quality/checkQuality.ts'
import type { Condition, Operand } from '../../src/quality/condition.ts'
import type { Expectation } from '../../src/quality/expectation.ts'
import { defineQuality, type Quality } from '../../src/quality/quality.ts'
import type { QualityWindow } from '../../src/quality/qualityWindow.ts'
import { type Seen, type SeenColumns, type SeenValue, Sight } from '../../src/quality/sight.ts'
import { openConnection } from '../../src/sinks/postgres/connection.ts'
import { testDatabase } from '../support/postgres.ts'

const db = await testDatabase()
const client = await openConnection(db.connection, {
  schema: db.schema,
  applicationName: 'test',
  connectTimeoutMs: 5_000,
})
await db.pool.query(
  'CREATE TABLE ours (key text, at timestamptz, low numeric(38,8), high numeric(38,8), sum numeric(38,16), trades bigint, label text, PRIMARY KEY (key, at))',
)
await db.pool.query(
  'CREATE TABLE theirs (key text, at timestamptz, low numeric, sum numeric, trades bigint, kind text, PRIMARY KEY (key, at))',
)
afterAll(async () => {
  await client.end()
  await db.close()
})

const start = Date.UTC(2024, 7, 8)
const step = 60_000
const stepsOfWindow = 4
const columns: SeenColumns = {
  ...{ key: 'text', at: 'time', low: { places: 8 }, high: { places: 8 }, sum: { places: 16 } },
  ...{ trades: 'whole', label: 'text' },
}
const otherColumns: SeenColumns = {
  ...{ key: 'text', at: 'time', low: { places: 8 }, sum: { places: 16 }, trades: 'whole', kind: 'text' },
}
const windows: readonly QualityWindow[] = ['a', 'b b'].flatMap((key) =>
  [0, 1].map((n) => ({
    ...{ key: { key }, from: start + n * stepsOfWindow * step, to: start + (n + 1) * stepsOfWindow * step },
  })),
)

/** Near each other, so that they are equal now and then, and some beyond what a number counts. */
const count = fc.oneof(
  { weight: 6, arbitrary: fc.bigInt({ min: -2n, max: 4n }).map((n) => n * 50_000_000n) },
  { weight: 2, arbitrary: fc.bigInt({ min: -2n, max: 2n }) },
  { weight: 1, arbitrary: fc.bigInt({ min: 9_007_199_254_740_990n, max: 9_007_199_254_740_994n }) },
)
const orNull = <T>(one: fc.Arbitrary<T>) => fc.option(one, { freq: 3 })
const label = fc.constantFrom('buy', 'sell', '', ' x', 'B1', 'kauf ä', 'two\nlines')
const row = fc.record({
  key: fc.constantFrom('a', 'b b'),
  /** Of a minute: some are on none. */
  step: fc.integer({ min: 0, max: 2 * stepsOfWindow - 1 }),
  besideMicros: fc.constantFrom(0, 0, 0, 0, 0, 0, 1_000_000, 250_000),
  low: orNull(count),
  high: orNull(count),
  sum: orNull(count.map((n) => n * 100_000_000n + (n % 3n))),
  trades: orNull(fc.integer({ min: -1, max: 3 })),
  label: orNull(label),
})
type Row = typeof row extends fc.Arbitrary<infer T> ? T : never
const other = fc.record({
  /** As ours, or a little off. */
  isOff: fc.integer({ min: 0, max: 19 }).map((n) => n === 0),
  isThere: fc.integer({ min: 0, max: 9 }).map((n) => n > 0),
  isAlone: fc.integer({ min: 0, max: 29 }).map((n) => n === 0),
  kind: fc.constantFrom('1m', '1m', '1m', '5m'),
})

const numbers = ['low', 'high', 'sum', 'trades'] as const
const bound = fc.oneof(
  fc.constantFrom('0', '-1', '0.5', '1.00000001', '0.000000000000000001', '2', '1e-1', 'much'),
  fc.constantFrom(0, -2, 1, 0.5, 1e-7),
)
const operand: fc.Arbitrary<Operand> = fc.letrec<{ operand: Operand }>((tie) => ({
  operand: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(...numbers).map((column): Operand => ({ column })),
    bound.map((value): Operand => ({ value })),
    fc.tuple(tie('operand'), tie('operand')).map((plus): Operand => ({ plus })),
    fc.tuple(tie('operand'), tie('operand')).map((minus): Operand => ({ minus })),
    fc.tuple(tie('operand'), tie('operand')).map((times): Operand => ({ times })),
    tie('operand').map((abs): Operand => ({ abs })),
  ),
})).operand
const comparison = fc.constantFrom('=', '<>', '<', '<=', '>', '>=')
const condition: fc.Arbitrary<Condition> = fc.letrec<{ condition: Condition }>((tie) => ({
  condition: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({ left: operand, is: comparison, right: operand }) as fc.Arbitrary<Condition>,
    fc.constantFrom(...numbers, 'label').map((isNull): Condition => ({ isNull })),
    label.map((value): Condition => ({ left: { column: 'label' }, is: '=', right: { value } })),
    { weight: 2, arbitrary: tie('condition').map((not): Condition => ({ not })) },
    fc.array(tie('condition'), { minLength: 1, maxLength: 3 }).map((all): Condition => ({ all })),
    fc.array(tie('condition'), { minLength: 1, maxLength: 3 }).map((any): Condition => ({ any })),
  ),
})).condition
const nullable = fc.constantFrom({}, { nullable: true })
const expectation: fc.Arbitrary<Expectation> = fc.oneof(
  fc.constantFrom('low', 'label', 'at').map((column): Expectation => ({ kind: 'notNull', column })),
  fc.constantFrom(['key', 'at'], ['low'], ['label', 'key']).map((of): Expectation => ({ kind: 'unique', columns: of })),
  fc
    .record({ column: fc.constantFrom('label', 'key', 'trades'), of: nullable })
    .map(({ column, of }): Expectation => ({ kind: 'acceptedValues', column, values: ['buy', 'a', 'b b', 1], ...of })),
  fc
    .record({
      column: fc.constantFrom(...numbers),
      bounds: fc.record({ min: bound, max: bound, above: bound, below: bound }, { requiredKeys: [] }),
      of: nullable,
    })
    .map(
      ({ column, bounds, of }): Expectation => ({
        ...{ kind: 'range', column, ...(Object.keys(bounds).length === 0 ? { min: 0 } : bounds), ...of },
      }),
    ),
  fc
    .record({
      columns: fc.shuffledSubarray([...numbers], { minLength: 2 }),
      strictly: fc.boolean(),
      of: nullable,
    })
    .map(({ columns, strictly, of }): Expectation => ({ kind: 'order', columns, strictly, ...of })),
  fc
    .record({
      column: fc.constantFrom('label', 'key', 'at', 'trades'),
      pattern: fc.constantFrom(
        '^\\S+$',
        '^[a-z]*$',
        ':00\\+00$',
        '00$',
        '^2024-08-08',
        '\\.25',
        '^$',
        'b',
        '(a|b)',
        '^a',
      ),
      of: nullable,
    })
    .map(({ column, pattern, of }): Expectation => ({ kind: 'matches', column, pattern, ...of })),
  { weight: 4, arbitrary: condition.map((that): Expectation => ({ kind: 'holds', that })) },
  fc.constantFrom('low', 'trades').map((column): Expectation => ({ kind: 'increasing', column })),
  fc.constantFrom('1m', '2m').map((every): Expectation => ({ kind: 'complete', every, severity: 'warn' })),
  fc
    .record({
      columns: fc.subarray(
        ['low', 'trades', { column: 'sum', within: '0.00000001' }, { column: 'low', within: '0.5' }],
        {
          minLength: 1,
        },
      ),
      missing: fc.constantFrom('fail', 'ignore'),
      extra: fc.constantFrom('fail', 'ignore', 'ignore'),
      otherOnly: fc.constantFrom<Condition | undefined>(undefined, {
        ...{ left: { column: 'kind' }, is: '=', right: { value: '1m' } },
      }),
    })
    .map(
      ({ columns, missing, extra, otherOnly }): Expectation => ({
        ...{ kind: 'equals', table: 'theirs', on: ['key', 'at'], columns, missing, extra },
        ...(otherOnly === undefined ? {} : { otherOnly }),
      }),
    ),
)

const text = (value: bigint | null, places: number) => {
  if (value === null) return null
  const digits = String(value < 0n ? -value : value).padStart(places + 1, '0')
  return `${value < 0n ? '-' : ''}${digits.slice(0, -places)}.${digits.slice(-places)}`
}
const plain = (value: bigint | null): SeenValue =>
  value === null || !Number.isSafeInteger(Number(value)) ? value : Number(value)

interface Pair {
  readonly ours: Row
  /** Only theirs is there. */
  readonly isAlone: boolean
  readonly theirs: { readonly low: bigint | null; readonly sum: bigint | null; readonly kind: string } | null
}

/** As a reader of the rows would have it. */
function seenOf(quality: Quality, pairs: readonly Pair[]): Seen {
  const sight = new Sight(quality, columns, { table: 'theirs', columns: otherColumns })
  return {
    covered: sight.covered,
    of({ key, from, to }) {
      const inWindow = pairs.filter(({ ours }) => ours.key === key.key && msOf(ours) >= from && msOf(ours) < to)
      let compared = 0
      for (const { ours, theirs, isAlone } of inWindow) {
        const at = msOf(ours) * 1_000
        const values = [ours.key, at, plain(ours.low), plain(ours.high), ours.sum, ours.trades, ours.label]
        if (!isAlone && !sight.isSound(values)) return null
        const beside = theirs && [ours.key, at, plain(theirs.low), theirs.sum, ours.trades, theirs.kind]
        if (beside === null || !sight.counts(beside)) continue
        if (isAlone || !sight.isSame(values, beside)) return null
        compared += 1
      }
      const ofOurs = inWindow.filter(({ isAlone }) => !isAlone)
      const isStepped = ofOurs.length === stepsOfWindow && ofOurs.every(({ ours }) => ours.besideMicros === 0)
      return { rows: ofOurs.length, compared, stepMs: isStepped ? step : null }
    },
  }
}

function msOf({ step: n, besideMicros }: Row): number {
  return start + n * step + besideMicros / 1_000
}

it('says of no window that it is sound which the server does not, whatever its rows and what is expected of them', {
  timeout: 300_000,
}, async () => {
  let [sound, others, run] = [0, 0, 0]
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.tuple(row, other), { selector: ([{ key, step: n }]) => `${key}${n}`, maxLength: 16 }),
      fc.uniqueArray(expectation, { selector: (one) => JSON.stringify(one), minLength: 1, maxLength: 2 }),
      async (given, expected) => {
        run += 1
        const pairs = given.map(
          ([ours, { isOff, isThere, isAlone, kind }]): Pair => ({
            ours,
            isAlone,
            theirs: isThere
              ? { low: isOff && ours.low !== null ? ours.low + 1n : ours.low, sum: ours.sum, kind }
              : null,
          }),
        )
        // Nothing is committed, for that is what such a run would wait for.
        await client.query('BEGIN')
        for (const { ours, theirs, isAlone } of pairs) {
          const at = new Date(msOf(ours)).toISOString()
          if (!isAlone)
            await client.query('INSERT INTO ours VALUES ($1, $2, $3, $4, $5, $6, $7)', [
              ...[ours.key, at, text(ours.low, 8), text(ours.high, 8), text(ours.sum, 16), ours.trades, ours.label],
            ])
          if (theirs === null) continue
          await client.query('INSERT INTO theirs VALUES ($1, $2, $3, $4, $5, $6)', [
            ...[ours.key, at, text(theirs.low, 8), text(theirs.sum, 16), ours.trades, theirs.kind],
          ])
        }
        const quality = defineQuality({
          ...{ name: `seen${run}`, table: 'ours', by: ['key'], time: 'at' },
          expectations: expected.map((one, n) => ({ ...one, name: `${n}` })),
        })
        const seen = seenOf(quality, pairs)
        for (const window of windows) {
          if (seen.of(window) === null) others += 1
          else if (seen.covered.size > 0) sound += 1
        }
        const verdicts = []
        for (const known of [null, seen]) {
          await client.query('SAVEPOINT unseen')
          verdicts.push(await checkSeenQuality(client, quality, windows, { runId: 'r', now: start + 6 * step }, known))
          await client.query('ROLLBACK TO unseen')
        }
        await client.query('ROLLBACK')
        expect(verdicts[1]).toEqual(verdicts[0])
      },
    ),
    { numRuns: 250 },
  )
  expect(sound).toBeGreaterThan(100)
  expect(others).toBeGreaterThan(100)
})

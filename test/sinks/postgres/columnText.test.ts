import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ConfigurationError } from '../../../src/runtime/errors.ts'
import { keyText } from '../../../src/runtime/store/rowKey.ts'
import type { ColumnType, ColumnValue, UpsertTable } from '../../../src/runtime/store/table.ts'
import { withdrawn } from '../../../src/runtime/withdrawn.ts'
import {
  clampTime,
  columnText,
  escapeText,
  rowText,
  timestampText,
  unescapeText,
} from '../../../src/sinks/postgres/columnText.ts'
import { type TestDatabase, testDatabase } from '../../support/postgres.ts'

// Any UTF-16 there is, often with the characters that need care.
const anyText = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.constantFrom(0, 0x241b, 0xd800, 0xdc00, 0x30, 0x5c, 0x22)))
  .map((units) => String.fromCharCode(...units))

const textOf = (type: ColumnType, value: ColumnValue) =>
  columnText('t', { name: 'c', type, of: (row: ColumnValue) => row }, value)

describe('escapeText', () => {
  it('loses nothing', () => {
    fc.assert(fc.property(anyText, (text) => unescapeText(escapeText(text)) === text))
  })

  it('leaves ordinary text as it is', () => {
    for (const text of ['', 'BTCUSDT', '\\0 \\u0000', '%00', '\u{1F600}', '{"a":"\n"}'])
      expect(escapeText(text)).toBe(text)
  })

  it('makes text that survives UTF-8', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const escaped = escapeText(text)
        return Buffer.from(escaped).toString() === escaped && !escaped.includes('\0')
      }),
    )
  })
})

describe('columnText', () => {
  it.each<[ColumnType, ColumnValue]>([
    ['text', 1],
    ['integer', 1.5],
    ['integer', 2_147_483_648],
    ['integer', -2_147_483_649],
    ['integer', '1'],
    ['bigint', 2 ** 53],
    ['bigint', 9_223_372_036_854_775_808n],
    ['numeric', 'NaN'],
    ['numeric', '1e5'],
    ['numeric', ''],
    ['numeric', 0.1],
    ['double precision', '0.1'],
    ['double precision', 1n],
    ['boolean', 'true'],
    ['timestamptz', Number.NaN],
    ['timestamptz', 1.5],
    ['timestamptz', 1e300],
    ['timestamptz', '2024-01-01'],
    ['jsonb', 1],
  ])('refuses what is no %s: %s', (type, value) => {
    expect(() => textOf(type, value)).toThrow(ConfigurationError)
    expect(() => textOf(type, value)).toThrow(/table t, column c: .* is no /)
  })

  it('takes the whole range of an integer', () => {
    expect([-2_147_483_648, 2_147_483_647].map((value) => textOf('integer', value))).toEqual([
      '-2147483648',
      '2147483647',
    ])
  })

  it('says of an object that jsonb takes text', () => {
    const wanted = /an object is no jsonb.*takes JSON as text: JSON\.stringify/
    expect(() => textOf('jsonb', { of: 1n } as never)).toThrow(wanted)
    expect(() => textOf('jsonb', 'half {')).toThrow(/"half \{" is no jsonb.*this text is no JSON/)
  })

  it('lets null be null', () => {
    expect(textOf('numeric', null)).toBeNull()
  })
})

describe('keyText', () => {
  it('sees numerics as PostgreSQL does: equal whatever their zeros', () => {
    const key = (text: string) => keyText([text], ['numeric'])
    for (const same of [
      ['1', '1.0', '01', '1.000'],
      ['0', '-0', '0.00', '-0.0'],
      ['10', '10.0'],
      ['-1.5', '-1.50'],
    ]) {
      expect(new Set(same.map(key)).size).toBe(1)
    }
    expect(new Set(['1', '10', '100', '0.1', '0.01', '-1'].map(key)).size).toBe(6)
  })

  it('keeps the parts apart', () => {
    expect(keyText(['a', 'bc'], ['text', 'text'])).not.toBe(keyText(['ab', 'c'], ['text', 'text']))
  })
})

describe('a double', () => {
  let db: TestDatabase
  beforeAll(async () => {
    db = await testDatabase({ isMigrated: false })
  })
  afterAll(() => db.close())

  it('is read by PostgreSQL as the very same', async () => {
    const values = [
      0,
      -0,
      Number.NaN,
      Number.MIN_VALUE,
      -Number.MAX_VALUE,
      ...fc.sample(fc.double(), { numRuns: 500, seed: 1 }),
    ]
    const { rows } = await db.pool.query<{ bytes: Buffer }>(
      'SELECT float8send(x) AS bytes FROM unnest($1::double precision[]) WITH ORDINALITY AS u (x, i) ORDER BY i',
      [values.map((value) => textOf('double precision', value))],
    )
    expect(rows.map(({ bytes }) => bytes.readDoubleBE(0))).toEqual(values)
  })
})

describe('numbers and JSON at the edge of what PostgreSQL holds', () => {
  let db: TestDatabase
  beforeAll(async () => {
    db = await testDatabase({ isMigrated: false })
  })
  afterAll(() => db.close())

  const nested = (levels: number, inner = '') => `${'['.repeat(levels)}${inner}${']'.repeat(levels)}`
  const digits = (count: number) => '9'.repeat(count)

  it.each<['numeric' | 'jsonb', string, ColumnValue]>([
    ['numeric', 'as many digits before the point as there may be', digits(131_072)],
    ['numeric', 'and behind it', `-0.${digits(16_383)}`],
    ['numeric', 'zeros in front', `${'0'.repeat(200_000)}1.5`],
    ['numeric', 'a bigint', 10n ** 131_071n],
    ['jsonb', 'the largest number', `{"a":[${nested(5)},1e131071]}`],
    ['jsonb', 'the smallest number', '[-1e-16383]'],
    ['jsonb', 'what only looks like a number', '{"a":"1e999999","b\\"1e99999":"\\\\"}'],
    ['jsonb', 'as many levels as there may be', nested(10_000)],
    ['jsonb', 'brackets in a text', `["${'['.repeat(50_000)}"]`],
    ['jsonb', 'more brackets, one beside the other', `[${'[],'.repeat(20_000)}0]`],
  ])('%s: %s is taken by both', async (type, _what, value) => {
    const text = textOf(type, value)
    expect(text).not.toBeNull()
    await db.pool.query(`SELECT ($1::text)::${type}`, [text])
  })

  it.each<['numeric' | 'jsonb', string, string | bigint]>([
    ['numeric', 'a digit more before the point', digits(131_073)],
    ['numeric', 'a digit more behind it', `0.${digits(16_384)}`],
    ['numeric', 'a bigint', -(10n ** 131_072n)],
    ['jsonb', 'a larger number', '[1,{"a":1e131072}]'],
    ['jsonb', 'a smaller number', '1E-16384'],
    ['jsonb', 'a number of too many digits', `{"a":-1.${digits(16_384)}}`],
    ['jsonb', 'one with very many digits in its exponent', '1e99999999999999999999'],
    ['jsonb', 'more levels', nested(20_000)],
  ])('%s: %s is a bad row, and PostgreSQL takes it not', async (type, _what, value) => {
    expect(() => textOf(type, value)).toThrow(ConfigurationError)
    await expect(db.pool.query(`SELECT ($1::text)::${type}`, [String(value)])).rejects.toMatchObject({
      code: expect.stringMatching(/^(22003|54001)$/),
    })
  })

  it('a natural key that no index could hold is a bad row', async () => {
    type Row = readonly [string, string]
    const table: UpsertTable<Row> = {
      ...{ mode: 'upsert', name: 'keys', key: ['a', 'b'], revision: 'r' },
      columns: [
        { name: 'a', type: 'text', of: ([a]) => a },
        { name: 'r', type: 'integer', of: () => 1 },
        { name: 'b', type: 'text', of: ([, b]) => b },
        { name: 'long', type: 'text', of: () => 'x'.repeat(10_000) },
      ],
    }
    await db.pool.query('CREATE TABLE keys (a text, r integer, b text, long text, PRIMARY KEY (a, b))')
    // Of characters that are as good as random, since an index packs what repeats.
    const random = fc.sample(fc.stringMatching(/^[0-9a-zA-Z]{2600}$/), { numRuns: 1, seed: 1 })[0] as string
    const fitting = rowText(table, [random.slice(0, 1_300), random.slice(1_300)])
    await db.pool.query('INSERT INTO keys VALUES ($1, $2, $3, $4)', [...fitting])
    expect(() => rowText(table, [`é${random.slice(1_300)}`, random.slice(1_299)])).toThrow(
      /table keys: the natural key \(a, b\) takes 2603 bytes, and an index of PostgreSQL 2600/,
    )
    expect(() => rowText(table, withdrawn<Row>([random, random]))).toThrow(/takes 5200 bytes/)
  })
})

describe('timestampText', () => {
  let db: TestDatabase
  beforeAll(async () => {
    db = await testDatabase({ isMigrated: false })
  })
  afterAll(() => db.close())

  it('is read by PostgreSQL as that very millisecond', async () => {
    const random = fc.sample(fc.integer({ min: -210_866_803_200_000, max: 8_640_000_000_000_000 }), {
      numRuns: 500,
      seed: 1,
    })
    const times = [
      0,
      -1,
      1,
      1_723_075_200_123,
      -62_135_596_800_000,
      -62_135_596_800_001,
      8_640_000_000_000_000,
      ...random,
    ]
    const { rows } = await db.pool.query<{ ms: string }>(
      'SELECT (extract(epoch FROM t) * 1000)::numeric(30, 0)::text AS ms FROM unnest($1::timestamptz[]) WITH ORDINALITY AS u (t, i) ORDER BY i',
      [times.map(timestampText)],
    )
    expect(rows.map(({ ms }) => Number(ms))).toEqual(times)
  })

  it('knows no time outside of what can be stored, and the nearest one to it', () => {
    for (const absurd of [8.65e15, -2.2e14, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]) {
      expect(timestampText(absurd)).toBeNull()
      expect(timestampText(clampTime(absurd))).not.toBeNull()
    }
  })
})

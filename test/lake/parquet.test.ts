import fc from 'fast-check'
import { type FileMetaData, parquetMetadata, parquetReadObjects } from 'hyparquet'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { unscaledOf, unscaledOfText } from '../../src/codecs/avro/decimalText.ts'
import { DataFileWriter, dataFiles } from '../../src/lake/dataFile.ts'
import { type LakeRow, lakeTable } from '../../src/lake/lakeTable.ts'
import { DecimalLimbs } from '../../src/lake/parquet/decimalLimbs.ts'
import { BadRowError } from '../../src/runtime/badRow.ts'
import { BinaryRow, rowAt } from '../../src/sinks/postgres/binaryRow.ts'
import { copyOut } from '../../src/sinks/postgres/copyOut.ts'
import { NumericBytes } from '../../src/sinks/postgres/numericBytes.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

const decimalTexts = fc
  .tuple(
    fc.constantFrom('', '-'),
    fc.bigInt({ min: 0n, max: 10n ** 39n }),
    fc.option(fc.stringMatching(/^[0-9]{1,20}$/)),
    fc.constantFrom('', '0', '00000'),
  )
  .map(([sign, whole, places, zeros]) => `${sign}${zeros}${whole}${places === null ? '' : `.${places}${zeros}`}`)

describe('decimals without bigints', () => {
  it('are the same numbers as with them', () => {
    const limbs = new DecimalLimbs()
    fc.assert(
      fc.property(
        fc.oneof(decimalTexts, fc.string({ maxLength: 8 }), fc.constantFrom('-', '.', '1.', '.5', '-0', '+1', '1.2.3')),
        fc.integer({ min: 1, max: 38 }),
        fc.integer({ min: 0, max: 38 }),
        (text, precision, scale) => {
          const expected = scale > precision ? undefined : unscaledOfText(text, precision, scale)
          if (scale > precision) return
          const isRead = limbs.read(`,${text},`, 1, text.length + 1, precision, scale)
          expect(isRead).toBe(expected !== undefined)
          if (expected === undefined) return
          const wide = Buffer.alloc(16)
          limbs.putWide(new DataView(wide.buffer, wide.byteOffset, wide.length), 0)
          expect(unscaledOf(wide)).toBe(expected)
          expect(unscaledOf(limbs.shortest())).toBe(expected)
          expect(limbs.fits64).toBe(BigInt.asIntN(64, expected) === expected)
        },
      ),
      { numRuns: 3_000 },
    )
  })

  it('compare as numbers', () => {
    const [one, other] = [new DecimalLimbs(), new DecimalLimbs()]
    const unscaled = fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n })
    fc.assert(
      fc.property(fc.oneof(unscaled, fc.bigInt({ min: -300n, max: 300n })), unscaled, (a, b) => {
        one.read(String(a), 0, String(a).length, 38, 0)
        other.read(String(b), 0, String(b).length, 38, 0)
        expect(Math.sign(one.compare(other))).toBe(a < b ? -1 : a > b ? 1 : 0)
      }),
    )
  })
})

const table = lakeTable('market.all_types', {
  columns: {
    symbol: 'string',
    at: 'timestamptz',
    price: 'decimal(18,8)',
    turnover: 'decimal(38,16)?',
    id: 'long',
    kind: 'int?',
    is_buyer: 'boolean?',
    ratio: 'double?',
    note: 'string?',
  },
})

/** False for a message without a row. */
function loaded(row: BinaryRow, message: Buffer): boolean {
  const at = rowAt(message)
  if (at >= 0) row.load(message, at)
  return at >= 0
}

function row(i: number): LakeRow {
  return {
    symbol: i % 7 === 0 ? 'ÄÖ🙂' : 'BTCUSDT',
    at: 1_760_000_000_123 + i,
    price: i % 2 === 0 ? `-${i}.00000001` : `${i}`,
    turnover: i % 5 === 0 ? null : `${i % 3 === 0 ? '-' : ''}1234567890123456789012.${String(i).padStart(16, '0')}`,
    id: i % 2 === 0 ? -i : 9_007_199_254_740_993n + BigInt(i),
    kind: i % 4 === 0 ? null : -i,
    is_buyer: i % 11 === 0 ? null : i % 3 === 0,
    ratio: i % 4 === 0 ? null : i / 3,
    note: i % 1_000 < 900 ? null : `n ${i}`,
  }
}

/** Decimals and times as the whole numbers that they are written as. */
async function readBack(body: Buffer): Promise<readonly Record<string, unknown>[]> {
  const file = body.buffer.slice(body.byteOffset, body.byteOffset + body.length) as ArrayBuffer
  const metadata: FileMetaData = parquetMetadata(file)
  for (const element of metadata.schema) {
    if (element.type === 'BYTE_ARRAY') continue
    delete element.converted_type
    delete element.logical_type
  }
  const { zstdDecompressSync } = await import('node:zlib')
  const compressors = { ZSTD: (input: Uint8Array) => zstdDecompressSync(input) }
  return parquetReadObjects({ file, metadata, compressors, utf8: true })
}

const expectedOf = (one: LakeRow) => ({
  ...one,
  at: BigInt(one.at as number) * 1_000n,
  price: unscaledOfText(one.price as string, 18, 8),
  turnover: one.turnover === null ? null : unscaledOfText(one.turnover as string, 38, 16),
  id: BigInt(one.id as bigint),
})

const withTurnover = (one: Record<string, unknown>) => ({
  ...one,
  turnover: one.turnover === null || one.turnover === undefined ? null : unscaledOf(one.turnover as Uint8Array),
})

describe('a Parquet file', () => {
  let db: TestDatabase
  beforeAll(async () => {
    db = await testDatabase({ isMigrated: false })
  })
  afterAll(() => db.close())

  it.each([1, 9, 32_768, 70_001])('of %i rows is read back as it was, nulls and all', async (count) => {
    const rows = Array.from({ length: count }, (_, i) => row(i))
    const [file] = dataFiles(table, rows)
    expect((await readBack((file as { body: Buffer }).body)).map(withTurnover)).toEqual(rows.map(expectedOf))
    expect(file?.nullCounts['4']).toBe(rows.filter(({ turnover }) => turnover === null).length)
  })

  it('is the same of rows and of what the server sends of them', async () => {
    const rows = Array.from({ length: 40_000 }, (_, i) => row(i))
    const client = await db.pool.connect()
    await client.query(
      `CREATE TEMP TABLE sent (n int, symbol text, at timestamptz, price numeric(18,8), turnover numeric, id bigint, kind int, is_buyer boolean, ratio float8, note text)`,
    )
    await client.query(
      `INSERT INTO sent SELECT n - 1, r.symbol, timestamptz 'epoch' + r.at * interval '1 millisecond', r.price, r.turnover, r.id, r.kind, r.is_buyer, r.ratio, r.note
         FROM ROWS FROM (jsonb_to_recordset($1::jsonb) AS (symbol text, at float8, price numeric, turnover numeric, id bigint, kind int, is_buyer boolean, ratio float8, note text)) WITH ORDINALITY
           AS r (symbol, at, price, turnover, id, kind, is_buyer, ratio, note, n)`,
      [JSON.stringify(rows.map((one) => ({ ...one, id: String(one.id) })))],
    )
    const writer = new DataFileWriter(table)
    const sent = new BinaryRow()
    const columns = table.columns.map(({ name }) => name).join(', ')
    await copyOut(client, `COPY (SELECT ${columns} FROM sent ORDER BY n) TO STDOUT (FORMAT binary)`, (message) => {
      if (loaded(sent, message)) writer.addRow(sent)
    })
    client.release()
    expect(writer.finish(null)).toEqual(dataFiles(table, rows)[0])
  })

  it('says the least and the greatest value of a column where it can', () => {
    const [file] = dataFiles(table, [row(3), row(1), row(2)])
    const bound = (side: 'lower' | 'upper', id: number) => Buffer.from(file?.[side][id] ?? '', 'base64')
    expect([unscaledOf(bound('lower', 3)), unscaledOf(bound('upper', 3))]).toEqual([-200_000_001n, 300_000_000n])
    expect([bound('lower', 6).readInt32LE(), bound('upper', 6).readInt32LE()]).toEqual([-3, -1])
    expect(file?.lower['7']).toBeUndefined()
    const [odd] = dataFiles(table, [{ ...row(1), ratio: Number.NaN, note: 'x'.repeat(200) }])
    expect([odd?.lower['8'], odd?.lower['9']]).toEqual([undefined, undefined])
  })

  it.each([
    ['id', 'long', 'NULL::bigint', 'null is no long'],
    ['at', 'timestamptz', `timestamptz '-infinity'`, 'a value of row 2 of the file is no timestamptz'],
    ['at', 'timestamptz', `timestamptz 'infinity'`, 'a value of row 2 of the file is no timestamptz'],
    ['price', 'decimal(38,8)', `'NaN'::numeric`, 'a value of row 2 of the file is no decimal'],
    ['price', 'decimal(38,8)', `'-Infinity'::numeric`, 'a value of row 2 of the file is no decimal'],
    ['price', 'decimal(38,8)', '0.000000001', 'a value of row 2 of the file is no decimal'],
    ['price', 'decimal(38,6)', '0.0000001', 'a value of row 2 of the file is no decimal'],
    ['price', 'decimal(38,8)', '1e30', 'a value of row 2 of the file is no decimal'],
    ['price', 'decimal(5,2)', '1000', 'a value of row 2 of the file is no decimal'],
  ] as const)('refuses what the server has and the column has not: %s %s is %s', async (name, type, value, why) => {
    const client = await db.pool.connect()
    const writer = new DataFileWriter(lakeTable('market.t', { columns: { [name]: type } }))
    const sent = new BinaryRow()
    const good = { id: '1::bigint', at: 'now()', price: '999.99' }[name]
    const copied = copyOut(
      client,
      `COPY (SELECT ${good} UNION ALL SELECT ${value}) TO STDOUT (FORMAT binary)`,
      (message) => {
        if (loaded(sent, message)) writer.addRow(sent)
      },
    )
    await expect(copied).rejects.toThrow(BadRowError)
    await expect(copied).rejects.toThrow(why)
    // The connection is as good as before.
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
    client.release()
  })

  it('has of every numeric what its text says', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 38 }),
        fc.array(fc.tuple(fc.boolean(), fc.bigInt({ min: 0n, max: 10n ** 40n }), fc.integer({ min: 0, max: 40 })), {
          minLength: 1,
          maxLength: 50,
        }),
        async (scale, drawn) => {
          const texts = drawn.map(([isNegative, digits, places]) => {
            const text = digits
              .toString()
              .slice(0, 40 - (places % 7))
              .padStart(places + 1, '0')
            return `${isNegative ? '-' : ''}${text.slice(0, text.length - places)}${places === 0 ? '' : '.'}${text.slice(text.length - places)}`
          })
          const client = await db.pool.connect()
          const [byText, byBytes] = [new DecimalLimbs(), new DecimalLimbs()]
          const sent = new BinaryRow()
          const numeric = new NumericBytes()
          let n = 0
          await client.query(`SELECT set_config('millrace.texts', $1, false)`, [JSON.stringify(texts)])
          const rows = `SELECT value::numeric FROM jsonb_array_elements_text(current_setting('millrace.texts')::jsonb) WITH ORDINALITY AS t (value, n) ORDER BY n`
          await copyOut(client, `COPY (${rows}) TO STDOUT (FORMAT binary)`, (message) => {
            if (!loaded(sent, message)) return
            const text = texts[n++] as string
            sent.next()
            const isTaken = byBytes.readNumeric(numeric.load(sent.bytes, sent.start), 38, scale)
            expect([text, isTaken]).toEqual([text, byText.read(text, 0, text.length, 38, scale)])
            if (isTaken) expect([text, byBytes.compare(byText)]).toEqual([text, 0])
            const places = (text.split('.')[1] ?? '').replace(/0+$/, '').length
            if (places <= 8) expect(BigInt(numeric.fixed8())).toBe(countOf(text, 8))
            else expect(() => numeric.fixed8()).toThrow(RangeError)
            if (places <= 16) expect(numeric.fixed16()).toBe(countOf(text, 16))
          })
          client.release()
          expect(n).toBe(texts.length)
        },
      ),
      { numRuns: 60 },
    )
  })
})

/** Of a text that has no more places. */
function countOf(text: string, places: number): bigint {
  const [whole = '', fraction = ''] = text.split('.')
  const digits = BigInt(`${whole.replace('-', '')}${fraction.slice(0, places).padEnd(places, '0')}`)
  return text.startsWith('-') ? -digits : digits
}

import fc from 'fast-check'
import { type FileMetaData, parquetMetadata, parquetReadObjects } from 'hyparquet'
import { describe, expect, it } from 'vitest'
import { unscaledOf, unscaledOfText } from '../../src/codecs/avro/decimalText.ts'
import { DataFileWriter, dataFiles } from '../../src/lake/dataFile.ts'
import { type LakeRow, lakeTable } from '../../src/lake/lakeTable.ts'
import { DecimalLimbs } from '../../src/lake/parquet/decimalLimbs.ts'
import { BadRowError } from '../../src/runtime/badRow.ts'

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
          limbs.putWide(wide, 0)
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
  it.each([1, 9, 32_768, 70_001])('of %i rows is read back as it was, nulls and all', async (count) => {
    const rows = Array.from({ length: count }, (_, i) => row(i))
    const [file] = dataFiles(table, rows)
    expect((await readBack((file as { body: Buffer }).body)).map(withTurnover)).toEqual(rows.map(expectedOf))
    expect(file?.nullCounts['4']).toBe(rows.filter(({ turnover }) => turnover === null).length)
  })

  it('is the same of rows and of what the server tells of them', () => {
    const rows = Array.from({ length: 40_000 }, (_, i) => row(i))
    const seconds = (ms: number) => `${Math.floor(ms / 1_000)}.${String(ms % 1_000).padStart(3, '0')}000`
    const texts = table.columns.map(({ name, type }) => {
      const values = rows.map((one) => one[name] ?? null)
      if (type === 'string') return JSON.stringify(values)
      return values
        .map((value) => (value === null ? '' : type === 'timestamptz' ? seconds(value as number) : String(value)))
        .join(',')
    })
    const writer = new DataFileWriter(table, null)
    writer.addColumns(texts, rows.length)
    expect(writer.finish()).toEqual(dataFiles(table, rows)[0])
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

  it('refuses a column of the server that is null where there has to be something', () => {
    const writer = new DataFileWriter(lakeTable('market.t', { columns: { id: 'long' } }), null)
    expect(() => writer.addColumns(['1,,3'], 3)).toThrow(BadRowError)
  })
})

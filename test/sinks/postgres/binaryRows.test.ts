import fc from 'fast-check'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { toFixed8 } from '../../../src/exact/decimal.ts'
import { BinaryRow, rowAt } from '../../../src/sinks/postgres/binaryRow.ts'
import { BinaryRows } from '../../../src/sinks/postgres/binaryRows.ts'
import { copyIn } from '../../../src/sinks/postgres/copyIn.ts'
import { copyOut } from '../../../src/sinks/postgres/copyOut.ts'
import { type TestDatabase, testDatabase } from '../../support/postgres.ts'

let db: TestDatabase
let client: pg.PoolClient

beforeAll(async () => {
  db = await testDatabase()
  client = await db.pool.connect()
  await client.query(
    'CREATE TABLE kept (place bigint PRIMARY KEY, name text NOT NULL, moment timestamptz NOT NULL, price numeric(38,8) NOT NULL, money numeric(38,16) NOT NULL CHECK (money <> 7))',
  )
})

afterAll(async () => {
  client.release()
  await db.close()
})

const fields = 5
const insert = 'COPY kept FROM STDIN (FORMAT binary)'
const wide = (digits: number) => {
  const most = 10n ** BigInt(digits)
  return fc.oneof(fc.bigInt({ min: -20_000n, max: 20_000n }), fc.bigInt({ min: -most, max: most }))
}
const value = fc.record({
  name: fc.string({ unit: fc.constantFrom('a', 'ö', '€', '𝄞', ' ') }),
  micros: fc.integer({ min: -(2 ** 52), max: 2 ** 52 }),
  price: wide(29),
  money: wide(37),
})

interface Value {
  readonly name: string
  readonly micros: number
  readonly price: bigint
  readonly money: bigint
}

function rowsOf(values: readonly Value[], place: (i: number) => number = (i) => i): BinaryRows {
  const rows = new BinaryRows()
  for (const [i, { name, micros, price, money }] of values.entries()) {
    rows.beginRow(fields)
    rows.long(place(i))
    rows.text(name)
    rows.long(micros)
    rows.fixed8(toFixed8(price))
    rows.fixed16(money)
  }
  return rows
}

async function stored(act: (row: BinaryRow, from: number) => void): Promise<void> {
  const row = new BinaryRow()
  await copyOut(client, 'COPY (SELECT * FROM kept ORDER BY place) TO STDOUT (FORMAT binary)', (message) => {
    const at = rowAt(message)
    if (at < 0) return
    row.load(message, at)
    const from = row.end
    row.skip(fields)
    act(row, from)
  })
}

test('the server takes rows for the values that they are made of, and sends them in the same bytes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 20 }), async (values) => {
      await client.query('TRUNCATE kept')
      const rows = rowsOf(values)
      const all = values.map((_, i) => i)
      await copyIn(client, insert, [rows.copyBytes(all)])
      const { rows: told } = await client.query<Record<'name' | 'micros' | 'price' | 'money', string>>(
        `SELECT name, (extract(epoch FROM moment - timestamptz '2000-01-01 00:00:00+00') * 1000000)::bigint::text AS micros, trunc(price * 1e8)::text AS price, trunc(money * 1e16)::text AS money FROM kept ORDER BY place`,
      )
      expect(told).toEqual(
        values.map(({ name, micros, price, money }) => ({
          name,
          micros: String(micros),
          price: String(price),
          money: String(money),
        })),
      )
      let i = 0
      await stored((row, from) => {
        expect(rows.isSame(i, row.bytes, from, row.end)).toBe(true)
        if (i > 0) expect(rows.isSame(i - 1, row.bytes, from, row.end)).toBe(false)
        i += 1
      })
      expect(i).toBe(values.length)
    }),
    { numRuns: 50 },
  )
})

test('some of the rows are taken alone, and rows that are cleared are gone', async () => {
  await client.query('TRUNCATE kept')
  const one = { name: 'one', micros: 0, price: 1n, money: 1n }
  const rows = rowsOf([one, one, one, one])
  await copyIn(client, insert, [rows.copyBytes([1, 3])])
  expect((await client.query<{ place: string }>('SELECT place FROM kept ORDER BY place')).rows).toEqual([
    { place: '1' },
    { place: '3' },
  ])
  rows.clear()
  expect(rows.count).toBe(0)
  expect(rows.copyBytes([])).toEqual(new BinaryRows().copyBytes([]))
})

test('what the server refuses is told, and the connection goes on', async () => {
  const seven = { name: 'seven', micros: 0, price: 1n, money: 7n * 10n ** 16n }
  const rows = rowsOf([seven], () => 100)
  await expect(copyIn(client, insert, [rows.copyBytes([0])])).rejects.toThrow('check constraint')
  expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
})

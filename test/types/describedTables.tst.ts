import {
  type AppendTable,
  aggregateWindow,
  type TableRow,
  table,
  toPostgres,
  tumblingWindow,
  type UpsertTable,
} from 'millrace'
import type { Observable } from 'rxjs'
import { describe, expect, test } from 'tstyche'

interface Sale {
  readonly product: string
  readonly cents: number
}

const sales = table('sales', {
  columns: {
    product: 'text',
    minute: 'timestamptz',
    cents: 'bigint',
    exact: 'numeric',
    note: 'text?',
    celsius: { type: 'numeric', from: (celsius: number | null) => (celsius === null ? null : String(celsius)) },
    revision: 'integer',
  },
  key: ['product', 'minute'],
  revision: 'revision',
})

interface SalesRow {
  readonly product: string
  readonly minute: number
  readonly cents: number | bigint
  readonly exact: string | bigint
  readonly note: string | null
  readonly celsius: number | null
  readonly revision: number
}

describe('a table that is described by its columns', () => {
  test('has rows of their types, a conversion giving that of its parameter', () => {
    expect(sales).type.toBe<UpsertTable<SalesRow>>()
    expect<TableRow<typeof sales>>().type.toBe<SalesRow>()
  })

  test('is one that rows are only added to, without key and revision', () => {
    const lines = table('lines', { columns: { line: 'text', at: 'timestamptz?' } })
    expect(lines).type.toBe<AppendTable<{ readonly line: string; readonly at: number | null }>>()
  })

  test('takes the rows of a stream without an annotation', () => {
    const counts = table('counts', {
      columns: { product: 'text', orders: 'integer', revision: 'integer' },
      key: ['product'],
      revision: 'revision',
    })
    const counted = (sales: Observable<Sale>) =>
      sales.pipe(
        tumblingWindow({ name: '1m', sizeMs: '1m', by: ({ product }) => product }),
        aggregateWindow({
          initial: () => 0,
          add: (sum) => sum + 1,
          result: (orders, { key }, { revision }) => ({ product: key, orders, revision }),
        }),
      )
    expect(toPostgres).type.toBeCallableWith({} as ReturnType<typeof counted>, counts)
  })

  test('refuses a stream whose rows lack a column or have another type in it', () => {
    const counts = table('counts', { columns: { product: 'text', orders: 'integer' } })
    expect(toPostgres).type.not.toBeCallableWith({} as Observable<{ product: string }>, counts)
    expect(toPostgres).type.not.toBeCallableWith({} as Observable<{ product: string; orders: string }>, counts)
    expect(toPostgres).type.not.toBeCallableWith({} as Observable<{ product: string; orders: number | null }>, counts)
  })

  test('has a key and a revision of its columns, which cannot be null', () => {
    const columns = { product: 'text', note: 'text?', orders: 'integer', cents: 'bigint' } as const
    expect(table).type.toBeCallableWith('sales', { columns, key: ['product'], revision: 'orders' } as const)
    expect(table).type.not.toBeCallableWith('sales', { columns, key: ['produkt'], revision: 'orders' } as const)
    expect(table).type.not.toBeCallableWith('sales', { columns, key: ['note'], revision: 'orders' } as const)
    expect(table).type.not.toBeCallableWith('sales', { columns, key: ['product'], revision: 'cents' } as const)
    expect(table).type.not.toBeCallableWith('sales', { columns, key: ['product'] } as const)
    expect(table).type.not.toBeCallableWith('sales', { columns: { at: 'date' } } as const)
  })
})

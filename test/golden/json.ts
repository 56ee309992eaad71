import { type AppendTable, type Codec, type ColumnValue, Rejection } from '../../src/index.ts'

const bigintText = /^-?[0-9]+n$/

/** Plain values as JSON text; a bigint is text that ends in n. */
export function textOf(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? `${inner}n` : inner))
}

/** Reads what `textOf` writes. */
export function jsonValues<T>(): Codec<T> {
  return {
    decode(record) {
      const text = record.valueText() ?? ''
      try {
        return JSON.parse(text, (_key, inner: unknown) =>
          typeof inner === 'string' && bigintText.test(inner) ? BigInt(inner.slice(0, -1)) : inner,
        ) as T
      } catch {
        return new Rejection('malformed', `not JSON, ${text.length} characters`)
      }
    },
  }
}

/** A table that is only added to, with these columns. */
export function tableOf<Row>(
  name: string,
  columns: Readonly<Record<string, (row: Row) => ColumnValue>>,
): AppendTable<Row> {
  return {
    mode: 'append',
    name,
    columns: Object.entries(columns).map(([column, of]) => ({ name: column, type: 'text', of })),
  }
}

import type { ColumnType, RowText, UpsertTable } from './table.ts'

/** One text per natural key: equal exactly where PostgreSQL sees equal keys. */
export function keyText(parts: readonly (string | null)[], types: readonly ColumnType[]): string {
  // No part contains U+0000, because no text of a column does.
  return parts.map((part, i) => (types[i] === 'numeric' && part !== null ? plainNumeric(part) : part)).join('\0')
}

/** What gives the natural key of a row of the table, as `keyText` makes it. Throws `RangeError` where the key names no column. */
export function rowKeys(table: UpsertTable<never>): (row: RowText) => string {
  const indexes = table.key.map((name) => {
    const index = table.columns.findIndex((column) => column.name === name)
    if (index < 0) throw new RangeError(`table ${table.name}: its key names ${name}, which is no column of it`)
    return index
  })
  const types = indexes.map((i) => table.columns[i]!.type)
  return (row) =>
    keyText(
      indexes.map((i) => row[i] as string | null),
      types,
    )
}

/** The natural key for people: `market spot, symbol BTCUSDT`. */
export function shownKey(table: UpsertTable<never>, key: string): string {
  return key
    .split('\0')
    .map((part, i) => `${table.key[i]} ${part.slice(0, 100)}`)
    .join(', ')
}

function plainNumeric(text: string): string {
  const plain = text.replace(/^(-?)0+(?=\d)/, '$1').replace(/\.?0+$/, (zeros) => (text.includes('.') ? '' : zeros))
  return plain === '-0' ? '0' : plain
}

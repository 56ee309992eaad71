import type { TableWrite } from '../../runtime/store/checkpoint.ts'
import type { ColumnValue, Table } from '../../runtime/store/table.ts'
import { Withdrawn } from '../../runtime/withdrawn.ts'

/** What a table holds after writes: newest revisions by key, without those that were taken back, or everything in order for one that is only added to. */
export class TableRows {
  readonly #upserted = new Map<string, Map<string, unknown>>()
  readonly #appended = new Map<string, unknown[]>()

  apply(writes: readonly TableWrite[]): void {
    for (const { table, rows } of writes) {
      for (const row of rows) {
        if (table.mode === 'append') this.#list(table.name).push(row)
        else this.#upsert(table, row)
      }
    }
  }

  /** Upserted rows stand in the order of their keys' first writes; a key whose row was taken back begins anew. */
  rows(table: Table<never>): unknown[] {
    return table.mode === 'append' ? [...this.#list(table.name)] : [...(this.#upserted.get(table.name)?.values() ?? [])]
  }

  #upsert(table: Extract<Table<unknown>, { mode: 'upsert' }>, written: unknown): void {
    const row: unknown = written instanceof Withdrawn ? written.row : written
    let rows = this.#upserted.get(table.name)
    if (rows === undefined) {
      rows = new Map()
      this.#upserted.set(table.name, rows)
    }
    const key = JSON.stringify(table.key.map((name) => String(columnOf(table, name, row))))
    const stored = rows.get(key)
    const isOlder =
      stored !== undefined &&
      Number(columnOf(table, table.revision, row)) < Number(columnOf(table, table.revision, stored))
    if (isOlder) return
    if (written instanceof Withdrawn) rows.delete(key)
    else rows.set(key, row)
  }

  #list(name: string): unknown[] {
    let list = this.#appended.get(name)
    if (list === undefined) {
      list = []
      this.#appended.set(name, list)
    }
    return list
  }
}

/** The row as text, column by column, for comparing and for messages. */
export function rowText(table: Table<never>, row: unknown): string {
  return (table as Table<unknown>).columns.map((column) => `${column.name}=${String(column.of(row))}`).join(' ')
}

function columnOf(table: Table<unknown>, name: string, row: unknown): ColumnValue {
  const column = table.columns.find((candidate) => candidate.name === name)
  if (column === undefined)
    throw new Error(`table ${table.name} has no column ${name}, which its key or revision names`)
  return column.of(row)
}

import type { TableWrite } from '../runtime/store/checkpoint.ts'
import { rowKeys } from '../runtime/store/rowKey.ts'
import type { AppendTable, RowText, Table, UpsertTable } from '../runtime/store/table.ts'
import { Withdrawn } from '../runtime/withdrawn.ts'
import { rowText } from '../sinks/postgres/columnText.ts'

/** What a replay has come to in one row of an upsert table. */
export interface MadeRow {
  /** As it would be written; of a row that was taken back, its key and revision. */
  readonly text: RowText
  readonly isGone: boolean
  /** Of the task that made it. */
  readonly partition: number
  /** True where tasks of several partitions have made rows of this key: which of them has it is not said by their records. */
  readonly isContested: boolean
}

/** Equal rows of an append table. */
export interface MadeRows {
  readonly text: RowText
  readonly count: number
}

/** Which rows are kept: the others are let go of as they come. Of a key all are kept, or at least those that replace the others. */
export type KeepsRow = (table: Table<never>, row: RowText) => boolean

/**
 * The rows that a replay makes, as the tables would have them: of upsert tables the newest revision of each key, of append tables how often there is each row.
 *
 * Keeps a row for each key, and for each row of an append table that is not like another.
 */
export class RowsMade {
  readonly #keeps: KeepsRow
  readonly #upserts = new Map<string, UpsertRows>()
  readonly #appends = new Map<string, Map<string, { readonly text: RowText; count: number }>>()

  constructor(keeps: KeepsRow) {
    this.#keeps = keeps
  }

  /**
   * All of them or none.
   * @throws BadRowError where the table could not hold one
   */
  take(partition: number, writes: readonly TableWrite[]): void {
    const rendered = writes.map(({ table, rows }) =>
      rows.map((row) => ({ text: rowText(table, row as never), isGone: row instanceof Withdrawn })),
    )
    for (const [i, { table }] of writes.entries()) {
      const rows = rendered[i] as readonly Rendered[]
      if (table.mode === 'append') this.#append(table, rows)
      else this.#upsert(table, rows, partition)
    }
  }

  /** By key, in the order in which they first came. */
  upserts({ name }: Table<never>): ReadonlyMap<string, MadeRow> {
    return this.#upserts.get(name)?.rows ?? new Map()
  }

  appends({ name }: Table<never>): Iterable<MadeRows> {
    return this.#appends.get(name)?.values() ?? []
  }

  #upsert(table: UpsertTable<never>, rows: readonly Rendered[], partition: number): void {
    const known = this.#upserts.get(table.name) ?? upsertRows(table)
    this.#upserts.set(table.name, known)
    for (const { text, isGone } of rows) {
      if (!this.#keeps(table, text)) continue
      const key = known.keyOf(text)
      const before = known.rows.get(key)
      const isContested = before !== undefined && (before.isContested || before.partition !== partition)
      const made = { text, isGone, partition, isContested }
      const isOlder = before?.isGone === false && Number(before.text[known.revisionAt]) > Number(text[known.revisionAt])
      known.rows.set(key, isOlder ? { ...before, isContested } : made)
    }
  }

  #append(table: AppendTable<never>, rows: readonly Rendered[]): void {
    const known = this.#appends.get(table.name) ?? new Map<string, { readonly text: RowText; count: number }>()
    this.#appends.set(table.name, known)
    for (const { text } of rows) {
      if (!this.#keeps(table, text)) continue
      const key = JSON.stringify(text)
      const before = known.get(key)
      if (before === undefined) known.set(key, { text, count: 1 })
      else before.count += 1
    }
  }
}

interface Rendered {
  readonly text: RowText
  readonly isGone: boolean
}

interface UpsertRows {
  readonly rows: Map<string, MadeRow>
  readonly keyOf: (row: RowText) => string
  readonly revisionAt: number
}

function upsertRows(table: UpsertTable<never>): UpsertRows {
  const revisionAt = table.columns.findIndex(({ name }) => name === table.revision)
  return { rows: new Map(), keyOf: rowKeys(table), revisionAt }
}

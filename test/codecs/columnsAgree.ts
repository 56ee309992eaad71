import assert from 'node:assert/strict'
import { field } from '../../src/runtime/field.ts'
import { columnOf, fields, Lent } from '../../src/runtime/spans/lent.ts'
import type { LentColumn } from '../../src/runtime/spans/lentColumn.ts'

/** Holds the columns of who lends a value against the value: those of its fields, and what they say of these questions. Gives how many there were. */
export function columnsAgree(
  lent: unknown,
  row: number,
  value: Readonly<Record<string, unknown>>,
  questions: readonly ((value: never) => unknown)[] = [],
): number {
  if (!(lent instanceof Lent)) throw new Error('the value is not lent')
  const names = Object.keys(lent[fields] ?? {})
  for (const name of names) {
    const column = lent[columnOf](field(name))
    assert.deepEqual(saidOf(column as LentColumn, row), value[name], name)
  }
  let asked = 0
  for (const question of questions) {
    const column = lent[columnOf](question)
    if (column === null) continue
    asked += 1
    assert.deepEqual(saidOf(column, row), question(value as never), question.name)
  }
  return names.length + asked
}

function saidOf(column: LentColumn, row: number): unknown {
  if (column.kind === 'same') return column.value
  if (column.kind === 'texts') return column.texts.at(row)
  return column.kind === 'flags' ? column.numbers[row] === 1 : column.numbers[row]
}

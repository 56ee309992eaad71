import { columnsOf } from './condition.ts'
import type { Equals, Expectation } from './expectation.ts'
import type { FoundTable } from './foundTable.ts'

/** The columns of the table that an expectation names. */
export function neededColumns(expectation: Expectation): readonly string[] {
  switch (expectation.kind) {
    case 'notNull':
    case 'acceptedValues':
    case 'range':
    case 'matches':
    case 'increasing':
    case 'aggregate':
      return [expectation.column]
    case 'unique':
    case 'order':
    case 'references':
      return expectation.columns
    case 'holds':
      return columnsOf(expectation.that)
    case 'equals':
      return [...expectation.on, ...comparedColumns(expectation)]
    case 'complete':
    case 'fresh':
    case 'rowCount':
    case 'shape':
      return []
  }
}

/** The other table that an expectation names, and the columns that it needs of it. */
export function neededOfOther(
  expectation: Expectation,
): { readonly table: string; readonly columns: readonly string[] } | null {
  if (expectation.kind === 'references')
    return { table: expectation.table, columns: expectation.otherColumns ?? expectation.columns }
  if (expectation.kind !== 'equals') return null
  const { table, on, otherOnly } = expectation
  const filtered = otherOnly === undefined ? [] : columnsOf(otherOnly)
  return { table, columns: [...on, ...comparedColumns(expectation), ...filtered] }
}

function comparedColumns({ columns }: Equals): readonly string[] {
  return columns.map((one) => (typeof one === 'string' ? one : one.column))
}

/** What is wrong with the shape of a table; null where nothing is. */
export function shapeMisfit(
  expectation: Expectation & { kind: 'shape' },
  found: NonNullable<FoundTable>,
): string | null {
  const { columns, exactly = false } = expectation
  const wrong = Object.entries(columns).flatMap(([column, type]) => {
    const is = found.get(column)?.type
    if (is === undefined) return [`${column} is not there`]
    return is === type ? [] : [`${column} is ${is}, not ${type}`]
  })
  const more = exactly
    ? [...found.keys()].filter((column) => !(column in columns)).map((column) => `${column} is one too many`)
    : []
  const all = [...wrong, ...more]
  return all.length === 0 ? null : all.join('; ')
}

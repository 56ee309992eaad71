import { ConfigurationError } from '../../runtime/errors.ts'
import { checkArgument, needed } from '../../runtime/options.ts'
import type { ColumnType, Table } from '../../runtime/store/table.ts'
import { ownerColumn } from './ownerColumn.ts'
import { ownTables } from './ownTables.ts'

const longestNameBytes = 63

const columnTypes: Readonly<Record<ColumnType, true>> = {
  text: true,
  integer: true,
  bigint: true,
  numeric: true,
  'double precision': true,
  boolean: true,
  timestamptz: true,
  jsonb: true,
}
const aColumnType = needed.oneOf(...Object.keys(columnTypes))

/** Throws `ConfigurationError` on a descriptor that no table of PostgreSQL could fit. */
export function checkDescriptor(table: Table<never>): void {
  const names = table.columns.map((column) => column.name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  checkName('table', table.name)
  if (ownTables.includes(table.name)) {
    throw new ConfigurationError(
      `table ${table.name}: Millrace keeps its own data in a table of this name; give yours another one`,
    )
  }
  if (names.length === 0) throw new ConfigurationError(`table ${table.name} has no columns`)
  if (twice !== undefined) throw new ConfigurationError(`table ${table.name} has two columns called ${twice}`)
  for (const { name, type, of } of table.columns) {
    checkName(`table ${table.name}: column`, name)
    checkArgument(`table ${table.name}: column ${name}`, 'its type', type, aColumnType)
    checkArgument(`table ${table.name}: column ${name}`, 'of', of, needed.callback)
  }
  if (table.mode === 'append') return
  if (names.includes(ownerColumn)) {
    throw new ConfigurationError(
      `table ${table.name}: Millrace keeps whose a row is in a column ${ownerColumn}; give yours another name`,
    )
  }
  const missing = [...table.key, table.revision].find((name) => !names.includes(name))
  if (missing !== undefined) {
    throw new ConfigurationError(
      `table ${table.name}: ${missing} is in its key or is its revision, but is not a column (${names.join(', ')})`,
    )
  }
  const float = table.columns.find(({ name, type }) => type === 'double precision' && table.key.includes(name))
  if (float !== undefined) {
    throw new ConfigurationError(
      `table ${table.name}: ${float.name} is in its key and a double precision, which is hardly twice the same; use a numeric`,
    )
  }
  const json = table.columns.find(({ name, type }) => type === 'jsonb' && table.key.includes(name))
  if (json !== undefined) {
    throw new ConfigurationError(
      `table ${table.name}: ${json.name} is in its key and a jsonb, of which two texts may be the same (their order, their blanks); use a text`,
    )
  }
  if (table.key.length === 0) throw new ConfigurationError(`table ${table.name}: an upsert table needs a natural key`)
}

/** Throws `ConfigurationError` on a name that PostgreSQL would refuse, or keep as another one. */
export function checkName(what: string, name: string): void {
  const bytes = Buffer.byteLength(name)
  if (bytes > longestNameBytes) {
    throw new ConfigurationError(
      `${what} ${name}: its name has ${bytes} bytes, of which PostgreSQL would keep ${longestNameBytes} and then not find it by the whole name; choose a shorter one`,
    )
  }
  if (name === '' || name.includes('\0') || !name.isWellFormed()) {
    throw new ConfigurationError(
      `${what} ${JSON.stringify(name)}: a name is not empty, and has no U+0000 and no half of a surrogate pair`,
    )
  }
}

/** Each table once, its descriptor held to `checkDescriptor`. Throws `ConfigurationError` where two descriptors of one table differ. */
export function distinctTables(tables: readonly Table<never>[]): readonly Table<never>[] {
  const byName = new Map<string, Table<never>>()
  for (const table of tables) {
    checkDescriptor(table)
    const known = byName.get(table.name)
    if (known === undefined) byName.set(table.name, table)
    else if (shapeText(known) !== shapeText(table)) {
      throw new ConfigurationError(
        `table ${table.name} is described twice, and not alike: ${shapeText(known)}; and ${shapeText(table)}. ` +
          'Use one descriptor for both, or two tables',
      )
    }
  }
  return [...byName.values()]
}

/** Equal where descriptors mean the same table. */
function shapeText(table: Table<never>): string {
  const columns = table.columns.map(({ name, type }) => `${name} ${type}`).sort()
  const keyed = table.mode === 'append' ? '' : `, key (${[...table.key].sort().join(', ')}), revision ${table.revision}`
  return `${table.mode}${keyed}, columns (${columns.join(', ')})`
}

import type { Column, ColumnType, Table, UpsertTable } from '../../runtime/store/table.ts'
import { quoteIdentifier } from './connection.ts'
import type { FoundColumn, FoundSchema, FoundTable, FoundUnique, Right } from './foundTables.ts'
import { ownerColumn } from './ownerColumn.ts'
import { addOwner, conversion, createTable, identifiers, isNumber, qualified } from './tableStatements.ts'

/** Why rows cannot be written as the descriptor says, and what mends it, in the order in which it has to be run. */
export interface Difference {
  readonly words: string
  readonly statements: readonly string[]
}

/** What can hold every value of a type, and gives it back the same. */
const holders: Readonly<Record<ColumnType, readonly string[]>> = {
  text: ['text', 'character varying'],
  integer: ['integer', 'bigint'],
  bigint: ['bigint', 'numeric'],
  numeric: ['numeric'],
  'double precision': ['double precision'],
  boolean: ['boolean'],
  // Event time is in ms.
  timestamptz: ['timestamp with time zone', ...[3, 4, 5, 6].map((digits) => `timestamp(${digits}) with time zone`)],
  jsonb: ['jsonb'],
}

/** What else may have the name of a table, and the word with which it is renamed. */
const otherKinds: Readonly<Record<string, readonly [words: string, keyword: string]>> = {
  v: ['a view', 'VIEW'],
  m: ['a materialized view', 'MATERIALIZED VIEW'],
  f: ['a foreign table', 'FOREIGN TABLE'],
  i: ['an index', 'INDEX'],
  I: ['an index', 'INDEX'],
  S: ['a sequence', 'SEQUENCE'],
  c: ['a composite type', 'TYPE'],
}

/**
 * What keeps rows of the descriptor from being written: nothing for a table that fits, nor for one that is missing and may be made.
 *
 * A table that fits is an ordinary or a partitioned one. It may have more columns, as long as they need no value, wider ones, and other constraints.
 */
export function differencesOf(schemaName: string, schema: FoundSchema, table: Table<never>): readonly Difference[] {
  const found = schema.tables.get(table.name)
  const name = qualified(schemaName, table.name)
  if (found === undefined) return schema.mayCreate ? [] : [notCreatable(schemaName, schema, table)]
  const kind = otherKinds[found.kind]
  if (kind !== undefined) return [notATable(schemaName, table.name, ...kind)]
  return [
    ...(found.isLogged ? [] : [unlogged(name)]),
    ...(table.mode === 'upsert' ? uniqueDifferences(schemaName, name, table, found) : []),
    ...table.columns.flatMap((column) => columnDifferences(name, table, column, found)),
    ...found.columns.flatMap((column) => surplusDifferences(name, table, column, found)),
    ...(table.mode === 'upsert' ? keyDifferences(name, table, found) : []),
    ...(table.mode === 'upsert' ? ownerDifferences(schemaName, schema, table, found) : []),
    ...rightsDifferences(name, schema.user, table, found),
  ]
}

/** True for an upsert table of before rows had owners, to which the column may be added. */
export function isWithoutOwners({ tables }: FoundSchema, table: Table<never>): boolean {
  const found = tables.get(table.name)
  return table.mode === 'upsert' && found !== undefined && !hasOwners(found)
}

function hasOwners({ columns }: FoundTable): boolean {
  return columns.some(({ name }) => name === ownerColumn)
}

function ownerDifferences(
  schemaName: string,
  { user }: FoundSchema,
  table: UpsertTable<never>,
  found: FoundTable,
): readonly Difference[] {
  const there = found.columns.find(({ name }) => name === ownerColumn)
  if (there?.type === 'integer') return []
  const purpose = 'in which is kept whose a row is, so that no other task replaces it'
  if (there === undefined) {
    if (found.mayAlter) return []
    return [
      {
        words: `has no column ${ownerColumn}, ${purpose}, and user ${user} does not own the table, so cannot add it`,
        statements: [addOwner(schemaName, table.name)],
      },
    ]
  }
  const name = qualified(schemaName, table.name)
  return [
    {
      words: `column ${ownerColumn} is ${there.type}; it has to be the integer ${purpose}`,
      statements: [
        `ALTER TABLE ${name} RENAME COLUMN ${quoteIdentifier(ownerColumn)} TO ${quoteIdentifier(`${ownerColumn}_old`)};`,
        addOwner(schemaName, table.name),
      ],
    },
  ]
}

function notCreatable(schemaName: string, { user }: FoundSchema, table: Table<never>): Difference {
  const name = qualified(schemaName, table.name)
  return {
    words: `does not exist, and user ${user} has no right to create it`,
    statements: [createTable(schemaName, table), grant(name, rightsOf(table), user)],
  }
}

function notATable(schemaName: string, name: string, words: string, keyword: string): Difference {
  return {
    words: `is ${words}: rows are written in the transaction of the checkpoint, with COPY or ON CONFLICT, which takes an ordinary or partitioned table`,
    statements: [`ALTER ${keyword} ${qualified(schemaName, name)} RENAME TO ${quoteIdentifier(oldName(name))};`],
  }
}

/** Cut to what PostgreSQL keeps of a name. */
function oldName(name: string): string {
  const characters = [...name]
  while (Buffer.byteLength(`${characters.join('')}_old`) > 63) characters.pop()
  return `${characters.join('')}_old`
}

function unlogged(name: string): Difference {
  return {
    words:
      'is unlogged: a crash of the server empties it and leaves the checkpoints, which say that its rows are written',
    statements: [`ALTER TABLE ${name} SET LOGGED;`],
  }
}

function columnDifferences(
  name: string,
  table: Table<never>,
  column: Column<never>,
  { columns }: FoundTable,
): readonly Difference[] {
  const found = columns.find((one) => one.name === column.name)
  const quoted = quoteIdentifier(column.name)
  const alter = `ALTER TABLE ${name} ALTER COLUMN ${quoted}`
  if (found === undefined) {
    return [{ words: `has no column ${column.name}`, statements: [`ALTER TABLE ${name} ${addition(table, column)};`] }]
  }
  if (found.generated === 'virtual') {
    return [
      {
        words: `column ${column.name} is computed whenever it is read, and cannot be written`,
        statements: [`ALTER TABLE ${name} DROP COLUMN ${quoted}, ${addition(table, column)};`],
      },
    ]
  }
  const differences: Difference[] = []
  if (found.generated === 'stored') {
    differences.push({
      words: `column ${column.name} is generated, and cannot be written`,
      statements: [`${alter} DROP EXPRESSION;`],
    })
  }
  if (!holders[column.type].includes(found.type)) {
    differences.push({
      words: `column ${column.name} is ${found.type}, which does not hold every ${column.type} as it is`,
      statements: [
        ...defaultsInTheWay(alter, found, column.type),
        `${alter} TYPE ${column.type} USING ${conversion(column.name, found.type, column.type)};`,
      ],
    })
  } else if (found.identity === 'always' && table.mode === 'upsert') {
    differences.push({
      words: `column ${column.name} is GENERATED ALWAYS AS IDENTITY, and takes no other value`,
      statements: [`${alter} SET GENERATED BY DEFAULT;`],
    })
  }
  if (!found.isDeterministic && table.mode === 'upsert' && table.key.includes(column.name) && column.type === 'text') {
    differences.push({
      words: `column ${column.name} has a collation to which different texts may be equal, so that one key would take another's row`,
      statements: [`${alter} TYPE text COLLATE pg_catalog."default";`],
    })
  }
  return differences
}

/** A row from before has NULL in the new column, or is older than any that is written. */
function addition(table: Table<never>, { name, type }: Column<never>): string {
  const isRevision = table.mode === 'upsert' && name === table.revision
  return `ADD COLUMN ${quoteIdentifier(name)} ${type}${isRevision ? ' NOT NULL DEFAULT 0' : ''}`
}

/** A default is turned into the new type by itself where there is a cast that PostgreSQL would take unasked; the pipeline always gives a value. */
function defaultsInTheWay(alter: string, found: FoundColumn, to: ColumnType): readonly string[] {
  if (found.identity !== '') {
    const mayStay = to === 'integer' || to === 'bigint'
    return [`${alter} ${mayStay ? 'SET GENERATED BY DEFAULT' : 'DROP IDENTITY'};`]
  }
  const isKept = found.generated !== '' || to === 'text' || (isNumber(found.type) && isNumber(to))
  return found.hasDefault && !isKept ? [`${alter} DROP DEFAULT;`] : []
}

function surplusDifferences(
  name: string,
  table: Table<never>,
  column: FoundColumn,
  { uniques }: FoundTable,
): readonly Difference[] {
  const isWritten = writtenColumns(table).includes(column.name)
  if (isWritten || !column.isNotNull || column.hasDefault || column.identity !== '') return []
  const primary = uniques.find((one) => one.isPrimary && one.columns.includes(column.name))
  return [
    {
      words: `column ${column.name} is not written by the pipeline, and takes no NULL and has no default`,
      statements: [
        // A column of a primary key can take no NULL.
        ...(primary?.constraint == null ? [] : [dropConstraint(name, primary.constraint)]),
        `ALTER TABLE ${name} ALTER COLUMN ${quoteIdentifier(column.name)} DROP NOT NULL;`,
      ],
    },
  ]
}

/** Unique indexes that make the writing fail, whatever others there are. */
function uniqueDifferences(
  schemaName: string,
  name: string,
  table: UpsertTable<never>,
  { uniques }: FoundTable,
): readonly Difference[] {
  return uniques.flatMap((unique) => {
    if (!unique.columns.every((column) => table.key.includes(column))) return []
    const what = `${unique.isPrimary ? 'primary key' : 'unique index'} ${unique.name} (${unique.columns.join(', ')})`
    const statements = [
      unique.constraint === null
        ? `DROP INDEX ${qualified(schemaName, unique.name)};`
        : dropConstraint(name, unique.constraint),
    ]
    if (!isOfKey(unique, table)) {
      const words = `its ${what} has room for one row of what the natural key (${table.key.join(', ')}) has several of`
      return [{ words, statements }]
    }
    // ON CONFLICT takes it as well, and refuses it, also beside one that is not deferrable.
    return unique.isImmediate ? [] : [{ words: `its ${what} is deferrable, which ON CONFLICT refuses`, statements }]
  })
}

function keyDifferences(name: string, table: UpsertTable<never>, { uniques }: FoundTable): readonly Difference[] {
  if (uniques.some((unique) => isOfKey(unique, table) && unique.isImmediate && unique.isExact)) return []
  return [
    {
      words: `has no primary key and no unique index, whole and not deferrable, on exactly its natural key (${table.key.join(', ')}), which ON CONFLICT needs`,
      statements: [`CREATE UNIQUE INDEX ON ${name} (${identifiers(table.key)});`],
    },
  ]
}

function isOfKey({ columns }: FoundUnique, { key }: UpsertTable<never>): boolean {
  const distinct = new Set(key)
  return columns.length === distinct.size && columns.every((column) => distinct.has(column))
}

function rightsDifferences(
  name: string,
  user: string,
  table: Table<never>,
  { columns }: FoundTable,
): readonly Difference[] {
  const names = writtenColumns(table)
  const written = columns.filter(({ name }) => names.includes(name))
  const lacking = rightsOf(table).filter((right) => written.some(({ rights }) => !rights.includes(right)))
  if (lacking.length === 0) return []
  return [{ words: `user ${user} has no right to ${lacking.join(', ')}`, statements: [grant(name, lacking, user)] }]
}

function writtenColumns(table: Table<never>): readonly string[] {
  const names = table.columns.map(({ name }) => name)
  return table.mode === 'append' ? names : [...names, ownerColumn]
}

function rightsOf(table: Table<never>): readonly Right[] {
  return table.mode === 'append' ? ['INSERT'] : ['SELECT', 'INSERT', 'UPDATE']
}

function grant(name: string, rights: readonly Right[], user: string): string {
  return `GRANT ${rights.join(', ')} ON ${name} TO ${quoteIdentifier(user)};`
}

function dropConstraint(name: string, constraint: string): string {
  return `ALTER TABLE ${name} DROP CONSTRAINT ${quoteIdentifier(constraint)};`
}

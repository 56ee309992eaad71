import type pg from 'pg'
import { countRows, hasRows, type ReadableTable, readableTables, readRows } from '../../queries/tableRows.ts'
import { suggest } from '../../runtime/suggest.ts'
import type { CommandContext } from '../commandContext.ts'
import { databaseExists, withDatabase } from '../database.ts'
import { exitFailure, exitOk, UsageError } from '../exit.ts'
import { rowsText } from '../rowsText.ts'
import { eachSchema, lookedAt } from '../schemas.ts'
import { textTable } from '../textTable.ts'

interface Found {
  readonly schema: string
  readonly client: pg.Client
  readonly table: ReadableTable
}

/** Prints rows of a table that a pipeline writes; without a name, which tables there are. */
export async function rows({ settings, args, output }: CommandContext): Promise<number> {
  const [name] = args
  if (!databaseExists(settings)) {
    output.err('There is no database yet, hence no rows: run a pipeline first, or name its --data-dir.')
    return exitFailure
  }
  return withDatabase(settings, output.err, async (database) => {
    const schemas: string[] = []
    const perSchema = await eachSchema(database, settings.onlySchema, async (client, schema) => {
      schemas.push(schema)
      return (await readableTables(client)).map((table): Found => ({ schema, client, table }))
    })
    const tables = perSchema.flat()
    if (name === undefined) {
      await output.out(await listOf(tables))
      return exitOk
    }
    const found = tables.filter(({ table }) => table.name === name)
    const [only] = found
    if (only === undefined) {
      const near = suggest(
        name,
        tables.map(({ table }) => table.name),
      )
      output.err(`There is no table ${name}${near}; ${lookedAt(schemas)}. \`millrace rows\` lists them.`)
      return exitFailure
    }
    if (found.length > 1) {
      throw new UsageError(
        `${name} is in schemas ${found.map(({ schema }) => schema).join(', ')}; choose one with --schema.`,
      )
    }
    const cells = await readRows(only.client, only.table, settings.limit)
    await output.out(
      rowsText(
        settings.format,
        only.table.columns.map((column) => column.name),
        cells,
      ),
    )
    if (cells.length === settings.limit) {
      const count = await countRows(only.client, only.table)
      if (count > cells.length) {
        output.err(`${cells.length.toLocaleString('en')} of ${count.toLocaleString('en')} rows; --limit prints more.`)
      }
    }
    return exitOk
  })
}

/** Those with rows, and the names of the others. */
async function listOf(tables: readonly Found[]): Promise<string> {
  const lines: string[][] = []
  const empty: string[] = []
  for (const { schema, client, table } of tables) {
    if (await hasRows(client, table)) lines.push([schema, table.name, table.columns.map(({ name }) => name).join(', ')])
    else empty.push(table.name)
  }
  const shown = lines.length === 0 ? [] : textTable(['schema', 'table', 'columns'], lines)
  const rest = empty.length === 0 ? [] : [`Without rows: ${[...new Set(empty)].join(', ')}.`]
  return [...shown, ...rest, ''].join('\n')
}

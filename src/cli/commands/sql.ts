import pg from 'pg'
import type { Cell } from '../../queries/tableRows.ts'
import type { CommandContext } from '../commandContext.ts'
import { databaseExists, withDatabase } from '../database.ts'
import { exitFailure, exitOk, UsageError } from '../exit.ts'
import { rowsText } from '../rowsText.ts'

/** What one statement gave, with its first rows. */
interface Given {
  readonly result: pg.QueryResult
  readonly rows: (readonly Cell[])[]
}

const booleanType = 16
const wholeNumberTypes = [21, 23]

/** Runs SQL in the database of the data folder, or of DATABASE_URL, all of it in one transaction, and prints what comes of it. */
export async function sql({ settings, args, output }: CommandContext): Promise<number> {
  const [text = ''] = args
  if (text.trim() === '') throw new UsageError('no SQL is given; put it in quotes: millrace sql "SELECT 1"')
  if (!databaseExists(settings)) {
    output.err('There is no database yet: run a pipeline first, or name its --data-dir.')
    return exitFailure
  }
  return withDatabase(settings, output.err, async (database) => {
    const client = await database.connect(settings.schema)
    try {
      for (const { result, rows } of await ran(client, text, settings.limit)) {
        if (result.fields.length === 0) {
          output.err(
            `${result.command}${result.rowCount === null ? '' : `: ${result.rowCount.toLocaleString('en')} ${result.rowCount === 1 ? 'row' : 'rows'}`}`,
          )
          continue
        }
        const names = result.fields.map(({ name }) => name)
        await output.out(rowsText(settings.format, names, rows))
        if ((result.rowCount ?? 0) > rows.length) {
          output.err(
            `${rows.length.toLocaleString('en')} of ${result.rowCount?.toLocaleString('en')} rows; --limit prints more.`,
          )
        }
      }
      return exitOk
    } catch (error) {
      if (!(error instanceof pg.DatabaseError)) throw error
      output.err(`error: ${[error.message, error.detail, error.hint].filter((part) => part !== undefined).join('; ')}`)
      return exitFailure
    }
  })
}

/** Keeps the first rows of each statement, and no others. */
function ran(client: pg.Client, text: string, limit: number): Promise<readonly Given[]> {
  return new Promise((resolve, reject) => {
    const firstRows = new Map<unknown, (readonly Cell[])[]>()
    const query = new pg.Query<Cell[]>({
      text,
      rowMode: 'array',
      types: { getTypeParser: cellParser },
    } as pg.QueryConfig)
    query.on('row', (row, result) => {
      const rows = firstRows.get(result) ?? []
      if (rows.length === 0) firstRows.set(result, rows)
      if (rows.length < limit) rows.push(row)
    })
    query.on('error', reject)
    query.on('end', (ended) => {
      const results: readonly pg.QueryResult[] = Array.isArray(ended) ? ended : [ended]
      resolve(results.map((result) => ({ result, rows: firstRows.get(result) ?? [] })))
    })
    client.query(query)
  })
}

/** Numbers beyond 32 bits stay the exact text that they are. */
function cellParser(type: number): (text: string) => Cell {
  if (type === booleanType) return (text) => text === 't'
  return wholeNumberTypes.includes(type) ? Number : (text) => text
}

import type pg from 'pg'
import { openLake } from '../../host/openLake.ts'
import { s3Access } from '../../host/s3Access.ts'
import { Shutdown } from '../../host/shutdown.ts'
import { expireLake, sweepLake } from '../../lake/lakeCleanup.ts'
import type { LakePlace } from '../../lake/lakeCommit.ts'
import { readRefusedTables, refusedText } from '../../lake/refusedTables.ts'
import { serveCatalog } from '../../lake/restCatalog.ts'
import { readLakeTables } from '../../queries/lakeTables.ts'
import { systemClock } from '../../runtime/clock.ts'
import { openPool } from '../../sinks/postgres/connection.ts'
import type { CommandContext } from '../commandContext.ts'
import { pasteable } from '../commandFor.ts'
import { databaseExists, withDatabase } from '../database.ts'
import { exitOk } from '../exit.ts'
import { eachSchema } from '../schemas.ts'
import { textTable } from '../textTable.ts'
import { formatTime } from '../time.ts'

const hourMs = 3_600_000

/** Lists the tables of the lake. */
export async function lakeTables({ settings, output }: CommandContext): Promise<number> {
  if (!databaseExists(settings)) return nothingHere(output)
  const perSchema = await withDatabase(settings, output.err, (database) =>
    eachSchema(database, settings.onlySchema, async (client, schema) => ({
      tables: (await readLakeTables(client)).map((table) => ({ schema, ...table })),
      refused: await readRefusedTables(client),
    })),
  )
  const tables = perSchema.flatMap((one) => one.tables)
  for (const one of perSchema.flatMap(({ refused }) => refused)) output.err(refusedText(one))
  if (settings.json) {
    await output.out(`${JSON.stringify(tables)}\n`)
    return exitOk
  }
  if (tables.length === 0) return nothingHere(output)
  const rows = tables.map((one) => [
    one.schema,
    one.name,
    one.rows.toLocaleString('en'),
    one.files.toLocaleString('en'),
    one.bytes.toLocaleString('en'),
    String(one.snapshots),
    formatTime(one.committedAt),
    one.location,
  ])
  const headings = ['schema', 'table', 'rows', 'files', 'bytes', 'snapshots', 'last commit', 'location']
  await output.out(`${textTable(headings, rows).join('\n')}\n`)
  return exitOk
}

/** Serves the lake as a read-only Iceberg REST catalog until it is stopped. */
export async function serveLake(context: CommandContext): Promise<number> {
  const { settings, output } = context
  if (!databaseExists(settings)) return nothingHere(output)
  const schema = settings.onlySchema ?? 'public'
  return withDatabase(settings, output.err, async (database) => {
    await eachSchema(database, schema, async () => undefined)
    const pool = openPool(database.address, { schema, maxConnections: 4 })
    const place = await placeOf(context, schema)
    const stopping = new Shutdown(() => undefined)
    try {
      const catalog = await serveCatalog(
        pool,
        place,
        { host: settings.lakeHost, port: settings.lakePort, token: settings.lakeToken },
        (error) => output.err(`error: ${error instanceof Error ? error.message : String(error)}`),
      )
      const where = `Iceberg REST catalog of ${place.store.location}, for reading: ${catalog.url}\n`
      await output.out(pasteable(`${where}Ctrl-C stops it. How readers attach: docs/platform/lake.md\n`, context))
      await new Promise<void>((resolve) => {
        stopping.whenStopping(() => resolve())
      })
      await catalog.close()
    } finally {
      stopping.dispose()
      await place.store.close()
      await pool.end()
    }
    return exitOk
  })
}

/** Lets go of old snapshots and of the files that only they need. */
export async function expire(context: CommandContext): Promise<number> {
  const { settings, output } = context
  if (!databaseExists(settings)) return nothingHere(output)
  const expired = await onEachLake(context, (client, place) =>
    expireLake(client, place, {
      keepSnapshots: settings.keepSnapshots,
      keepMs: settings.keepHours * hourMs,
      now: systemClock.now(),
    }),
  )
  for (const { table, snapshots, objects } of expired.flat()) {
    await output.out(`${table}: ${snapshots} snapshots and ${objects} objects are gone\n`)
  }
  if (expired.flat().length === 0) output.err('Nothing is old enough.')
  return exitOk
}

/** Lists objects that no commit names; with `--delete` deletes them. */
export async function sweep(context: CommandContext): Promise<number> {
  const { settings, output } = context
  if (!databaseExists(settings)) return nothingHere(output)
  const found = (
    await onEachLake(context, (client, place) => sweepLake(client, place, { isDeleting: settings.delete }))
  ).flat()
  for (const key of found) await output.out(`${key}\n`)
  output.err(
    found.length === 0
      ? 'Every object belongs to a commit.'
      : `${found.length} objects belong to no commit${settings.delete ? ' and are deleted' : '. With --delete they are deleted'}.`,
  )
  return exitOk
}

function onEachLake<T>(
  context: CommandContext,
  use: (client: pg.Client, place: LakePlace) => Promise<T>,
): Promise<readonly T[]> {
  const { settings, output } = context
  return withDatabase(settings, output.err, async (database) => {
    const perSchema = await eachSchema(database, settings.onlySchema, async (client, schema) => {
      if ((await readLakeTables(client)).length === 0) return []
      const place = await placeOf(context, schema)
      try {
        return [await use(client, place)]
      } finally {
        await place.store.close()
      }
    })
    return perSchema.flat()
  })
}

function placeOf({ settings, env, output }: CommandContext, schema: string): Promise<LakePlace> {
  return openLake(
    { place: settings.lake, s3: s3Access(env, settings.s3PathStyle) },
    settings.dataDir,
    schema,
    (message) => output.err(`warning: ${message}`),
  )
}

function nothingHere(output: CommandContext['output']): number {
  output.err('There is no table of a lake here yet: docs/platform/lake.md says how one is made.')
  return exitOk
}

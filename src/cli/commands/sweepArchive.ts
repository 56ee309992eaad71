import type pg from 'pg'
import { archiveKeyPrefix, openArchive } from '../../host/openArchive.ts'
import { s3Access } from '../../host/s3Access.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import { type ArchivedTopic, readMarker, requireOwner } from '../../sinks/archive/archiveOwner.ts'
import { sweepOrphans } from '../../sinks/archive/sweepOrphans.ts'
import { schemaIdentity } from '../../sinks/postgres/archiveIdentity.ts'
import type { CommandContext } from '../commandContext.ts'
import { databaseExists, withDatabase } from '../database.ts'
import { exitFailure, exitOk } from '../exit.ts'
import { eachSchema } from '../schemas.ts'

const nextOffsets = `
SELECT topic, partition, min(archive_next_offset)::float8 AS "nextOffset" FROM (
  SELECT topic, partition, archive_next_offset FROM stream_task
  UNION ALL
  SELECT input_topic, input_partition, archive_next_offset FROM task_input
) AS archived (topic, partition, archive_next_offset)
WHERE archive_next_offset IS NOT NULL GROUP BY topic, partition ORDER BY topic, partition`

const manifest = 'SELECT key FROM archive_object WHERE topic = $1'

/** What was found of one topic: objects without a manifest, or why nobody may say so. */
type Swept = { readonly orphans: readonly string[] } | { readonly refusal: string }

/**
 * Lists objects of the archive that no manifest names and none ever will; with `--delete` deletes them. What another database has archived is refused.
 */
export async function sweepArchive(context: CommandContext): Promise<number> {
  const { settings, output, env } = context
  if (!databaseExists(settings) || settings.archive === 'none') {
    output.err('Nothing was archived here.')
    return exitOk
  }
  const warn = (message: string) => output.err(`warning: ${message}`)
  const perSchema = await withDatabase(settings, output.err, (database) =>
    eachSchema(database, settings.onlySchema, async (client, schema) => {
      const opened = await openArchive(
        { place: settings.archive, s3: s3Access(env, settings.s3PathStyle) },
        settings.dataDir,
        schema,
        warn,
      )
      if (opened === null) return []
      const { store } = opened
      try {
        const swept: Swept[] = []
        for (const [topic, offsets] of await offsetsByTopic(client)) {
          const place = { store, keyPrefix: archiveKeyPrefix(schema), topic }
          swept.push(await sweepTopic(client, place, offsets, settings.delete))
        }
        return swept
      } finally {
        await store.close()
      }
    }),
  )
  const swept = perSchema.flat()
  const orphans = swept.flatMap((found) => ('orphans' in found ? found.orphans : []))
  for (const key of orphans) await output.out(`${key}\n`)
  const what = settings.delete ? 'deleted' : 'found; --delete deletes them'
  output.err(
    orphans.length === 0
      ? 'No orphans.'
      : `${orphans.length === 1 ? '1 orphan' : `${orphans.length} orphans`} ${what}.`,
  )
  const refusals = swept.flatMap((found) => ('refusal' in found ? [found.refusal] : []))
  for (const refusal of refusals) output.err(`refused: ${refusal}`)
  return refusals.length === 0 ? exitOk : exitFailure
}

async function sweepTopic(
  client: pg.Client,
  place: ArchivedTopic,
  offsets: ReadonlyMap<number, number>,
  isDeleting: boolean,
): Promise<Swept> {
  const { topic, store } = place
  const marker = await readMarker(place)
  if (marker === null) {
    if (await isEmpty(place)) return { orphans: [] }
    return {
      refusal: `the archive of ${topic} at ${store.location} does not say whose it is, as those of earlier versions do not. Start its pipeline once, which finds out and writes it down.`,
    }
  }
  try {
    requireOwner(place, marker, await schemaIdentity(client))
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    return { refusal: error.message }
  }
  const { rows } = await client.query<{ key: string }>(manifest, [topic])
  const manifestKeys = new Set(rows.map(({ key }) => key))
  const options = { ...place, nextOffsets: offsets, manifestKeys, spared: marker.spared, dryRun: !isDeleting }
  return { orphans: await sweepOrphans(options) }
}

async function isEmpty({ store, keyPrefix, topic }: ArchivedTopic): Promise<boolean> {
  for await (const object of store.list(`${keyPrefix}topic=${topic}/`)) return object === undefined
  return true
}

async function offsetsByTopic(client: pg.Client): Promise<Map<string, Map<number, number>>> {
  const byTopic = new Map<string, Map<number, number>>()
  const { rows } = await client.query<{ topic: string; partition: number; nextOffset: number }>(nextOffsets)
  for (const { topic, partition, nextOffset } of rows) {
    const offsets = byTopic.get(topic) ?? new Map<number, number>()
    byTopic.set(topic, offsets.set(partition, nextOffset))
  }
  return byTopic
}

import type pg from 'pg'
import { archiveKeyPrefix, openArchive } from '../../host/openArchive.ts'
import { s3Access } from '../../host/s3Access.ts'
import { sweepOrphans } from '../../sinks/archive/sweepOrphans.ts'
import type { CommandContext } from '../commandContext.ts'
import { databaseExists, withDatabase } from '../database.ts'
import { exitOk } from '../exit.ts'
import { eachSchema } from '../schemas.ts'

const nextOffsets = `
SELECT topic, partition, min(archive_next_offset)::float8 AS "nextOffset" FROM (
  SELECT topic, partition, archive_next_offset FROM stream_task
  UNION ALL
  SELECT input_topic, partition, archive_next_offset FROM task_input
) AS archived (topic, partition, archive_next_offset)
WHERE archive_next_offset IS NOT NULL GROUP BY topic, partition ORDER BY topic, partition`

const manifest = 'SELECT key FROM archive_object WHERE topic = $1'

/** Lists objects of the archive that no manifest names and none ever will; with `--delete` deletes them. */
export async function sweepArchive(context: CommandContext): Promise<number> {
  const { settings, output, env } = context
  if (!databaseExists(settings) || settings.archive === 'none') {
    output.err('Nothing was archived here.')
    return exitOk
  }
  const warn = (message: string) => output.err(`warning: ${message}`)
  const orphans = await withDatabase(settings, output.err, async (database) => {
    const perSchema = await eachSchema(database, settings.onlySchema, async (client, schema) => {
      const opened = await openArchive(
        { place: settings.archive, s3: s3Access(env, settings.s3PathStyle) },
        settings.dataDir,
        schema,
        warn,
      )
      if (opened === null) return []
      try {
        const options = { store: opened.store, keyPrefix: archiveKeyPrefix(schema), dryRun: !settings.delete }
        const found: string[] = []
        for (const [topic, offsets] of await offsetsByTopic(client)) {
          const { rows } = await client.query<{ key: string }>(manifest, [topic])
          const manifestKeys = new Set(rows.map(({ key }) => key))
          found.push(...(await sweepOrphans({ ...options, topic, nextOffsets: offsets, manifestKeys })))
        }
        return found
      } finally {
        await opened.store.close()
      }
    })
    return perSchema.flat()
  })
  for (const key of orphans) await output.out(`${key}\n`)
  const what = settings.delete ? 'deleted' : 'found; --delete deletes them'
  output.err(
    orphans.length === 0
      ? 'No orphans.'
      : `${orphans.length === 1 ? '1 orphan' : `${orphans.length} orphans`} ${what}.`,
  )
  return exitOk
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

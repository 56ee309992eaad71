import { resolve } from 'node:path'
import { readManifest } from '../../backup/backupManifest.ts'
import { restoreBackup } from '../../backup/restoreBackup.ts'
import { durationText } from '../../console/text.ts'
import { archiveKeyPrefix } from '../../host/openArchive.ts'
import { runningProcesses } from '../../host/processSlots.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import { shownText } from '../../runtime/shownText.ts'
import { backupProgress } from '../backup/backupProgress.ts'
import { filesPlace, openBackups } from '../backup/backupStores.ts'
import type { CommandContext } from '../commandContext.ts'
import { pasteable } from '../commandFor.ts'
import { withDatabase } from '../database.ts'
import { exitOk } from '../exit.ts'
import { textTable } from '../textTable.ts'
import { formatTime } from '../time.ts'
import { newestOf } from './backup.ts'

/** Restores a backup into a database and a data folder that have nothing yet. */
export async function restore(context: CommandContext): Promise<number> {
  const { settings, output, args } = context
  const startedAt = performance.now()
  const [running] = runningProcesses(settings.dataDir)
  if (running !== undefined)
    throw new ConfigurationError(
      `process ${running.holder.pid} runs on ${resolve(settings.dataDir)}: stop it first (millrace stop).`,
    )
  const store = await openBackups(context)
  const { setsAside } = settings
  const targetOf = async (what: 'archive' | 'lake') => {
    const place = await filesPlace(context, what)
    return place === null ? null : { store: place.store, setsAside }
  }
  const archive = await targetOf('archive')
  const lake = await targetOf('lake')
  try {
    const manifest = await readManifest(store, args[0] ?? (await newestOf(store)))
    const progress = backupProgress('Restoring', output.err)
    const location = await withDatabase(settings, output.err, async (database) => {
      const client = await database.connect('public')
      await restoreBackup(store, manifest, { client, keyPrefixOf: archiveKeyPrefix, archive, lake }, progress)
      return database.location
    })
    await output.out(
      shownText(
        `Backup ${manifest.id}, as of ${formatTime(manifest.at)}, is in ${location}, in ${durationText(performance.now() - startedAt)}.\n`,
      ),
    )
    const tasks = manifest.schemas.flatMap((schema) =>
      schema.tasks.map((task) => [
        schema.name,
        task.pipeline,
        `${task.topic}/${task.partition}`,
        String(task.nextOffset ?? '-'),
        task.isEmbedded ? 'embedded' : 'Kafka',
      ]),
    )
    if (tasks.length > 0)
      await output.out(
        shownText(`${textTable(['schema', 'pipeline', 'partition', 'goes on at', 'log'], tasks).join('\n')}\n`),
      )
    for (const { name, leftOut } of manifest.schemas)
      for (const what of leftOut) output.err(`warning: was not in the backup, schema ${name}: ${what}`)
    const next =
      'Next: start what ran, and look at `millrace status`. What was sent after the backup: docs/run/backup.md, "Back from a backup".\n'
    await output.out(pasteable(next, context))
    return exitOk
  } finally {
    await archive?.store.close()
    await lake?.store.close()
    await store.close()
  }
}

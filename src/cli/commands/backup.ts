import { resolve, sep } from 'node:path'
import { begunAt } from '../../backup/backupKeys.ts'
import { type BackupManifest, listBackups, readManifest } from '../../backup/backupManifest.ts'
import { dropOldBackups } from '../../backup/dropBackups.ts'
import { verifyBackup } from '../../backup/verifyBackup.ts'
import { writeBackup } from '../../backup/writeBackup.ts'
import { bytesText, countText, durationText } from '../../console/text.ts'
import { archiveKeyPrefix } from '../../host/openArchive.ts'
import { systemClock } from '../../runtime/clock.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { ObjectStore } from '../../runtime/objectStore.ts'
import { shownText } from '../../runtime/shownText.ts'
import { backupProgress } from '../backup/backupProgress.ts'
import { filesPlace, openBackups } from '../backup/backupStores.ts'
import type { CommandContext } from '../commandContext.ts'
import { databaseExists, withDatabase } from '../database.ts'
import { exitFailure, exitOk } from '../exit.ts'
import { eachSchema } from '../schemas.ts'
import { textTable } from '../textTable.ts'
import { formatTime } from '../time.ts'
import { version } from '../version.ts'

/** Takes a backup of the database and of the files that it names, beside whatever runs. */
export async function backup(context: CommandContext): Promise<number> {
  const { settings, output } = context
  const startedAt = performance.now()
  if (!databaseExists(settings)) {
    output.err(`There is no database on ${resolve(settings.dataDir)} yet, hence nothing to back up.`)
    return exitFailure
  }
  requireOutside(settings.backupPlace, settings.dataDir)
  const store = await openBackups(context)
  const archive = await filesPlace(context, 'archive')
  const lake = await filesPlace(context, 'lake')
  try {
    const manifest = await withDatabase(settings, output.err, async (database) => {
      const schemas: string[] = []
      await eachSchema(database, undefined, async (_, schema) => {
        schemas.push(schema)
      })
      if (schemas.length === 0) return null
      const client = await database.connect('public')
      const source = { client, schemas, keyPrefixOf: archiveKeyPrefix, archive, lake, version: version() }
      return writeBackup({ ...source, now: systemClock.now() }, store, backupProgress('Backing up', output.err))
    })
    if (manifest === null) {
      output.err('No schema of the database holds tables of Millrace, hence there is nothing to back up.')
      return exitFailure
    }
    await output.out(shownText(`${toldOf(manifest, store)}, in ${durationText(performance.now() - startedAt)}.\n`))
    for (const { name, leftOut } of manifest.schemas)
      for (const what of leftOut) output.err(`warning: not in the backup, schema ${name}: ${what}`)
    if (settings.keepBackups !== undefined) {
      const dropped = await dropOldBackups(store, settings.keepBackups)
      if (dropped.length > 0) await output.out(`Deleted ${dropped.join(', ')}.\n`)
    }
    await output.out('Back from it: millrace restore\n')
    return exitOk
  } finally {
    await archive?.store.close()
    await lake?.store.close()
    await store.close()
  }
}

/** Lists the backups of a place. */
export async function listOfBackups(context: CommandContext): Promise<number> {
  const { settings, output } = context
  const store = await openBackups(context)
  try {
    const { whole, unfinished } = await listBackups(store)
    const manifests: BackupManifest[] = []
    for (const id of whole) manifests.push(await readManifest(store, id))
    if (settings.json) {
      const listed = manifests.map((one) => ({
        id: one.id,
        at: new Date(one.at).toISOString(),
        millrace: one.millrace,
        ...sizeOf(one),
      }))
      await output.out(`${JSON.stringify({ backups: listed, unfinished }, null, 2)}\n`)
      return exitOk
    }
    if (whole.length === 0) output.err(`No backup in ${store.location}.`)
    const rows = manifests.map((one) => {
      const { schemas, tables, rows, bytes, files } = sizeOf(one)
      return [
        one.id,
        formatTime(one.at),
        schemas.join(', '),
        String(tables),
        countText(rows),
        bytesText(bytes),
        countText(files),
      ]
    })
    const headings = ['backup', 'as of', 'schemas', 'tables', 'rows', 'tables take', 'files']
    if (rows.length > 0) await output.out(shownText(`${textTable(headings, rows).join('\n')}\n`))
    for (const id of unfinished)
      output.err(
        `${id} was begun at ${formatTime(begunAt(id))} and is not whole: it is under way, or was ended. A backup that begins a day later deletes it.`,
      )
    return exitOk
  } finally {
    await store.close()
  }
}

/** Reads all of a backup and says whether it is as it was written. */
export async function verifyOneBackup(context: CommandContext): Promise<number> {
  const { args, output } = context
  const store = await openBackups(context)
  try {
    const manifest = await readManifest(store, args[0] ?? (await newestOf(store)))
    const { objects, bytes, problems } = await verifyBackup(store, manifest)
    for (const problem of problems) output.err(`error: ${problem}`)
    await output.out(
      `${manifest.id}: ${countText(objects)} objects, ${bytesText(bytes)}, ${problems.length === 0 ? 'all as they were written' : `${problems.length} of them gone or damaged`}.\n`,
    )
    return problems.length === 0 ? exitOk : exitFailure
  } finally {
    await store.close()
  }
}

/** The newest whole backup of a place. */
export async function newestOf(store: ObjectStore): Promise<string> {
  const newest = (await listBackups(store)).whole.at(-1)
  if (newest === undefined) throw new ConfigurationError(`there is no backup in ${store.location}.`)
  return newest
}

function sizeOf({ schemas }: BackupManifest) {
  const tables = schemas.flatMap((schema) => schema.tables)
  return {
    schemas: schemas.map(({ name }) => name),
    tables: tables.length,
    rows: tables.reduce((sum, { rowCount }) => sum + rowCount, 0),
    bytes: tables.reduce((sum, { pieces }) => sum + pieces.reduce((all, { sizeBytes }) => all + sizeBytes, 0), 0),
    files: schemas.reduce((sum, { archive, lake }) => sum + archive.files.length + lake.files.length, 0),
  }
}

function toldOf(manifest: BackupManifest, store: ObjectStore): string {
  const { tables, rows, bytes, files } = sizeOf(manifest)
  const stay = manifest.schemas.flatMap(({ archive, lake }) =>
    [archive, lake].flatMap((set) => (set.isCopied || set.files.length === 0 ? [] : [set.location])),
  )
  const where = stay.length === 0 ? '' : ` (those in ${[...new Set(stay)].join(', ')} stay there)`
  return `Backup ${manifest.id} in ${store.location}: ${tables} tables, ${countText(rows)} rows, ${bytesText(bytes)}, ${countText(files)} files of archive and lake${where}, all read back`
}

function requireOutside(place: string | undefined, dataDir: string): void {
  if (place === undefined || place.startsWith('s3://')) return
  const folder = resolve(dataDir)
  if (resolve(place) !== folder && !resolve(place).startsWith(folder + sep)) return
  throw new ConfigurationError(
    `${resolve(place)} is in the data folder: what takes that takes the backup with it. Name a folder elsewhere, or a bucket.`,
  )
}

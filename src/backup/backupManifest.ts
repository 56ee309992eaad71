import { z } from 'zod'
import { ConfigurationError } from '../runtime/errors.ts'
import type { ObjectStore } from '../runtime/objectStore.ts'
import { backupFolder, backupIdPattern, backupsPrefix, manifestKey } from './backupKeys.ts'

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const count = z.number().int().min(0)

const piece = z.object({ sha256, sizeBytes: count })

const column = z.object({
  name: z.string(),
  /** As `format_type` says it. */
  type: z.string(),
  isNeeded: z.boolean(),
  /** An expression, or null. */
  byDefault: z.string().nullable(),
  /** The expression of a generated column, whose values are not kept; or null. */
  generatedAs: z.string().nullable(),
  /** Who gives numbers to rows: `ALWAYS` or `BY DEFAULT` of an identity column; or null. */
  identity: z.enum(['ALWAYS', 'BY DEFAULT']).nullable(),
})

const definition = z.object({ name: z.string(), sql: z.string() })

const table = z.object({
  name: z.string(),
  /** In their order. */
  columns: z.array(column).readonly(),
  /** Storage parameters, as in `WITH (…)`; empty for none. */
  storage: z.string(),
  /** Of keys and checks, with what they are called. */
  constraints: z.array(definition).readonly(),
  foreignKeys: z.array(definition).readonly(),
  indexes: z.array(definition).readonly(),
  triggers: z.array(definition).readonly(),
  /** Tables that have to be there, with their rows, before this one's rows. */
  after: z.array(z.string()).readonly(),
  rowCount: count,
  pieces: z.array(piece).readonly(),
})

const sequence = z.object({ name: z.string(), lastValue: z.string().regex(/^-?\d+$/), isCalled: z.boolean() })

const task = z.object({
  pipeline: z.string(),
  topic: z.string(),
  partition: count,
  nextOffset: z.number().nullable(),
  /** True where the topic is in the database and so in the backup; false where it is in Kafka. */
  isEmbedded: z.boolean(),
})

const file = z.object({ key: z.string(), sha256, sizeBytes: count })

const fileSet = z.object({
  /** Where it was: `file:///…` or `s3://…`. */
  location: z.string(),
  /** Whether the files themselves are in the backup; else they stay where they are. */
  isCopied: z.boolean(),
  files: z.array(file).readonly(),
})

const schema = z.object({
  name: z.string(),
  /** What tells the schema of this database from every other one. */
  identity: z.string(),
  /** Migrations that it has seen. */
  migrations: z.array(z.object({ number: count, name: z.string(), sha256 })).readonly(),
  tables: z.array(table).readonly(),
  sequences: z.array(sequence).readonly(),
  views: z.array(definition).readonly(),
  /** In words, what the schema has and the backup has not. */
  leftOut: z.array(z.string()).readonly(),
  tasks: z.array(task).readonly(),
  archive: fileSet,
  lake: fileSet,
})

const manifest = z.object({
  format: z.literal(1),
  id: z.string().regex(backupIdPattern),
  /** ms UTC: when all of it was as it is here. */
  at: z.number(),
  millrace: z.string(),
  server: z.string(),
  schemas: z.array(schema).readonly(),
})

/** What is in a backup. */
export type BackupManifest = Readonly<z.output<typeof manifest>>
/** A schema of the database in a backup. */
export type BackedSchema = Readonly<z.output<typeof schema>>
/** A table in a backup. */
export type BackedTable = Readonly<z.output<typeof table>>
/** Files of the archive or of the lake that the rows of a schema name. */
export type BackedFiles = Readonly<z.output<typeof fileSet>>
/** One of them. */
export type BackedFile = Readonly<z.output<typeof file>>

/** The bytes of a manifest. */
export function manifestBytes(backup: BackupManifest): Buffer {
  return Buffer.from(`${JSON.stringify(manifest.parse(backup), null, 1)}\n`)
}

/**
 * The manifest of that backup.
 * @throws ConfigurationError where there is none, or where it cannot be read
 */
export async function readManifest(store: ObjectStore, id: string): Promise<BackupManifest> {
  const bytes = await store.get(manifestKey(id))
  if (bytes === null) {
    const { whole } = await listBackups(store)
    throw new ConfigurationError(
      `there is no backup ${id} in ${store.location}; ${whole.length === 0 ? 'it holds none' : `it holds ${whole.join(', ')}`}.`,
    )
  }
  try {
    return manifest.parse(JSON.parse(bytes.toString('utf8')))
  } catch (cause) {
    throw new ConfigurationError(
      `${store.location}/${manifestKey(id)} cannot be read as the manifest of a backup: take another backup, or the release that wrote it.`,
      { cause },
    )
  }
}

/** Names of the backups of a place, the oldest first: whole ones, and those that were begun and never ended. */
export async function listBackups(
  store: ObjectStore,
): Promise<{ readonly whole: readonly string[]; readonly unfinished: readonly string[] }> {
  const begun = new Set<string>()
  const whole = new Set<string>()
  for await (const { key } of store.list(backupsPrefix)) {
    const id = key.slice(backupsPrefix.length).split('/')[0] ?? ''
    if (!backupIdPattern.test(id)) continue
    begun.add(id)
    if (key === manifestKey(id)) whole.add(id)
  }
  return { whole: [...whole].sort(), unfinished: [...begun].filter((id) => !whole.has(id)).sort() }
}

/** Deletes what a backup has to itself, its manifest first: what is half deleted is no backup any more. */
export async function deleteBackup(store: ObjectStore, id: string): Promise<void> {
  await store.delete(manifestKey(id))
  const keys: string[] = []
  for await (const { key } of store.list(backupFolder(id))) keys.push(key)
  for (const key of keys) await store.delete(key)
}

import { createHash } from 'node:crypto'
import { z } from 'zod'
import { ConfigurationError, DeterminismError } from '../../runtime/errors.ts'
import type { ObjectStore } from '../../runtime/objectStore.ts'
import { parseArchiveKey } from './archiveKey.ts'

/** More objects that no manifest knows are not the leftovers of crashes, but another archive. */
const MOST_LEFTOVERS = 10_000
/** Of keys, whenever the manifest is asked. */
const PAGE = 1_000

const ownerSchema = z.object({
  /** Of the schema in its database: what a writer must have in common with the owner. */
  id: z.string().min(1).max(100),
  /** For people; holds no secret. */
  database: z.string().max(1_000),
  schema: z.string().max(100),
  pipeline: z.string().max(1_000),
})

const markerSchema = z.object({
  version: z.literal(1),
  owner: ownerSchema,
  /** Objects that were there before the marker and that the owner's manifest does not name: they may be somebody else's. */
  spared: z.array(z.string()).max(MOST_LEFTOVERS),
})

/** Who archives a topic under a prefix. */
export type ArchiveOwner = Readonly<z.output<typeof ownerSchema>>

/** What is said under a prefix of a topic: who its owner is, and which objects are to be left alone. */
export interface ArchiveMarker {
  readonly owner: ArchiveOwner
  readonly spared: ReadonlySet<string>
}

/** A topic under the prefix of an archive. */
export interface ArchivedTopic {
  readonly store: ObjectStore
  /** As of `rawArchive`. */
  readonly keyPrefix: string
  readonly topic: string
}

/** The key of the object that says whose the topic's objects are. */
export function markerKey(keyPrefix: string, topic: string): string {
  return `${keyPrefix}_millrace/owners/${topic}.json`
}

/** Whose the topic's objects are, or null where nothing says so. Throws `ConfigurationError` on a marker that cannot be read. */
export async function readMarker({ store, keyPrefix, topic }: ArchivedTopic): Promise<ArchiveMarker | null> {
  const key = markerKey(keyPrefix, topic)
  const bytes = await store.get(key)
  if (bytes === null) return null
  try {
    const { owner, spared } = markerSchema.parse(JSON.parse(bytes.toString('utf8')))
    return { owner, spared: new Set(spared) }
  } catch (cause) {
    throw new ConfigurationError(
      `${store.location}/${key} is to say whose archive of ${topic} this is, and cannot be read. Use the version that wrote it, or another prefix.`,
      { topic, cause },
    )
  }
}

/**
 * Says under the prefix that the topic's objects are the owner's, unless that is said already, and gives what is said then. The object is made on condition
 * that there is none, so that of two who come at once one becomes the owner.
 *
 * An archive of an earlier version says nothing: whose manifest names any of its objects may take it over, and those that it does not name are noted, to be
 * left alone. Throws `ConfigurationError` where objects are there and the manifest names none of them, and for another owner's archive.
 *
 * @param knownKeys those of the keys that the manifest of the owner's schema names
 */
export async function claimArchive(
  place: ArchivedTopic,
  owner: ArchiveOwner,
  knownKeys: (keys: readonly string[]) => Promise<ReadonlySet<string>>,
): Promise<ArchiveMarker> {
  const { store, keyPrefix, topic } = place
  const found = await readMarker(place)
  if (found !== null) return requireOwner(place, found, owner.id)
  const spared = await leftoversOf(place, knownKeys)
  const body = Buffer.from(`${JSON.stringify({ version: 1, owner, spared }, null, 1)}\n`)
  try {
    await store.put(markerKey(keyPrefix, topic), body, createHash('sha256').update(body).digest('hex'))
  } catch (error) {
    if (!(error instanceof DeterminismError)) throw error
    const first = await readMarker(place)
    if (first === null) throw error
    return requireOwner(place, first, owner.id)
  }
  return { owner, spared: new Set(spared) }
}

/** Gives the marker back where the schema of that identity is its owner's. Throws `ConfigurationError` for another one. */
export function requireOwner(place: ArchivedTopic, marker: ArchiveMarker, id: string): ArchiveMarker {
  if (marker.owner.id === id) return marker
  const { store, keyPrefix, topic } = place
  const { database, schema, pipeline } = marker.owner
  throw new ConfigurationError(
    `${store.location}: the archive of ${topic} there belongs to another database (${database}, schema ${schema}, pipeline ${pipeline}). ` +
      `Set another bucket or prefix (MILLRACE_ARCHIVE=s3://bucket/prefix, or archive in the settings), or, if that database is gone for good, delete ${store.location}/${markerKey(keyPrefix, topic)} and what is archived there.`,
    { topic },
  )
}

/** Objects of an archive without a marker that the manifest does not name. */
async function leftoversOf(
  { store, keyPrefix, topic }: ArchivedTopic,
  knownKeys: (keys: readonly string[]) => Promise<ReadonlySet<string>>,
): Promise<string[]> {
  const unknown: string[] = []
  let known = 0
  let page: string[] = []
  const look = async () => {
    const named = await knownKeys(page)
    known += named.size
    unknown.push(...page.filter((key) => !named.has(key)))
    page = []
    if (unknown.length > MOST_LEFTOVERS) throw notKnown(store.location, topic, unknown.length)
  }
  for await (const { key } of store.list(`${keyPrefix}topic=${topic}/`)) {
    if (parseArchiveKey(key) === null) continue
    page.push(key)
    if (page.length === PAGE) await look()
  }
  if (page.length > 0) await look()
  if (unknown.length > 0 && known === 0) throw notKnown(store.location, topic, unknown.length)
  return unknown
}

function notKnown(location: string, topic: string, objects: number): ConfigurationError {
  return new ConfigurationError(
    `${location}: objects of ${topic} are there that this database has never archived (${objects} of them): they belong to another one. ` +
      'Set another bucket or prefix (MILLRACE_ARCHIVE=s3://bucket/prefix, or archive in the settings), or move them away if nobody needs them there.',
    { topic },
  )
}

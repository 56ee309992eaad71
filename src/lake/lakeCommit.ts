import { createHash, randomUUID } from 'node:crypto'
import type pg from 'pg'
import { ConfigurationError, RetryableError } from '../runtime/errors.ts'
import type { ObjectStore } from '../runtime/objectStore.ts'
import type { DataFile } from './dataFile.ts'
import { checkCut, type IcebergSchema, schemasWith, specOf } from './icebergSchema.ts'
import {
  type CommitFacts,
  type LiveFile,
  type LiveManifest,
  movePointer,
  readLiveFiles,
  readLiveManifests,
  readSnapshots,
  readTable,
  type TableFacts,
  writeCommit,
} from './lakeFacts.ts'
import { fullName, type LakeTable } from './lakeTable.ts'
import {
  fileStatus,
  type ManifestEntry,
  manifestBytes,
  manifestFacts,
  manifestListBytes,
  type TableIdentity,
} from './manifest.ts'
import { type SnapshotFacts, tableMetadata } from './tableMetadata.ts'

/** Where the files of a lake are, and what its catalog is called. */
export interface LakePlace {
  /** A directory or a bucket. */
  readonly store: ObjectStore
  /** Comes before all keys: `lake/`, say. */
  readonly keyPrefix: string
  /** As readers name it. */
  readonly catalog: string
}

/** Another commit has moved the table since this one was prepared. */
export class LakeConflict extends RetryableError {}

/** What a commit does to the files of a table. */
export interface FileChanges {
  readonly added: readonly DataFile[]
  /** Paths of files of the current snapshot. */
  readonly removed: readonly string[]
}

/** A commit that is ready: its files are in the store, and nobody sees it yet. */
export interface PreparedCommit {
  readonly sequence: number
  /** Where its metadata file is, whole. */
  readonly metadata: string
  /**
   * Makes it the table, in the transaction of the client.
   * @throws LakeConflict where another commit has moved the table since; the transaction has to be given up, and the commit prepared anew
   */
  apply(client: pg.ClientBase): Promise<void>
  /** For readers by path, once the transaction is committed. A crash before it costs nothing: the next commit publishes its own. */
  publish(): Promise<void>
}

const noTime = 'a lake commit needs its time in whole ms UTC'

/** What the database knows of a table of the lake, and of its current snapshot. */
export interface CommittedTable {
  /** Null before its first commit. */
  readonly before: TableFacts | null
  readonly files: readonly LiveFile[]
  readonly manifests: readonly LiveManifest[]
  readonly snapshots: readonly SnapshotFacts[]
}

/** What a commit is made upon. */
export async function readCommitted(client: pg.ClientBase, table: LakeTable): Promise<CommittedTable> {
  const name = fullName(table)
  const before = await readTable(client, name)
  if (before === null) return { before, files: [], manifests: [], snapshots: [] }
  const files = await readLiveFiles(client, name)
  const manifests = await readLiveManifests(client, name)
  return { before, files, manifests, snapshots: await readSnapshots(client, name) }
}

/**
 * Uploads everything that a commit needs; null where it would change nothing. It is called again after a crash, or after a conflict: what is called the same is the same.
 * @param at the time of the commit, ms UTC
 * @throws ConfigurationError where the descriptor does not fit the table, or a file that is to be removed is not part of it
 * @throws RetryableError where the store cannot be reached
 */
export async function prepareCommit(
  { before, files, manifests, snapshots }: CommittedTable,
  place: LakePlace,
  table: LakeTable,
  changes: FileChanges,
  at: number,
): Promise<PreparedCommit | null> {
  if (!Number.isSafeInteger(at)) throw new ConfigurationError(`${noTime}, got ${at}`)
  const name = fullName(table)
  const folder = `${place.keyPrefix}${table.namespace}/${table.name}`
  const location = `${place.store.location}/${folder}`
  if (before !== null && before.location !== location) {
    throw new ConfigurationError(
      `lake table ${name}: its files are in ${before.location}, and would now be written to ${location}. Give the store and prefix that it was made with.`,
    )
  }
  const schemas = schemasWith(table, before?.schemas ?? [])
  if (files[0] !== undefined) checkCut(table, files[0].path)
  const after: TableFacts = {
    uuid: before?.uuid ?? randomUUID(),
    location,
    sequence: (before?.sequence ?? 0) + 1,
    schemas,
  }
  const identity: TableIdentity = {
    uuid: after.uuid,
    location,
    schema: schemas.at(-1) as IcebergSchema,
    spec: specOf(table),
  }
  const { added, removed } = withoutRepeats(name, changes, files)
  if (before?.schemas.length === schemas.length && added.length === 0 && removed.size === 0) return null
  const put = (path: string, body: Buffer, sha256 = sha256Of(body)) =>
    place.store.put(`${folder}/${path}`, body, sha256)
  await Promise.all(added.map(({ path, body, sha256 }) => put(path, body, sha256)))

  const months = [
    ...new Set([...added, ...files.filter(({ path }) => removed.has(path))].map(({ day }) => monthOf(day))),
  ]
  const rewritten: LiveManifest[] = []
  for (const month of months) {
    const entries: ManifestEntry[] = [
      ...files
        .filter((file) => monthOf(file.day) === month)
        .map((file) => ({
          status: removed.has(file.path) ? fileStatus.deleted : fileStatus.existing,
          file,
          added: file.added,
        })),
      ...added
        .filter((file) => monthOf(file.day) === month)
        .map((file) => ({ status: fileStatus.added, file, added: after.sequence })),
    ]
    const body = manifestBytes(identity, after.sequence, entries, syncOf(after))
    const path = `metadata/${serial(after.sequence)}-${sha256Of(body).slice(0, 16)}-m${month}.avro`
    await put(path, body)
    rewritten.push({ month, facts: manifestFacts(path, body.length, after.sequence, entries) })
  }
  // A manifest in which every file is deleted says so once.
  const carried = manifests.filter(
    ({ month, facts }) =>
      !months.includes(month) && facts.files[fileStatus.existing] + facts.files[fileStatus.added] > 0,
  )
  const listed = [...carried, ...rewritten].sort((a, b) => a.month - b.month)
  const listBody = manifestListBytes(
    identity,
    after.sequence,
    listed.map(({ facts }) => facts),
    syncOf(after),
  )
  const manifestList = `metadata/snap-${serial(after.sequence)}-${sha256Of(listBody).slice(0, 16)}.avro`
  await put(manifestList, listBody)

  const snapshot: SnapshotFacts = {
    sequence: after.sequence,
    committedAt: at,
    operation: removed.size === 0 ? 'append' : added.length === 0 ? 'delete' : 'overwrite',
    summary: summaryOf(files, added, removed),
    manifestList,
    schemaId: identity.schema['schema-id'],
    metadata: null,
  }
  const text = Buffer.from(tableMetadata(identity, schemas, [...snapshots, snapshot]))
  // Readers by path look into metadata/, where it comes once it is committed.
  const metadata = `commits/${serial(after.sequence)}-${sha256Of(text).slice(0, 32)}.metadata.json`
  await put(metadata, text)

  const commit: CommitFacts = {
    name,
    before,
    table: after,
    snapshot: { ...snapshot, metadata },
    added,
    removed: [...removed],
    manifests: rewritten,
    months: [...months, ...manifests.filter((one) => !listed.includes(one)).map(({ month }) => month)],
  }
  return {
    sequence: after.sequence,
    metadata: `${location}/${metadata}`,
    async apply(transaction) {
      if (!(await writeCommit(transaction, commit))) {
        throw new LakeConflict(`lake table ${name}: another commit has moved it; prepare this one again`)
      }
      await movePointer(transaction, { catalog: place.catalog, ...table }, `${location}/${metadata}`)
    },
    publish: () => put(`metadata/v${after.sequence}.metadata.json`, text),
  }
}

/** A file that is removed and added alike stays as it is. */
function withoutRepeats(
  name: string,
  changes: FileChanges,
  files: readonly LiveFile[],
): { readonly added: readonly DataFile[]; readonly removed: ReadonlySet<string> } {
  const live = new Set(files.map(({ path }) => path))
  const unknown = changes.removed.find((path) => !live.has(path))
  if (unknown !== undefined) throw new ConfigurationError(`lake table ${name}: ${unknown} is no file of it`)
  const wanted = new Set(changes.removed)
  const again = new Set(changes.added.map(({ path }) => path).filter((path) => live.has(path)))
  const twice = [...again].find((path) => !wanted.has(path))
  if (twice !== undefined) {
    throw new ConfigurationError(
      `lake table ${name}: ${twice} has these very rows already; to append the same rows twice is hardly meant`,
    )
  }
  return {
    added: changes.added.filter(({ path }) => !again.has(path)),
    removed: new Set(changes.removed.filter((path) => !again.has(path))),
  }
}

function summaryOf(
  before: readonly LiveFile[],
  added: readonly DataFile[],
  removed: ReadonlySet<string>,
): Readonly<Record<string, string>> {
  const gone = before.filter(({ path }) => removed.has(path))
  const after = [...before.filter(({ path }) => !removed.has(path)), ...added]
  const rows = (files: readonly { readonly rowCount: number }[]) =>
    String(files.reduce((sum, { rowCount }) => sum + rowCount, 0))
  return {
    'added-data-files': String(added.length),
    'deleted-data-files': String(gone.length),
    'added-records': rows(added),
    'deleted-records': rows(gone),
    'total-records': rows(after),
    'total-data-files': String(after.length),
    'total-files-size': String(after.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)),
    'total-delete-files': '0',
    'total-position-deletes': '0',
    'total-equality-deletes': '0',
  }
}

function monthOf(day: number | null): number {
  if (day === null) return 0
  const date = new Date(day * 86_400_000)
  return (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth()
}

function syncOf({ uuid, sequence }: TableFacts): Uint8Array {
  return createHash('sha256').update(`sync ${uuid} ${sequence}`).digest().subarray(0, 16)
}

function serial(sequence: number): string {
  return String(sequence).padStart(8, '0')
}

function sha256Of(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex')
}

import { setImmediate } from 'node:timers/promises'
import pg from 'pg'
import { BinaryRow } from '../sinks/postgres/binaryRow.ts'
import { CopiedRows } from '../sinks/postgres/copiedRows.ts'
import { copyOut } from '../sinks/postgres/copyOut.ts'
import { type DataFile, DataFileWriter, rowsPerFile } from './dataFile.ts'
import { type LakePlace, type PreparedCommit, prepareCommit } from './lakeCommit.ts'
import { readLiveFiles, readTable } from './lakeFacts.ts'
import { type LakeMirror, readMirrors } from './lakeMirror.ts'
import { decimalOf, fullName, type LakeType } from './lakeTable.ts'
import { acceptTable, type RefusedTable, refusalOf, refuseTable } from './refusedTables.ts'

const dayMs = 86_400_000
/** Less than a millisecond of work. */
const rowsAtOnce = 128
/** So much of what the server has sent waits to be written, at most; and so much of one day. */
const mostWaiting = 8 * 1024 * 1024
const mostOfDay = 8 * 1024 * 1024

const takeDaysText = `DELETE FROM dirty_day WHERE $1::integer IS NULL OR day > date '1970-01-01' + $1 RETURNING table_name AS "table", (extract(epoch FROM day) / 86400)::float8 AS day`

/**
 * Brings days that have changed into the lake, table by table: as they are in the transaction of the client, they take the place of what the lake has of them. Days may be made while others are still to change; what is made
 * of a day that changes once more is made anew. Whoever calls it holds the lock of writers (`whileWriting`) until after its commit.
 *
 * A table that the lake cannot have as it is, for a row that its columns cannot hold say, stays there as it was, and the others go on.
 *
 * Holds the files of the pass, the rows of a few days as the server has sent them, and of a day with very many none.
 */
export class MirroredDays {
  readonly #client: pg.ClientBase
  readonly #place: LakePlace
  /** By table and day: the files, or why there are none. */
  readonly #made = new Map<string, Map<number | null, Promise<readonly DataFile[] | string>>>()
  #mirrors: readonly LakeMirror[] | null = null
  /** Days are made one after the other. */
  #making: Promise<unknown> = Promise.resolve()
  #waitingBytes = 0
  /** Whose day is done, and whose room another day can have. */
  readonly #idleWriters = new Map<LakeMirror, DataFileWriter[]>()
  readonly #idleRows: CopiedRows[] = []

  /** @param client in a transaction */
  constructor(client: pg.ClientBase, place: LakePlace) {
    this.#client = client
    this.#place = place
  }

  /**
   * Reads the days that are said to have changed, and has their files made while its caller goes on.
   * @param after only days after this one, ms UTC; all if left out
   */
  async make(after?: number): Promise<void> {
    const client = this.#client
    const parameter = after === undefined ? null : Math.floor(after / dayMs)
    const { rows } = await client.query<{ table: string; day: number | null }>(takeDaysText, [parameter])
    if (rows.length === 0) return
    this.#mirrors ??= await readMirrors(client)
    const changed = Map.groupBy(rows, ({ table }) => table)
    // The whole is no day of a table that is cut, and a day says nothing of one that is not: it was noted before the table was cut as it is now, or of a row that is of no day.
    const isOf = ({ lake }: LakeMirror, day: number | null) =>
      lake.day === null ? day === null : day !== null && Number.isFinite(day)
    await client.query(beforeDays)
    for (const mirror of this.#mirrors) {
      const days = new Set(changed.get(mirror.table)?.flatMap(({ day }) => (isOf(mirror, day) ? [day] : [])))
      for (const day of [...days].sort((a, b) => (a ?? 0) - (b ?? 0))) await this.#makeDay(mirror, day)
    }
    await client.query(daysRead)
  }

  /**
   * Prepares a commit for each table of which days were made, and applies it in the transaction, so that the lake has what PostgreSQL has. They are published once that is committed.
   * @param at the time of the commits, ms UTC
   */
  async commit(at: number): Promise<MirroredTables> {
    const commits: PreparedCommit[] = []
    const refused: RefusedTable[] = []
    let refusedBefore = 0
    for (const { table, lake, isRefused } of this.#mirrors ?? []) {
      const days = this.#made.get(table)
      if (days === undefined) continue
      const name = fullName(lake)
      const made = await Promise.all(days.values())
      const reason = made.find((one) => typeof one === 'string')
      if (reason !== undefined) {
        const one = { table, lakeName: name, reason }
        if (await refuseTable(this.#client, one, days.keys())) refused.push(one)
        else refusedBefore += 1
        continue
      }
      if (isRefused) await acceptTable(this.#client, table)
      const added = made.filter((one) => typeof one !== 'string').flat()
      const live = (await readTable(this.#client, name)) === null ? [] : await readLiveFiles(this.#client, name)
      // Passes of before may have left a file of no day beside those of days.
      const isStray = (day: number | null) => (day === null) !== (lake.day === null)
      const removed = live.filter(({ day }) => days.has(day) || isStray(day)).map(({ path }) => path)
      const commit = await prepareCommit(this.#client, this.#place, lake, { added, removed }, at)
      await commit?.apply(this.#client)
      if (commit !== null) commits.push(commit)
    }
    return { commits, refused, refusedBefore }
  }

  async #makeDay(mirror: LakeMirror, day: number | null): Promise<void> {
    const client = this.#client
    // So that no more than this is held however slow the making is.
    if (this.#waitingBytes > mostWaiting) await this.#making
    const writers = this.#idleWriters.get(mirror) ?? []
    this.#idleWriters.set(mirror, writers)
    const writer = writers.pop() ?? new DataFileWriter(mirror.lake)
    const rows = this.#idleRows.pop() ?? new CopiedRows()
    const files = new DayFiles(writer, rows, day)
    const days = this.#made.get(mirror.table) ?? new Map<number | null, Promise<readonly DataFile[] | string>>()
    this.#made.set(mirror.table, days)
    try {
      await client.query(setDay, [String(day ?? 0)])
      await copyOut(client, dayText(mirror), (message) => files.add(message))
    } catch (error) {
      days.set(day, Promise.resolve(refusalOf(error)))
      await client.query(giveUpDay)
      return
    }
    const bytes = files.waitingBytes
    this.#waitingBytes += bytes
    const made = this.#making.then(async () => {
      try {
        const finished = await files.finish()
        writers.push(writer)
        return finished
      } catch (error) {
        return refusalOf(error)
      } finally {
        this.#waitingBytes -= bytes
        rows.clear()
        this.#idleRows.push(rows)
      }
    })
    // Whoever commits them learns of a failure.
    this.#making = made.catch(() => undefined)
    days.set(day, made)
  }
}

/** What has become of the tables with days that had changed. */
export interface MirroredTables {
  /** Applied, and not yet published. */
  readonly commits: readonly PreparedCommit[]
  /** Those that the lake cannot have as they are, from this pass on. */
  readonly refused: readonly RefusedTable[]
  /** How many it could not have before either. */
  readonly refusedBefore: number
}

/** The files of a day, of its rows as the server sends them. */
class DayFiles {
  readonly #writer: DataFileWriter
  readonly #day: number | null
  readonly #rows: CopiedRows
  readonly #row = new BinaryRow()
  readonly #files: DataFile[] = []

  constructor(writer: DataFileWriter, rows: CopiedRows, day: number | null) {
    this.#writer = writer
    this.#rows = rows
    this.#day = day
  }

  get waitingBytes(): number {
    return this.#rows.byteLength
  }

  /** Rows of very large days are not kept, but written at once. */
  add(message: Buffer): void {
    this.#rows.add(message)
    if (this.#rows.byteLength < mostOfDay) return
    while (this.#rows.next(this.#row)) this.#write()
    this.#rows.clear()
  }

  /** Lets the event loop go on in between, so that the server is given its next statement. */
  async finish(): Promise<readonly DataFile[]> {
    for (let rows = 1; this.#rows.next(this.#row); rows++) {
      this.#write()
      if (rows % rowsAtOnce === 0) await setImmediate()
    }
    if (this.#writer.rowCount > 0) this.#files.push(this.#writer.finish(this.#day))
    await setImmediate()
    return this.#files
  }

  #write(): void {
    this.#writer.addRow(this.#row)
    if (this.#writer.rowCount === rowsPerFile) this.#files.push(this.#writer.finish(this.#day))
  }
}

/** What the server refuses of one day does not end the transaction. Days are read alone, so all that is rolled back is that. */
const beforeDays = 'SAVEPOINT lake_days'
const giveUpDay = 'ROLLBACK TO SAVEPOINT lake_days'
const daysRead = 'RELEASE SAVEPOINT lake_days'

/** For the COPY, which takes no parameters itself. */
const setDay = `SELECT set_config('millrace.day', $1, true)`

function dayText({ table, lake }: LakeMirror): string {
  const quoted = (name: string) => pg.escapeIdentifier(name)
  const order = lake.key.length === 0 ? '' : `ORDER BY ${lake.key.map(quoted).join(', ')}`
  const midnight = (days: number) =>
    `timestamptz 'epoch' + (current_setting('millrace.day')::integer + ${days}) * interval '24 hours'`
  const ofDay =
    lake.day === null ? '' : `WHERE ${quoted(lake.day)} >= ${midnight(0)} AND ${quoted(lake.day)} < ${midnight(1)}`
  const columns = lake.columns.map(({ name, type }) => `${quoted(name)}::${sqlTypeOf(type)}`)
  return `COPY (SELECT ${columns.join(', ')} FROM ${quoted(table)} ${ofDay} ${order}) TO STDOUT (FORMAT binary)`
}

/** What `ParquetColumn` takes for a type. */
function sqlTypeOf(type: LakeType): string {
  if (decimalOf(type) !== null) return 'numeric'
  return sqlTypes[type as keyof typeof sqlTypes]
}

const sqlTypes = {
  string: 'text',
  boolean: 'boolean',
  int: 'integer',
  long: 'bigint',
  double: 'double precision',
  timestamptz: 'timestamptz',
} as const

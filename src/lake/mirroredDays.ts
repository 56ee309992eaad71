import { setImmediate } from 'node:timers/promises'
import type pg from 'pg'
import { BinaryRow } from '../sinks/postgres/binaryRow.ts'
import { CopiedRows } from '../sinks/postgres/copiedRows.ts'
import { copyOut } from '../sinks/postgres/copyOut.ts'
import { type DataFile, DataFileWriter, rowsPerFile } from './dataFile.ts'
import { daysSetting, daysText, hasFewSeries, setDays } from './dayRows.ts'
import { type LakePlace, type PreparedCommit, prepareCommit } from './lakeCommit.ts'
import { readLiveFiles, readTable } from './lakeFacts.ts'
import { type LakeMirror, readMirrors } from './lakeMirror.ts'
import { fullName } from './lakeTable.ts'
import { acceptTable, type RefusedTable, refusalOf, refuseTable } from './refusedTables.ts'

const dayMs = 86_400_000
/** Less than a millisecond of work. */
const rowsAtOnce = 128
/** So much of what the server has sent waits to be written, at most; and so much of one day. */
const mostWaiting = 8 * 1024 * 1024
const mostOfDays = 8 * 1024 * 1024
/** So many of a table are asked for at once: each statement waits for what is made meanwhile. */
const daysAtOnce = 8

const takeDaysText = `DELETE FROM dirty_day WHERE $1::integer IS NULL OR day > date '1970-01-01' + $1 RETURNING table_name AS "table", (extract(epoch FROM day) / 86400)::float8 AS day`

/**
 * Brings days that have changed into the lake, table by table: as they are in the transaction of the client, they take the place of what the lake has of them. Days may be made while others are still to change; what is made
 * of a day that changes once more is made anew. Whoever calls it holds the lock of writers (`whileWriting`) until after its commit.
 *
 * A table that the lake cannot have as it is, for a row that its columns cannot hold say, stays there as it was, and the others go on.
 *
 * Holds the files of the pass, the rows of a few days as the server has sent them, and of days with very many none.
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
  /** How the days of a table are asked for. */
  readonly #texts = new Map<LakeMirror, string>()
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
      if (days.size === 0) continue
      const text = this.#texts.get(mirror) ?? daysText(mirror, await hasFewSeries(client, mirror))
      this.#texts.set(mirror, text)
      const sorted = [...days].sort((a, b) => (a ?? 0) - (b ?? 0))
      for (let at = 0; at < sorted.length; at += daysAtOnce)
        await this.#makeDays(mirror, sorted.slice(at, at + daysAtOnce), text)
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

  async #makeDays(mirror: LakeMirror, days: readonly (number | null)[], text: string): Promise<void> {
    const client = this.#client
    // So that no more than this is held however slow the making is.
    if (this.#waitingBytes > mostWaiting) await this.#making
    const writers = this.#idleWriters.get(mirror) ?? []
    this.#idleWriters.set(mirror, writers)
    const writer = writers.pop() ?? new DataFileWriter(mirror.lake)
    const rows = this.#idleRows.pop() ?? new CopiedRows()
    const files = new DaysFiles(writer, rows, days)
    try {
      await client.query(setDays, [daysSetting(days)])
      await copyOut(client, text, (message) => files.add(message))
    } catch (error) {
      this.#keep(mirror, days, Promise.resolve(refusalOf(error)))
      await client.query(giveUpDays)
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
    this.#keep(mirror, days, made)
  }

  #keep(
    { table }: LakeMirror,
    days: readonly (number | null)[],
    made: Promise<readonly (readonly DataFile[])[] | string>,
  ): void {
    const known = this.#made.get(table) ?? new Map<number | null, Promise<readonly DataFile[] | string>>()
    this.#made.set(table, known)
    for (const [n, day] of days.entries()) {
      const ofDay = made.then((all) => (typeof all === 'string' ? all : (all[n] ?? [])))
      ofDay.catch(() => undefined)
      known.set(day, ofDay)
    }
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

/** The files of some days, of their rows as the server sends them: day by day, the place of the day before the columns. */
class DaysFiles {
  readonly #writer: DataFileWriter
  readonly #days: readonly (number | null)[]
  readonly #rows: CopiedRows
  readonly #row = new BinaryRow()
  readonly #files: DataFile[][]
  /** Of the rows at hand, among the days. */
  #at = 0

  constructor(writer: DataFileWriter, rows: CopiedRows, days: readonly (number | null)[]) {
    this.#writer = writer
    this.#rows = rows
    this.#days = days
    this.#files = days.map(() => [])
  }

  get waitingBytes(): number {
    return this.#rows.byteLength
  }

  /** Very many rows are not kept, but written at once. */
  add(message: Buffer): void {
    this.#rows.add(message)
    if (this.#rows.byteLength < mostOfDays) return
    while (this.#rows.next(this.#row)) this.#write()
    this.#rows.clear()
  }

  /** Gives the files of each day. Lets the event loop go on in between, so that the server is given its next statement. */
  async finish(): Promise<readonly (readonly DataFile[])[]> {
    for (let rows = 1; this.#rows.next(this.#row); rows++) {
      this.#write()
      if (rows % rowsAtOnce === 0) await setImmediate()
    }
    this.#endFile()
    await setImmediate()
    return this.#files
  }

  #write(): void {
    const at = this.#row.nextLong()
    if (at !== this.#at) this.#endFile()
    this.#at = at
    this.#writer.addRow(this.#row)
    if (this.#writer.rowCount === rowsPerFile) this.#endFile()
  }

  #endFile(): void {
    if (this.#writer.rowCount === 0) return
    this.#files[this.#at]?.push(this.#writer.finish(this.#days[this.#at] ?? null))
  }
}

/** What the server refuses of some days does not end the transaction. Days are read alone, so all that is rolled back is that. */
const beforeDays = 'SAVEPOINT lake_days'
const giveUpDays = 'ROLLBACK TO SAVEPOINT lake_days'
const daysRead = 'RELEASE SAVEPOINT lake_days'

import { setImmediate } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type pg from 'pg'
import { BinaryRow } from '../sinks/postgres/binaryRow.ts'
import { CopiedRows, type RowReader } from '../sinks/postgres/copiedRows.ts'
import { copyOut } from '../sinks/postgres/copyOut.ts'
import { type DataFile, DataFileWriter, rowsPerFile } from './dataFile.ts'
import { daysSetting, daysText, hasFewSeries, seriesOfDays, setDays } from './dayRows.ts'
import { type LakePlace, type PreparedCommit, prepareCommit, readCommitted } from './lakeCommit.ts'
import { type LakeMirror, readMirrors } from './lakeMirror.ts'
import { fullName } from './lakeTable.ts'
import { acceptTable, type RefusedTable, refusalOf, refuseTable } from './refusedTables.ts'
import type { RowsAtHand, SeriesAtHand } from './rowsAtHand.ts'

const dayMs = 86_400_000
/** Less than a millisecond of work. */
const rowsAtOnce = 128
/** So much of what the server has sent waits to be written, at most; and so much of one day. */
const mostWaiting = 8 * 1024 * 1024
const mostOfDays = 8 * 1024 * 1024
/** So many of a table are asked for at once: each statement waits for what is made meanwhile. */
const daysAtOnce = 8

const takeTheseText = `DELETE FROM dirty_day WHERE table_name = $1 AND day = ANY (SELECT date '1970-01-01' + day FROM unnest($2::integer[]) AS day) RETURNING (extract(epoch FROM day) / 86400)::float8 AS day`

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
  readonly #asked = new Map<LakeMirror, { readonly text: string; readonly isBySeries: boolean }>()
  /** By table: days that had changed before somebody else has read their rows. */
  readonly #read = new Map<string, Set<number>>()
  /** What was read last. */
  #held: { readonly rows: RowsAtHand; readonly letGo: () => void } | null = null
  /** Whose day is done, and whose room another day can have. */
  readonly #idleWriters = new Map<LakeMirror, DataFileWriter[]>()
  readonly #idleRows: CopiedRows[] = []

  /** @param client in a transaction */
  constructor(client: pg.ClientBase, place: LakePlace) {
    this.#client = client
    this.#place = place
  }

  /**
   * Says that the caller is about to read rows of these days, all of a series, and may hand them over (`hold`): they need not be read once more. What has changed by now they have; of what changes later they know nothing.
   * @param days ms UTC
   */
  async expect(table: string, days: readonly number[]): Promise<void> {
    const { rows } = await this.#client.query<{ day: number }>(takeTheseText, [table, days.map((day) => day / dayMs)])
    const read = this.#read.get(table) ?? new Set()
    this.#read.set(table, read)
    for (const { day } of rows) read.add(day)
  }

  /**
   * Takes on what was read of days that are made by the next call, in place of what it holds.
   * @param letGo is called once the rows are not needed any more
   */
  hold(rows: RowsAtHand, letGo: () => void): void {
    this.#held?.letGo()
    this.#held = { rows, letGo }
  }

  /**
   * Reads the days that are said to have changed, and has their files made while its caller goes on.
   * @param after only days after this one, ms UTC; all if left out
   */
  async make(after?: number): Promise<void> {
    const client = this.#client
    const last = after === undefined ? null : Math.floor(after / dayMs)
    const { rows } = await client.query<{ table: string; day: number | null }>(takeDaysText, [last])
    const changed = new Map<string, Set<number | null>>()
    for (const { table, day } of rows) changed.set(table, (changed.get(table) ?? new Set()).add(day))
    const held = this.#held
    this.#held = null
    const read = this.#takeRead(last)
    if (changed.size + read.size > 0) {
      this.#mirrors ??= await readMirrors(client)
      await client.query(beforeDays)
      for (const mirror of this.#mirrors) {
        const ofTable = changed.get(mirror.table) ?? new Set()
        const others = (read.get(mirror.table) ?? []).filter((day) => !ofTable.has(day))
        await this.#makeTable(mirror, ofTable, others, held?.rows ?? null)
      }
      await client.query(daysRead)
    }
    // Whoever commits learns of a failure.
    if (held !== null) this.#making = this.#making.then(held.letGo)
  }

  /** By table: days that somebody has read, and that are to be made now. */
  #takeRead(after: number | null): ReadonlyMap<string, readonly number[]> {
    const taken = new Map<string, readonly number[]>()
    for (const [table, days] of this.#read) {
      const now = [...days].filter((day) => after === null || day > after)
      for (const day of now) days.delete(day)
      if (now.length > 0) taken.set(table, now)
    }
    return taken
  }

  /**
   * @param changed to be read
   * @param read have not changed since somebody else has read them
   */
  async #makeTable(
    mirror: LakeMirror,
    changed: ReadonlySet<number | null>,
    read: readonly number[],
    atHand: RowsAtHand | null,
  ): Promise<void> {
    // The whole is no day of a table that is cut, and a day says nothing of one that is not: it was noted before the table was cut as it is now, or of a row that is of no day.
    const isOf = ({ lake }: LakeMirror, day: number | null) =>
      lake.day === null ? day === null : day !== null && Number.isFinite(day)
    const all = [...changed, ...read].filter((day) => isOf(mirror, day))
    if (all.length === 0) return
    const asked = this.#asked.get(mirror) ?? (await askedOf(this.#client, mirror))
    this.#asked.set(mirror, asked)
    const whole = asked.isBySeries && atHand !== null ? await this.#wholeDays(mirror, read, atHand) : null
    for (const [day, series] of whole ?? []) this.#makeAtHand(mirror, day, series)
    const sorted = all.filter((day) => day === null || whole?.has(day) !== true).sort((a, b) => (a ?? 0) - (b ?? 0))
    for (let at = 0; at < sorted.length; at += daysAtOnce)
      await this.#makeDays(mirror, sorted.slice(at, at + daysAtOnce), asked.text)
  }

  /** Those of the days of which all series are at hand, each with them in the order of the key. */
  async #wholeDays(
    mirror: LakeMirror,
    days: readonly number[],
    { table, columns, series }: RowsAtHand,
  ): Promise<ReadonlyMap<number, readonly SeriesAtHand[]>> {
    const whole = new Map<number, readonly SeriesAtHand[]>()
    const isAlike =
      table === mirror.table &&
      isDeepStrictEqual(
        columns,
        mirror.lake.columns.map(({ name }) => name),
      )
    const isKeyFirst = isDeepStrictEqual(columns.slice(0, mirror.lake.key.length), mirror.lake.key)
    const found = days.filter((day) => series.some((one) => one.day === day * dayMs))
    if (!isAlike || !isKeyFirst || found.length === 0) return whole
    for (const [n, keys] of (await seriesOfDays(this.#client, mirror, found)).entries()) {
      const day = found[n] as number
      const ofDay = keys.map((key) => series.find((one) => one.day === day * dayMs && isDeepStrictEqual(one.key, key)))
      if (ofDay.every((one) => one !== undefined)) whole.set(day, ofDay)
    }
    return whole
  }

  #makeAtHand(mirror: LakeMirror, day: number, series: readonly SeriesAtHand[]): void {
    const take = () => this.#writerOf(mirror)
    this.#keep(
      mirror,
      [day],
      this.#next(mirror, take, async (writer) => {
        const files: DataFile[] = []
        const row = new BinaryRow()
        for (const { key, reader } of series) {
          const rows = reader()
          for (let count = 1; rows.next(row); count++) {
            writer.addRow(row, key)
            if (writer.rowCount === rowsPerFile) files.push(writer.finish(day))
            if (count % rowsAtOnce === 0) await setImmediate()
          }
        }
        if (writer.rowCount > 0) files.push(writer.finish(day))
        return [files]
      }),
    )
  }

  /**
   * Prepares a commit for each table of which days were made, and applies it in the transaction, so that the lake has what PostgreSQL has. They are published once that is committed.
   * @param at the time of the commits, ms UTC
   */
  async commit(at: number): Promise<MirroredTables> {
    const refused: RefusedTable[] = []
    let refusedBefore = 0
    const preparing: Promise<PreparedCommit | null>[] = []
    for (const { table, lake, isRefused } of this.#mirrors ?? []) {
      const days = this.#made.get(table)
      if (days === undefined) continue
      const made = await Promise.all(days.values())
      const reason = made.find((one) => typeof one === 'string')
      if (reason !== undefined) {
        const one = { table, lakeName: fullName(lake), reason }
        if (await refuseTable(this.#client, one, days.keys())) refused.push(one)
        else refusedBefore += 1
        continue
      }
      if (isRefused) await acceptTable(this.#client, table)
      const added = made.filter((one) => typeof one !== 'string').flat()
      const committed = await readCommitted(this.#client, lake)
      // Passes of before may have left a file of no day beside those of days.
      const isStray = (day: number | null) => (day === null) !== (lake.day === null)
      const removed = committed.files.filter(({ day }) => days.has(day) || isStray(day)).map(({ path }) => path)
      const commit = prepareCommit(committed, this.#place, lake, { added, removed }, at)
      // Uploads of tables wait for each other no more than those of a table do. Whoever waits for all learns of a failure.
      commit.catch(() => undefined)
      preparing.push(commit)
    }
    const commits = (await Promise.all(preparing)).filter((commit) => commit !== null)
    for (const commit of commits) await commit.apply(this.#client)
    return { commits, refused, refusedBefore }
  }

  async #makeDays(mirror: LakeMirror, days: readonly (number | null)[], text: string): Promise<void> {
    const client = this.#client
    // So that no more than this is held however slow the making is.
    if (this.#waitingBytes > mostWaiting) await this.#making
    const rows = this.#idleRows.pop() ?? new CopiedRows()
    const files = new DaysFiles(() => this.#writerOf(mirror), rows, days)
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
    const take = () => files.writer()
    const made = this.#next(mirror, take, async () => {
      try {
        return await files.finish()
      } finally {
        this.#waitingBytes -= bytes
        rows.clear()
        this.#idleRows.push(rows)
      }
    })
    this.#keep(mirror, days, made)
  }

  #writerOf(mirror: LakeMirror): DataFileWriter {
    return this.#idleWriters.get(mirror)?.pop() ?? new DataFileWriter(mirror.lake)
  }

  /** Has something made once all before it is, so that mostly there is one writer a table. One with rows of what has failed is not used again. */
  #next(
    mirror: LakeMirror,
    take: () => DataFileWriter,
    make: (writer: DataFileWriter) => Promise<readonly (readonly DataFile[])[]>,
  ): Promise<readonly (readonly DataFile[])[] | string> {
    const made = this.#making.then(async () => {
      try {
        const writer = take()
        const finished = await make(writer)
        this.#idleWriters.set(mirror, [...(this.#idleWriters.get(mirror) ?? []), writer])
        return finished
      } catch (error) {
        return refusalOf(error)
      }
    })
    // Whoever commits them learns of a failure.
    this.#making = made.catch(() => undefined)
    return made
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
  readonly #take: () => DataFileWriter
  #writer: DataFileWriter | null = null
  readonly #days: readonly (number | null)[]
  readonly #rows: CopiedRows
  #reader: RowReader
  readonly #row = new BinaryRow()
  readonly #files: DataFile[][]
  /** Of the rows at hand, among the days. */
  #at = 0

  constructor(take: () => DataFileWriter, rows: CopiedRows, days: readonly (number | null)[]) {
    this.#take = take
    this.#rows = rows
    this.#reader = rows.reader()
    this.#days = days
    this.#files = days.map(() => [])
  }

  get waitingBytes(): number {
    return this.#rows.byteLength
  }

  /** What the rows are written by: taken once there is something to write. */
  writer(): DataFileWriter {
    this.#writer ??= this.#take()
    return this.#writer
  }

  /** Very many rows are not kept, but written at once. */
  add(message: Buffer): void {
    this.#rows.add(message)
    if (this.#rows.byteLength < mostOfDays) return
    while (this.#reader.next(this.#row)) this.#write()
    this.#rows.clear()
    this.#reader = this.#rows.reader()
  }

  /** Gives the files of each day. Lets the event loop go on in between, so that the server is given its next statement. */
  async finish(): Promise<readonly (readonly DataFile[])[]> {
    for (let rows = 1; this.#reader.next(this.#row); rows++) {
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
    const writer = this.writer()
    writer.addRow(this.#row)
    if (writer.rowCount === rowsPerFile) this.#endFile()
  }

  #endFile(): void {
    const writer = this.writer()
    if (writer.rowCount === 0) return
    this.#files[this.#at]?.push(writer.finish(this.#days[this.#at] ?? null))
  }
}

async function askedOf(
  client: pg.ClientBase,
  mirror: LakeMirror,
): Promise<{ readonly text: string; readonly isBySeries: boolean }> {
  const isBySeries = await hasFewSeries(client, mirror)
  return { text: daysText(mirror, isBySeries), isBySeries }
}

/** What the server refuses of some days does not end the transaction. Days are read alone, so all that is rolled back is that. */
const beforeDays = 'SAVEPOINT lake_days'
const giveUpDays = 'ROLLBACK TO SAVEPOINT lake_days'
const daysRead = 'RELEASE SAVEPOINT lake_days'

import { setImmediate } from 'node:timers/promises'
import type pg from 'pg'
import { merge, Subject } from 'rxjs'
import type { Candle } from '../market/candle.ts'
import { intervalMs } from '../market/interval.ts'
import { goldCandles, goldIntervals } from '../pipelines/medallion.ts'
import type { BatchWindow } from './batchWindow.ts'
import type { CopiedRooms } from './copiedRooms.ts'
import { type Day, daysAtOnce, daysGiven, dayValues, inChunks, nameOfDay } from './day.ts'
import { GoldRows } from './goldRows.ts'
import { type CopiedMinutes, copyMinutes, nameOfHour, tradedMinutes } from './silverMinutes.ts'

const dayMs = 86_400_000
const hourMs = 3_600_000
/** Less than a millisecond of work. */
const minutesAtOnce = 48

/**
 * Makes the longer candles of days anew, while the server is at work on something else: the minutes of some days are asked for, and what is made of them is stored when the next ones were read. A candle that a
 * blocked hour is part of is not made: one of the other minutes alone would be wrong without a sign of it. Holds the candles of a dozen days of a symbol, as
 * bytes, and those of as many that are made meanwhile.
 */
export class GoldMaker {
  readonly #client: pg.ClientBase
  /** Made of some days while those of the days before are stored. */
  readonly #rows: GoldRows[] = []
  #making: { readonly copied: CopiedMinutes; readonly rows: GoldRows; readonly made: Promise<void> } | null = null
  readonly #rooms: CopiedRooms
  /** How many rows are another than before, of those that are stored. */
  changed = 0

  /**
   * @param client in the transaction of the pass
   * @param rooms in which minutes are, or will be where they are not read yet
   */
  constructor(client: pg.ClientBase, rooms: CopiedRooms) {
    this.#client = client
    this.#rooms = rooms
  }

  /**
   * Days whose minutes are as they are to be. The statements have ended when this has; the work goes on.
   * @param copied minutes of some of them that are read already
   */
  async make(days: readonly Day[], copied: CopiedMinutes | null): Promise<void> {
    if (copied !== null) await this.#begin(copied)
    const known = new Set(copied?.days.map(nameOf))
    const others = days.filter((day) => !known.has(nameOf(day)))
    for (const some of inChunks(others, daysAtOnce)) {
      const rows = await this.#rooms.take()
      await this.#begin(await copyMinutes(this.#client, some, [], rows))
      this.#rooms.give(rows)
    }
  }

  /** Stores what is not stored yet. */
  async store(): Promise<void> {
    if (this.#making === null) return
    const { copied, rows, made } = this.#making
    await made
    this.#making = null
    this.changed += await rows.store(this.#client, copied.days)
    rows.clear()
    this.#rows.push(rows)
  }

  async #begin(copied: CopiedMinutes): Promise<void> {
    const blocked = await blockedHours(this.#client, copied.days)
    await this.store()
    const rows = this.#rows.pop() ?? new GoldRows()
    const made = makeGold(copied, blocked, rows).finally(this.#rooms.share(copied.rows))
    // Whoever stores it learns of a failure.
    made.catch(() => undefined)
    this.#making = { copied, rows, made }
  }
}

/** Adds the longer candles of these days, without those that a blocked hour is part of. Lets the event loop go on in between, so that the server is given its next statement. */
async function makeGold(copied: CopiedMinutes, blocked: ReadonlySet<string>, gold: GoldRows): Promise<void> {
  let day: GoldDay | null = null
  let minutes = 0
  for (const [n, minute] of tradedMinutes(copied, blocked)) {
    if (day?.n !== n) {
      await day?.end()
      day = new GoldDay(n, (candle) => {
        if (!isBlocked(candle, blocked)) gold.add(n, candle)
      })
    }
    day.add(minute)
    minutes += 1
    if (minutes % minutesAtOnce === 0) await setImmediate()
  }
  await day?.end()
}

/** The candles of one day of a symbol: none is longer. */
class GoldDay {
  readonly n: number
  readonly #silver = new Subject<Candle>()
  readonly #made: Promise<void>

  /** @param n its place among the days */
  constructor(n: number, emit: (candle: Candle) => void) {
    this.n = n
    const candles = goldCandles(this.#silver)
    this.#made = merge(...goldIntervals.map((interval) => candles[interval])).forEach(emit)
    // Whoever ends the day learns of a failure.
    this.#made.catch(() => undefined)
  }

  add(minute: Candle): void {
    this.#silver.next(minute)
  }

  /** Emits what is open. @throws what an operator or `emit` has thrown */
  end(): Promise<void> {
    this.#silver.complete()
    return this.#made
  }
}

const blockedText = `SELECT market, symbol, (extract(epoch FROM from_time) * 1000)::float8 AS "from" FROM blocked_window JOIN ${daysGiven} USING (market, symbol)
WHERE from_time >= timestamptz 'epoch' + day_ms * interval '1 millisecond' AND from_time < timestamptz 'epoch' + (day_ms + ${dayMs}) * interval '1 millisecond'`

async function blockedHours(client: pg.ClientBase, days: readonly Day[]): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<Omit<BatchWindow, 'to'>>(blockedText, dayValues(days))
  return new Set(rows.map((hour) => nameOfHour(hour, hour.from)))
}

function isBlocked(candle: Candle, blocked: ReadonlySet<string>): boolean {
  if (blocked.size === 0) return false
  const { openTime, interval } = candle
  const to = openTime + intervalMs[interval]
  for (let hour = Math.floor(openTime / hourMs) * hourMs; hour < to; hour += hourMs) {
    if (blocked.has(nameOfHour(candle, hour))) return true
  }
  return false
}

function nameOf({ day, ...of }: Day): string {
  return nameOfDay({ ...of, from: day })
}

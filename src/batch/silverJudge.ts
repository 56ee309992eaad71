import type pg from 'pg'
import type { Seen, Sight } from '../quality/sight.ts'
import type { CopiedRows } from '../sinks/postgres/copiedRows.ts'
import { type BatchWindow, overlap, type QualityBoundary } from './batchWindow.ts'
import { blockedBefore, hoursBefore, hoursOf, keepBlocked } from './blockedHours.ts'
import { type Day, daysAtOnce, daysOf, nameOfDay, type Part, wholeDays } from './day.ts'
import { lookAt, sightOf } from './seenMinutes.ts'
import { type ChangedHour, mergeSilver, readDirtyWindows, takeDirtyWindows } from './silver.ts'
import { type CopiedMinutes, copyMinutes, nameOfHour } from './silverMinutes.ts'

/** How often hours are judged anew where somebody writes meanwhile. */
const rounds = 3

export interface SilverJudgeOptions {
  /** What is to be merged, in the order in which it will be. */
  readonly parts: readonly Part[]
  /** Nothing is blocked where it is left out. */
  readonly quality: QualityBoundary | undefined
  /** Whether hours are judged, and gold is made, that have not changed. */
  readonly isFull: boolean
  readonly run: { readonly runId: string; readonly now: number }
  /** Called before the minutes of days are read. */
  readonly reading: (days: readonly Day[]) => Promise<void>
}

/** What a part has come to. */
export interface JudgedPart {
  /** Whose longer candles are to be made. */
  readonly days: readonly Day[]
  /** Minutes of the first of them, as they were judged; null where they were too many to be read at once. */
  readonly copied: CopiedMinutes | null
}

/**
 * Makes silver of what came, part by part, and has its quality judged. An hour is judged once its day was merged; those that other passes have blocked are judged with the last part.
 *
 * Holds the names of the days that are to come, and the hours that are blocked.
 */
export class SilverJudge {
  readonly #client: pg.ClientBase
  readonly #options: SilverJudgeOptions
  readonly #toCome: Set<string>
  /** Null where nothing is known of what is expected. */
  readonly #sight: Sight | null
  /** Hours before those that have changed, whose days are to come. */
  #waiting: readonly BatchWindow[] = []
  readonly #held = new Map<string, BatchWindow>()
  readonly #blocked = new Map<string, BatchWindow>()
  /** Minutes that are another than before. */
  minutes = 0

  /** @param client in the transaction of the pass */
  constructor(client: pg.ClientBase, options: SilverJudgeOptions) {
    this.#client = client
    this.#options = options
    const expects = options.quality?.expects ?? null
    this.#sight = expects === null ? null : sightOf(expects)
    this.#toCome = new Set(options.parts.flatMap(({ days }) => days.map(nameOf)))
  }

  /** Hours that nothing may be made of, among those that were judged. */
  get blocked(): readonly BatchWindow[] {
    return [...this.#blocked.values()]
  }

  /** Those of them that were not blocked before this pass. */
  get held(): readonly BatchWindow[] {
    return [...this.#held.values()]
  }

  /**
   * Merges and judges the next part.
   * @param rows room for its minutes
   * @param meanwhile what is to be done of the server while its minutes are looked at
   */
  async judge({ days, windows }: Part, rows: CopiedRows, meanwhile: () => Promise<void>): Promise<JudgedPart> {
    const { quality, isFull } = this.#options
    const client = this.#client
    const ofPart = isFull ? wholeDays(days) : []
    for (const day of days) this.#toCome.delete(nameOf(day))
    const changed = [...(await mergeSilver(client, windows))]
    let copied = await this.#copy([...ofPart, ...changed], this.#hoursBefore(changed).due, rows)
    let seen = await this.#look(copied, meanwhile)
    let turned: readonly BatchWindow[] = []
    for (let round = 1; quality !== undefined; round += 1) {
      await client.query('SAVEPOINT judging')
      const { due, waiting } = this.#hoursBefore(changed)
      const hours = await hoursOf(client, [...ofPart, ...changed, ...due, ...(await this.#again())])
      const isAny = hours.filled.length + hours.emptied.length > 0
      const run = { ...this.#options.run, emptied: hours.emptied, seen }
      const blocked = isAny ? await quality.judge(client, hours.filled, run) : []
      const since = blocked.length === 0 || round === rounds ? [] : await readDirtyWindows(client)
      if (since.some((window) => blocked.some((hour) => overlap(window, hour)))) {
        // Somebody has written between the two: what was judged is not what silver was made of.
        await client.query('ROLLBACK TO SAVEPOINT judging')
        changed.push(...(await mergeSilver(client, await takeDirtyWindows(client))))
        copied = await this.#copy([...ofPart, ...changed], this.#hoursBefore(changed).due, rows)
        seen = await this.#look(copied, async () => {})
        continue
      }
      await client.query('RELEASE SAVEPOINT judging')
      this.#waiting = waiting
      if (isAny) {
        const { freed, held } = await keepBlocked(client, hours, blocked, this.#options.run)
        for (const hour of [...hours.filled, ...hours.emptied]) this.#blocked.delete(nameOfHour(hour, hour.from))
        for (const hour of blocked) this.#blocked.set(nameOfHour(hour, hour.from), hour)
        for (const hour of freed) this.#held.delete(nameOfHour(hour, hour.from))
        for (const hour of held) this.#held.set(nameOfHour(hour, hour.from), hour)
        turned = [...freed, ...held]
      }
      break
    }
    this.minutes += changed.reduce((sum, hour) => sum + hour.minutes, 0)
    return { days: daysOf([...ofPart, ...changed, ...turned]), copied }
  }

  /** The minutes of the days that are to be made anew, with what is needed to judge them. */
  async #copy(
    anew: readonly BatchWindow[],
    due: readonly BatchWindow[],
    rows: CopiedRows,
  ): Promise<CopiedMinutes | null> {
    rows.clear()
    const days = daysOf(anew)
    if (days.length === 0 || days.length > daysAtOnce) return null
    await this.#options.reading(days)
    const isJudged = this.#sight !== null
    return copyMinutes(this.#client, days, isJudged ? [...anew, ...due] : [], rows)
  }

  /** What can be seen of minutes while the server is at work on something else. */
  async #look(copied: CopiedMinutes | null, meanwhile: () => Promise<void>): Promise<Seen | null> {
    const looking = copied === null || this.#sight === null ? null : lookAt(copied, this.#sight)
    const [seen] = await Promise.all([looking, meanwhile()])
    return seen
  }

  /** Those before the ones that have changed now, or with an earlier part: to be judged with this part, or once their day was merged. */
  #hoursBefore(changed: readonly ChangedHour[]): Record<'due' | 'waiting', readonly BatchWindow[]> {
    const hours = [...this.#waiting, ...hoursBefore(changed)]
    const isToCome = (hour: BatchWindow) => this.#toCome.has(nameOfDay(hour))
    return { due: hours.filter((hour) => !isToCome(hour)), waiting: hours.filter(isToCome) }
  }

  async #again(): Promise<readonly BatchWindow[]> {
    return this.#toCome.size > 0 ? [] : blockedBefore(this.#client, this.#options.run.runId)
  }
}

function nameOf({ market, symbol, day }: Day): string {
  return nameOfDay({ market, symbol, from: day })
}

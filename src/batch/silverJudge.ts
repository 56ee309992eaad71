import type pg from 'pg'
import { type BatchWindow, overlap, type QualityBoundary } from './batchWindow.ts'
import { blockedBefore, hoursBefore, hoursOf, keepBlocked } from './blockedHours.ts'
import { type Day, daysOf, nameOfDay, type Part, wholeDays } from './day.ts'
import { type ChangedHour, mergeSilver, readDirtyWindows, takeDirtyWindows } from './silver.ts'

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

  /** Merges and judges the next part. Gives the days whose longer candles are to be made. */
  async judge({ days, windows }: Part): Promise<readonly Day[]> {
    const { quality, isFull } = this.#options
    const client = this.#client
    const ofPart = isFull ? wholeDays(days) : []
    for (const day of days) this.#toCome.delete(nameOf(day))
    const changed = [...(await mergeSilver(client, windows))]
    let turned: readonly BatchWindow[] = []
    for (let round = 1; quality !== undefined; round += 1) {
      await client.query('SAVEPOINT judging')
      const { due, waiting } = this.#hoursBefore(changed)
      const hours = await hoursOf(client, [...ofPart, ...changed, ...due, ...(await this.#again())])
      const isAny = hours.filled.length + hours.emptied.length > 0
      const blocked = isAny ? await quality(client, hours.filled, { ...this.#options.run, emptied: hours.emptied }) : []
      const since = blocked.length === 0 || round === rounds ? [] : await readDirtyWindows(client)
      if (since.some((window) => blocked.some((hour) => overlap(window, hour)))) {
        // Somebody has written between the two: what was judged is not what silver was made of.
        await client.query('ROLLBACK TO SAVEPOINT judging')
        changed.push(...(await mergeSilver(client, await takeDirtyWindows(client))))
        continue
      }
      await client.query('RELEASE SAVEPOINT judging')
      this.#waiting = waiting
      if (isAny) {
        const { freed, held } = await keepBlocked(client, hours, blocked, this.#options.run)
        for (const hour of [...hours.filled, ...hours.emptied]) this.#blocked.delete(nameOfHour(hour))
        for (const hour of blocked) this.#blocked.set(nameOfHour(hour), hour)
        for (const hour of freed) this.#held.delete(nameOfHour(hour))
        for (const hour of held) this.#held.set(nameOfHour(hour), hour)
        turned = [...freed, ...held]
      }
      break
    }
    this.minutes += changed.reduce((sum, hour) => sum + hour.minutes, 0)
    return daysOf([...ofPart, ...changed, ...turned])
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

function nameOfHour({ market, symbol, from }: BatchWindow): string {
  return `${market} ${symbol} ${from}`
}

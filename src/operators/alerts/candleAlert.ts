import type { Fixed8 } from '../../exact/decimal.ts'
import type { AlertTransition } from '../../market/alertEvent.ts'
import { intervalMs } from '../../market/interval.ts'
import type { Json } from '../../runtime/json.ts'
import type { StateCodec } from '../../runtime/state/keyedState.ts'
import type { CandleForIndicator } from '../indicators/indicator.ts'
import { Series, type SeriesValue } from '../indicators/series.ts'
import { type KeptSeries, seriesState } from '../indicators/seriesState.ts'
import { loadFixed8, type SavedFixed8, saveFixed8 } from '../savedFixed8.ts'
import type { CandleRule } from './compiledRule.ts'
import { verdictOf } from './levels.ts'
import type { Observed } from './observed.ts'
import { calm, loadStanding, type SavedStanding, type Standing, saveStanding, step } from './standing.ts'

/** How many of the last candles can still be corrected. */
const corrections = 10
/** After so many intervals without a candle, what a rule looks back on begins anew. */
const maxQuiet = 1_440

/** What is told at a candle. */
export interface CandleDecision {
  readonly openTime: number
  readonly transition: AlertTransition
  readonly corrects: AlertTransition | null
  readonly revision: number
  /** Null where there is none to judge by. */
  readonly units: Fixed8 | null
  readonly muted: number
  readonly isComplete: boolean
}

interface Slot {
  readonly openTime: number
  units: Fixed8
  isComplete: boolean
  /** Where the alert stood before it. */
  before: Standing
  told: AlertTransition | null
  /** How often what is told here has been decided. */
  revision: number
}

/** One candle rule for one symbol: what it looks at, candle by candle, and where the alert stands. */
export class CandleAlert {
  readonly #rule: CandleRule
  readonly kept: KeptSeries<unknown, Observed>
  readonly slots: Slot[] = []
  /** Behind the last slot. */
  standing: Standing = calm
  /** Of the newest candle, ms; null before there is one. */
  newest: number | null = null
  /** Whether data are missing. */
  silence: Standing = calm

  constructor(rule: CandleRule, kept: KeptSeries<unknown, Observed> = newSeries(rule)) {
    this.#rule = rule
    this.kept = kept
  }

  /** Takes a closed candle; gives what is to be told, by time. */
  add(candle: CandleForIndicator): readonly CandleDecision[] {
    const { openTime, high, low, close, volume, quoteVolume, revision, isComplete = true } = candle
    const back = this.newest === null || openTime > this.newest ? this.#heard(openTime) : []
    const values = this.kept.series.add({ openTime, high, low, close, volume, quoteVolume, revision, isComplete })
    return [...back, ...this.#judge(values)]
  }

  /** Nothing has come until this time. */
  silentAt(time: number): readonly CandleDecision[] {
    return this.#silence(time, 'bad', this.newest ?? time)
  }

  #heard(openTime: number): readonly CandleDecision[] {
    this.newest = openTime
    return this.#silence(openTime + intervalMs[this.#rule.interval], 'clear', openTime)
  }

  #silence(time: number, verdict: 'bad' | 'clear', openTime: number): readonly CandleDecision[] {
    const { maxPerHour } = this.#rule.patience
    const { standing, transition, muted } = step(this.silence, time, verdict, {
      forMs: 0,
      keepFiringForMs: 0,
      maxPerHour,
    })
    this.silence = standing
    if (transition === null || transition === 'flapping') return []
    const told = transition === 'firing' ? 'noData' : 'dataBack'
    return [{ openTime, transition: told, corrects: null, revision: 1, units: null, muted, isComplete: true }]
  }

  #judge(values: readonly SeriesValue<Observed>[]): readonly CandleDecision[] {
    const { slots } = this
    let from = slots.length
    for (const { openTime, value, isComplete } of values) {
      const newest = slots.at(-1)
      if (newest === undefined || openTime > newest.openTime) {
        slots.push({ openTime, units: value.units, isComplete, before: this.standing, told: null, revision: 0 })
        continue
      }
      const at = slots.findIndex((slot) => slot.openTime === openTime)
      const slot = slots[at]
      // What is older than all of them has been decided for good.
      if (slot === undefined) continue
      slot.units = value.units
      slot.isComplete = isComplete
      from = Math.min(from, at)
    }
    const decisions = slots.slice(from).flatMap((slot, i) => this.#look(slot, i === 0))
    if (slots.length > corrections) slots.splice(0, slots.length - corrections)
    return decisions
  }

  /** @param isFirst true where the alert stands as it did before the slot */
  #look(slot: Slot, isFirst: boolean): readonly CandleDecision[] {
    const { levels, patience, interval } = this.#rule
    const before = isFirst ? slot.before : this.standing
    slot.before = before
    const end = slot.openTime + intervalMs[interval]
    const { standing, transition, muted } = step(before, end, verdictOf(slot.units, levels), patience)
    this.standing = standing
    if (transition === slot.told) return []
    const { openTime, units, isComplete } = slot
    const about = { openTime, units, isComplete }
    const decisions: CandleDecision[] = []
    if (slot.told !== null) {
      slot.revision += 1
      decisions.push({ ...about, transition: 'corrected', corrects: slot.told, revision: slot.revision, muted: 0 })
    }
    if (transition !== null) {
      slot.revision += 1
      decisions.push({ ...about, transition, corrects: null, revision: slot.revision, muted })
    }
    slot.told = transition
    return decisions
  }
}

function newSeries({ fold, interval }: CandleRule): KeptSeries<unknown, Observed> {
  return { interval, series: new Series(fold, seriesRules(interval)) }
}

function seriesRules(interval: CandleRule['interval']) {
  return { intervalMs: intervalMs[interval], corrections, maxQuiet }
}

type SavedSlot = readonly [
  openTime: number,
  units: SavedFixed8,
  isComplete: boolean,
  before: SavedStanding,
  told: AlertTransition | null,
  revision: number,
]

type SavedAlert = readonly [
  series: Json,
  slots: readonly SavedSlot[],
  standing: SavedStanding,
  newest: number | null,
  silence: SavedStanding,
]

export function candleAlertState(rule: CandleRule): StateCodec<CandleAlert> {
  const series = seriesState(rule.fold, seriesRules)
  return {
    encode: (alert): Json => [
      series.encode(alert.kept),
      alert.slots.map(({ openTime, units, isComplete, before, told, revision }) => [
        openTime,
        saveFixed8(units),
        isComplete,
        saveStanding(before),
        told,
        revision,
      ]),
      saveStanding(alert.standing),
      alert.newest,
      saveStanding(alert.silence),
    ],
    decode: (saved) => {
      const [kept, slots, standing, newest, silence] = saved as unknown as SavedAlert
      const alert = new CandleAlert(rule, series.decode(kept))
      for (const [openTime, units, isComplete, before, told, revision] of slots) {
        alert.slots.push({
          openTime,
          units: loadFixed8(units),
          isComplete,
          before: loadStanding(before),
          told,
          revision,
        })
      }
      alert.standing = loadStanding(standing)
      alert.newest = newest
      alert.silence = loadStanding(silence)
      return alert
    },
  }
}

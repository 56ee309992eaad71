import type { Random } from '../random.ts'
import { alteredFrame, brokenFrame, type FrameStyle, heartbeatFrame, timeInUnit, tradeFrame } from './frames.ts'
import type { Gaps } from './gaps.ts'
import type { TrueTrade } from './naiveCandles.ts'
import type { Moment } from './timeline.ts'
import type { UnkindCounts, UnkindTradesOptions } from './unkindTrades.ts'

/** What must become of a record: `perhaps-dead` ones are set aside or known as repeats, and change nothing either way. */
type Verdict = 'counts' | 'ignored' | 'dead' | 'perhaps-dead'

/** A record as it arrives in its partition. */
export interface Arrival {
  readonly value: Buffer | null
  readonly key: string | null
  readonly timestamp: number
  /** Moves time in the reader's eyes; null for what cannot be read or is held to be absurd. */
  readonly time: number | null
  readonly verdict: Verdict
  readonly trade: TrueTrade | null
}

/** Records that follow a leap of time, so that a reader that wants it confirmed is sure by then. */
const settledAfter = 16

/** A step of time beyond this may be one that a reader wants confirmed. */
const leapMs = 10_000

/** What arrives in one partition. */
export class Lane {
  readonly #moments: readonly Moment[]
  readonly #options: UnkindTradesOptions
  readonly #style: FrameStyle
  readonly #random: Random
  readonly #counts: UnkindCounts
  readonly #gaps: Gaps

  constructor(
    moments: readonly Moment[],
    options: UnkindTradesOptions,
    style: FrameStyle,
    random: Random,
    counts: UnkindCounts,
    gaps: Gaps,
  ) {
    this.#moments = moments
    this.#options = options
    this.#style = style
    this.#random = random
    this.#counts = counts
    this.#gaps = gaps
  }

  arrivals(): Arrival[] {
    const random = this.#random
    const delayed: TrueTrade[] = []
    const punctual: { readonly at: number; readonly arrival: Arrival }[] = []
    for (const { time, trade } of this.#moments) {
      const at = time + random.int(0, this.#options.maxOutOfOrdernessMs)
      if (trade === null) {
        this.#counts.heartbeats++
        punctual.push({ at, arrival: this.#heartbeat(time) })
      } else if (random.chance(0.02)) {
        this.#counts.notTrades++
        punctual.push({ at, arrival: this.#notATrade(trade) })
      } else if (random.chance(0.1)) delayed.push(trade)
      else punctual.push({ at, arrival: this.#sound(trade, 'counts') })
    }
    // The sort is stable and nothing is more than the bound behind, whatever the draws.
    const inTime = punctual.sort((a, b) => a.at - b.at).map(({ arrival }) => arrival)
    this.#gaps.take(inTime)
    const list = withoutUnsettledTail(inTime)
    for (const trade of delayed) if (!this.#gaps.touch(trade)) this.#insertDelayed(list, trade)
    this.#gaps.fill(list)
    this.#insertRepeats(list)
    this.#insertBroken(list)
    this.#insertLeaps(list)
    return list
  }

  #heartbeat(time: number): Arrival {
    return { value: heartbeatFrame(time), key: null, timestamp: time, time, verdict: 'ignored', trade: null }
  }

  #sound(trade: TrueTrade, verdict: Verdict): Arrival {
    const value = tradeFrame(trade, this.#style, this.#random)
    return { value, key: trade.symbol, timestamp: trade.tradeTime, time: trade.tradeTime, verdict, trade }
  }

  /** Zero price, zero quantity, or a fill that is not of the market: sound frames that are not part of a candle. */
  #notATrade(trade: TrueTrade): Arrival {
    const zero = '0.00000000'
    const choices: Record<string, unknown>[] = [{ q: zero }, { p: zero }, { p: '0', q: '0' }]
    if (this.#style.market === 'usdm') choices.push({ X: 'INSURANCE_FUND' }, { X: 'ADL' }, { X: 'NA' })
    const value = alteredFrame(trade, this.#random.pick(choices), this.#style, this.#random)
    return { value, key: trade.symbol, timestamp: trade.tradeTime, time: null, verdict: 'ignored', trade: null }
  }

  /** Puts a trade where its window has closed: soon enough for a correction where those are allowed, else too late. */
  #insertDelayed(list: Arrival[], trade: TrueTrade): void {
    const { maxOutOfOrdernessMs, allowedLatenessMs } = this.#options
    const closedAt = Math.floor(trade.tradeTime / 60_000) * 60_000 + 60_000 + maxOutOfOrdernessMs
    const closed = firstAtOrAfter(list, closedAt)
    const gone = firstAtOrAfter(list, closedAt + allowedLatenessMs)
    if (allowedLatenessMs > 0 && closed < gone && this.#random.chance(0.3)) {
      const at = this.#random.int(closed + 1, gone)
      if (!this.#mayInsert(list, at)) return
      this.#counts.corrections++
      list.splice(at, 0, this.#sound(trade, 'counts'))
    } else if (gone + settledAfter < list.length) {
      const at = this.#random.int(gone + settledAfter, list.length)
      if (!this.#mayInsert(list, at)) return
      this.#counts.late++
      const late = this.#random.chance(0.9) ? trade : { ...trade, tradeTime: trade.tradeTime - 400 * 86_400_000 }
      list.splice(at, 0, this.#sound(late, 'dead'))
    }
  }

  #insertRepeats(list: Arrival[]): void {
    for (let i = 0; i < list.length; i++) {
      const arrival = list[i] as Arrival
      if (arrival.trade === null || !this.#random.chance(0.06)) continue
      const distance = this.#random.chance(0.7) ? this.#random.int(1, 12) : this.#random.int(1, list.length - i)
      const at = Math.min(i + distance, list.length)
      if (!this.#mayInsert(list, at)) continue
      this.#counts.repeats++
      list.splice(at, 0, { ...arrival, time: null, verdict: 'perhaps-dead', trade: null })
    }
  }

  /** Whether a record from before may come here without speaking against a leap of time that is still being confirmed. */
  #mayInsert(list: readonly Arrival[], at: number): boolean {
    return this.#options.isMerciless === true || !isSettling(list, at)
  }

  #insertBroken(list: Arrival[]): void {
    const trades = list.flatMap(({ trade }) => (trade === null ? [] : [trade]))
    if (trades.length === 0) return
    for (let left = Math.ceil(list.length * 0.03); left > 0; left--) {
      this.#counts.broken++
      const at = this.#random.int(0, list.length)
      const value = brokenFrame(this.#random.pick(trades), this.#style, this.#random)
      const timestamp = list[at - 1]?.timestamp ?? list[at]?.timestamp ?? 0
      list.splice(at, 0, { value, key: null, timestamp, time: null, verdict: 'dead', trade: null })
    }
  }

  /** Sound frames with a time that cannot be: far ahead, alone, and never where a true leap is being confirmed. */
  #insertLeaps(list: Arrival[]): void {
    for (let left = 10 * this.#random.int(0, 2); left > 0; left--) {
      const at = this.#random.int(0, list.length)
      const near = list.slice(Math.max(0, at - settledAfter), at + settledAfter)
      const model = near.find(({ verdict, trade }) => verdict === 'counts' && trade !== null)?.trade ?? null
      if (model === null || near.length < 2 * settledAfter || !isCalm(near)) continue
      this.#counts.leaps++
      const sane = model.tradeTime
      const tradeTime = this.#random.pick([Date.UTC(3000, 0, 1), sane + 400 * 86_400_000, sane * 1_000])
      const T = timeInUnit(tradeTime, this.#style, this.#random)
      const value = alteredFrame(model, { T, t: model.tradeId + 1_000_000_000 }, this.#style, this.#random)
      list.splice(at, 0, { value, key: model.symbol, timestamp: sane, time: Number.NaN, verdict: 'dead', trade: null })
    }
  }
}

/** Whether time has leapt, or begun, within the last few arrivals before the place. */
function isSettling(list: readonly Arrival[], at: number): boolean {
  const times: number[] = []
  for (let i = at - 1; i >= 0 && times.length < 8; i--) {
    const { time, verdict } = list[i] as Arrival
    if (time !== null && verdict !== 'dead') times.push(time)
  }
  return times.length < 8 || times.some((time, i) => i > 0 && (times[i - 1] as number) - time > leapMs)
}

/** Without the records after a leap that are too few for a reader to believe it. */
function withoutUnsettledTail(list: readonly Arrival[]): Arrival[] {
  let end = list.length
  while (end > 0 && isSettling(list, end)) end--
  return list.slice(0, end)
}

/** No leap, true or absurd, anywhere in the stretch. */
function isCalm(stretch: readonly Arrival[]): boolean {
  const times = stretch.flatMap(({ time, verdict }) =>
    time === null || (verdict === 'dead' && !Number.isNaN(time)) ? [] : [time],
  )
  return times.every((time, i) => i === 0 || Math.abs(time - (times[i - 1] as number)) < leapMs)
}

/** Index of the first arrival after which the reader has seen the given time or a later one; the length when it never does. */
function firstAtOrAfter(list: readonly Arrival[], time: number): number {
  const index = list.findIndex((arrival) => arrival.time !== null && arrival.verdict !== 'dead' && arrival.time >= time)
  return index < 0 ? list.length : index
}

import { intervals } from '../../market/interval.ts'
import type { OutgoingRecord } from '../../runtime/log.ts'
import { Random } from '../random.ts'
import { alteredFrame, brokenFrame, type FrameStyle, heartbeatFrame, timeInUnit, tradeFrame } from './frames.ts'
import { type ExpectedCandle, naiveCandles, type TrueTrade } from './naiveCandles.ts'

export interface UnkindTradesOptions {
  readonly seed: number | string
  /** How many trades happen; repeats, broken frames and heartbeats come on top. */
  readonly trades: number
  /** No record arrives more than this behind the newest one of its partition, unless it is meant to be late. */
  readonly maxOutOfOrdernessMs: number
  /** How long after its close a window still takes corrections; 0 makes none. */
  readonly allowedLatenessMs: number
  /** Symbol i goes to partition i modulo this; 1 unless told otherwise. */
  readonly partitions?: number
  readonly symbols?: readonly string[]
  readonly style?: FrameStyle
  /** First trade, ms UTC; some minutes before a midnight unless told otherwise. */
  readonly startMs?: number
  /** Average time between two trades; 700 unless told otherwise. */
  readonly averageStepMs?: number
  /** Repeats and late records right after a halt too, where a reader cannot tell the halt from an absurd time: there the expectation says nothing. */
  readonly isMerciless?: boolean
}

/** Where a record stands in its partition, counted from 0. */
export interface RecordPlace {
  readonly partition: number
  readonly offset: number
}

/** What was done to the input, by kind. */
export interface UnkindCounts {
  trades: number
  repeats: number
  corrections: number
  late: number
  broken: number
  leaps: number
  notTrades: number
  heartbeats: number
  halts: number
}

/** Input that is as bad as a feed can be, and the truth about it. */
export interface UnkindTrades {
  /** In the order of arrival. */
  readonly records: readonly OutgoingRecord[]
  /** Every candle of every interval, those still open at the end as well. */
  readonly candles: readonly ExpectedCandle[]
  /** Records that must be set aside: broken, absurdly dated or late. */
  readonly deadLetters: readonly RecordPlace[]
  /** Repeats from long ago: whether they are known as repeats or set aside as late, they must change nothing. */
  readonly perhapsDeadLetters: readonly RecordPlace[]
  readonly counts: Readonly<UnkindCounts>
}

type Verdict = 'counts' | 'ignored' | 'dead' | 'perhaps-dead'

interface Arrival {
  readonly value: Buffer | null
  readonly key: string | null
  readonly timestamp: number
  /** Moves time in the reader's eyes; null for what cannot be read or is held to be absurd. */
  readonly time: number | null
  readonly verdict: Verdict
  readonly trade: TrueTrade | null
}

interface Moment {
  readonly time: number
  readonly trade: TrueTrade | null
}

/** Records that follow a leap of time, so that a reader that wants it confirmed is sure by then. */
const settledAfter = 16

/** A step of time beyond this may be one that a reader wants confirmed. */
const leapMs = 10_000

/**
 * Makes trades of several symbols over boundaries of minutes, hours and days and sends them in an unkind way: out of order
 * within the bound, repeated at once and much later, corrected, late, silent, halted for hours, and mixed with broken
 * frames, zero trades, heartbeats and absurd times. The seed decides everything.
 */
export function unkindTrades(options: UnkindTradesOptions): UnkindTrades {
  const random = new Random(options.seed)
  const style = options.style ?? { market: 'spot', timeUnit: 'ms' }
  const symbols = options.symbols ?? ['BTCUSDT', 'ETHUSDT', 'SHIBUSDT']
  const partitions = options.partitions ?? 1
  const counts: UnkindCounts = {
    trades: 0,
    repeats: 0,
    corrections: 0,
    late: 0,
    broken: 0,
    leaps: 0,
    notTrades: 0,
    heartbeats: 0,
    halts: 0,
  }
  const moments = timeline(options, symbols, random.fork('timeline'), counts)
  const lanes = Array.from({ length: partitions }, (_, partition) => {
    const own = moments.filter(
      ({ trade }) => trade === null || symbols.indexOf(trade.symbol) % partitions === partition,
    )
    return new Lane(own, options, style, random.fork(`partition ${partition}`), counts).arrivals()
  })

  const records: OutgoingRecord[] = []
  const deadLetters: RecordPlace[] = []
  const perhapsDeadLetters: RecordPlace[] = []
  const counted: TrueTrade[] = []
  const next = lanes.map(() => 0)
  const merge = random.fork('merge')
  for (;;) {
    const open = lanes.flatMap((lane, partition) => ((next[partition] ?? 0) < lane.length ? [partition] : []))
    if (open.length === 0) break
    const partition = merge.pick(open)
    const offset = next[partition] as number
    next[partition] = offset + 1
    const arrival = lanes[partition]?.[offset] as Arrival
    const key = arrival.key === null ? null : Buffer.from(arrival.key)
    records.push({ partition, timestamp: arrival.timestamp, key, value: arrival.value })
    if (arrival.verdict === 'dead') deadLetters.push({ partition, offset })
    if (arrival.verdict === 'perhaps-dead') perhapsDeadLetters.push({ partition, offset })
    if (arrival.verdict === 'counts' && arrival.trade !== null) counted.push(arrival.trade)
  }
  counts.trades = counted.length
  return { records, candles: naiveCandles(counted, intervals), deadLetters, perhapsDeadLetters, counts }
}

/** What truly happens, in the order of time; a moment without a trade is one at which every partition hears a heartbeat. */
function timeline(
  options: UnkindTradesOptions,
  symbols: readonly string[],
  random: Random,
  counts: UnkindCounts,
): Moment[] {
  const step = options.averageStepMs ?? 700
  let time = options.startMs ?? Date.UTC(2024, 7, 9) - random.int(1, 15) * 60_000 + random.int(0, 59_999)
  const prices = symbols.map((symbol) =>
    symbol.startsWith('SHIB') ? 1_387n : BigInt(random.int(100, 6_000_000)) * 1_000_000n,
  )
  const ids = symbols.map(() => random.int(0, 2_000_000_000))
  const moments: Moment[] = []
  let silent = -1
  const leaps = new Set<number>()
  for (let leap = random.int(0, 3); leap > 0; leap--) leaps.add(random.int(20, Math.max(20, options.trades - 40)))
  for (let i = 0; i < options.trades; i++) {
    if (random.chance(0.02)) silent = random.int(-1, symbols.length - 1)
    time += random.chance(0.3) ? 0 : random.int(0, 3 * step)
    if (random.chance(0.03)) time += 60_000 - (time % 60_000) - random.int(0, 1)
    if (leaps.has(i)) {
      const length = random.pick([random.int(60_000, 600_000), random.int(1, 30) * 3_600_000])
      const hasHeartbeats = random.chance(0.3)
      for (let beat = 60_000; hasHeartbeats && beat < Math.min(length, 3_600_000); beat += 60_000) {
        moments.push({ time: time + beat, trade: null })
      }
      time += length
      counts.halts++
    }
    if (random.chance(0.04)) moments.push({ time, trade: null })
    const at =
      symbols.length === 1 ? 0 : random.pick(symbols.map((_, index) => index).filter((index) => index !== silent))
    prices[at] = moved(prices[at] as bigint, random)
    ids[at] = (ids[at] as number) + 1
    const quantity =
      symbols[at]?.startsWith('SHIB') === true
        ? BigInt(random.int(1, 2 ** 31)) * BigInt(random.int(1, 4_000_000))
        : BigInt(random.int(1, 400_000_000))
    const trade = {
      symbol: symbols[at] as string,
      tradeId: ids[at] as number,
      price: prices[at] as bigint,
      quantity,
      tradeTime: time,
      isBuyerMaker: random.chance(0.5),
    }
    moments.push({ time, trade })
  }
  return moments
}

function moved(price: bigint, random: Random): bigint {
  const change = (price * BigInt(random.int(-40, 40))) / 10_000n
  return price + change > 0n ? price + change : price
}

/** What arrives in one partition. */
class Lane {
  readonly #moments: readonly Moment[]
  readonly #options: UnkindTradesOptions
  readonly #style: FrameStyle
  readonly #random: Random
  readonly #counts: UnkindCounts

  constructor(
    moments: readonly Moment[],
    options: UnkindTradesOptions,
    style: FrameStyle,
    random: Random,
    counts: UnkindCounts,
  ) {
    this.#moments = moments
    this.#options = options
    this.#style = style
    this.#random = random
    this.#counts = counts
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
    const list = withoutUnsettledTail(punctual.sort((a, b) => a.at - b.at).map(({ arrival }) => arrival))
    for (const trade of delayed) this.#insertDelayed(list, trade)
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
    for (let left = this.#random.int(0, 2); left > 0; left--) {
      const at = this.#random.int(0, list.length)
      const near = list.slice(Math.max(0, at - 2 * settledAfter), at + 2 * settledAfter)
      const model = near.find(({ verdict, trade }) => verdict === 'counts' && trade !== null)?.trade ?? null
      if (model === null || near.length < 3 * settledAfter || !isCalm(near)) continue
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

export type { ExpectedCandle, FrameStyle }

import { gapFrame } from '../../market/feedGap.ts'
import type { Random } from '../random.ts'
import { alteredFrame, type FrameStyle } from './frames.ts'
import type { Arrival } from './lane.ts'
import type { TrueTrade } from './naiveCandles.ts'
import type { UnkindCounts, UnkindTradesOptions } from './unkindTrades.ts'

const minuteMs = 60_000

/** Trades of a symbol that the stream has left out. */
interface Gap {
  readonly missing: readonly TrueTrade[]
  /** The newest trade before it and the first one behind it. */
  readonly before: TrueTrade
  readonly behind: TrueTrade
  readonly word: Arrival
}

/** What the feed leaves out of one partition, tells of, and sends later, once, twice or never. */
export class Gaps {
  readonly #options: UnkindTradesOptions
  readonly #style: FrameStyle
  readonly #random: Random
  readonly #counts: UnkindCounts
  readonly #open: Gap[] = []

  constructor(options: UnkindTradesOptions, style: FrameStyle, random: Random, counts: UnkindCounts) {
    this.#options = options
    this.#style = style
    this.#random = random
    this.#counts = counts
  }

  /** Takes trades out of the list, and puts the word of it where the first trade behind them is, as long as their minutes would be corrected there. */
  take(list: Arrival[]): void {
    if (this.#options.hasGaps !== true) return
    const symbols = new Set(list.flatMap(({ trade }) => (trade === null ? [] : [trade.symbol])))
    for (const symbol of symbols) {
      for (let left = this.#random.int(0, 2); left > 0; left--) this.#takeOf(symbol, list)
    }
  }

  /** Whether a trade that comes late may find its minute kept open by a gap. */
  touch({ symbol, tradeTime }: TrueTrade): boolean {
    return this.#open.some(
      ({ before, behind }) =>
        before.symbol === symbol &&
        minuteOf(before) <= minuteOf({ tradeTime }) &&
        minuteOf({ tradeTime }) <= minuteOf(behind),
    )
  }

  /** Puts in what is fetched for them, and how each ended. */
  fill(list: Arrival[]): void {
    for (const gap of this.#open) this.#fill(gap, list)
  }

  #takeOf(symbol: string, list: Arrival[]): void {
    const own = list
      .flatMap(({ trade }) => (trade?.symbol === symbol ? [trade] : []))
      .sort((a, b) => a.tradeId - b.tradeId)
    const size = this.#random.int(1, 4)
    if (own.length < size + 2) return
    const first = this.#random.int(1, own.length - size - 1)
    const missing = own.slice(first, first + size)
    const [before, behind] = [own[first - 1] as TrueTrade, own[first + size] as TrueTrade]
    const minutes = [before, ...missing, behind]
    // Between gaps that touch one minute nobody could say what is kept for which.
    if (minutes.some((trade) => this.touch(trade))) return
    const isMissing = new Set(missing)
    const rest = list.filter(({ trade }) => trade === null || !isMissing.has(trade))
    const at = rest.findIndex(({ trade }) => trade === behind)
    if (rest.slice(0, at).some(({ time }) => time !== null && time >= this.#overAt(missing))) return
    const word = this.#word(missing, before, behind, 'open')
    rest.splice(at, 0, word)
    list.splice(0, list.length, ...rest)
    this.#open.push({ missing, before, behind, word })
    this.#counts.gaps++
  }

  /** The time at which the first minute of the trades is corrected no longer. */
  #overAt(missing: readonly TrueTrade[]): number {
    const { maxOutOfOrdernessMs, allowedLatenessMs } = this.#options
    return Math.min(...missing.map(minuteOf)) + minuteMs + maxOutOfOrdernessMs + allowedLatenessMs
  }

  #fill({ missing, before, behind, word }: Gap, list: Arrival[]): void {
    const told = list.indexOf(word)
    // Its word may have been cut away with the end of the list.
    if (told < 0) return
    const random = this.#random
    let last = told
    let came = 0
    const put = (arrival: Arrival) => {
      const at = random.chance(0.5)
        ? random.int(told + 1, Math.min(list.length, told + 12))
        : random.int(told + 1, list.length)
      list.splice(at, 0, arrival)
      last = at <= last ? last + 1 : at
    }
    for (const trade of missing) {
      if (random.chance(0.1)) continue
      came += 1
      const fetched = this.#fetched(trade)
      put(fetched)
      // Whoever fetched it came to its end before saying so.
      if (random.chance(0.3)) {
        this.#counts.repeats++
        put({ ...fetched, verdict: 'perhaps-dead', trade: null })
      }
    }
    this.#counts.filled += came
    if (random.chance(0.1)) return
    const state = came === missing.length ? 'filled' : 'lost'
    const at = random.chance(0.5) ? last + 1 : random.int(last + 1, list.length)
    list.splice(at, 0, this.#word(missing, before, behind, state))
  }

  #fetched(trade: TrueTrade): Arrival {
    const value = alteredFrame(trade, { fill: true }, this.#style, this.#random)
    return { value, key: trade.symbol, timestamp: trade.tradeTime, time: null, verdict: 'counts', trade }
  }

  #word(
    missing: readonly TrueTrade[],
    before: TrueTrade,
    behind: TrueTrade,
    state: 'open' | 'filled' | 'lost',
  ): Arrival {
    const ids = missing.map(({ tradeId }) => tradeId)
    const [fromTime, toTime] = [
      Math.min(before.tradeTime, behind.tradeTime),
      Math.max(before.tradeTime, behind.tradeTime),
    ]
    const value = gapFrame({
      ...{ type: 'gap', market: this.#style.market, symbol: behind.symbol, epoch: 0, state },
      ...{ firstId: Math.min(...ids), lastId: Math.max(...ids), fromTime, toTime },
      ...{ missing: state === 'filled' ? 0 : missing.length, revision: state === 'open' ? 1 : 2, reason: '' },
      ...{ seenAt: toTime, at: toTime },
    })
    return { value, key: behind.symbol, timestamp: toTime, time: null, verdict: 'ignored', trade: null }
  }
}

function minuteOf({ tradeTime }: Pick<TrueTrade, 'tradeTime'>): number {
  return Math.floor(tradeTime / minuteMs) * minuteMs
}

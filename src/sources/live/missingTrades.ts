import { earliestTradeMs } from '../../market/timeUnit.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { BelievedTime } from './believedTime.ts'
import type { ExchangeDialect } from './exchangeDialect.ts'
import type { LatePage } from './lateFill.ts'
import type { LiveCounts } from './liveCounts.ts'
import { markedFrame } from './markedFrame.ts'
import type { OpenGap, OpenGaps } from './openGaps.ts'
import type { SymbolState } from './symbolState.ts'
import type { SymbolStates } from './symbolStates.ts'

export interface MissingTradesOptions {
  readonly dialect: ExchangeDialect
  readonly clock: Clock
  readonly time: BelievedTime
  readonly states: SymbolStates
  readonly gaps: OpenGaps
  readonly counts: LiveCounts
  /** Why the newest gap could not be filled at once, in words; empty where nothing has refused it. */
  readonly why: () => string
  /** There is a gap that is to be filled later. */
  readonly onOpen: () => void
  readonly onNotice: (notice: string) => void
}

/** Where the time of the newest trade is not known, a gap may reach back so far. */
const unknownReachMs = 86_400_000
/** How far the clocks of the exchange and of the feed may be apart, where no trade tells the time. */
const clockMarginMs = 60_000

const endTexts = {
  filled: 'filled',
  absent: 'the exchange does not have them',
  lost: 'they cannot be had any more',
} as const satisfies Partial<Record<string, string>>

/**
 * Tells of trades that are missing: opens gaps, learns more of them, ends them, and says when ids have started again. What it tells are frames, which go out before
 * any other.
 *
 * Keeps those frames until they are taken.
 */
export class MissingTrades {
  readonly #options: MissingTradesOptions
  readonly #words: Buffer[] = []

  constructor(options: MissingTradesOptions) {
    this.#options = options
  }

  get hasWords(): boolean {
    return this.#words.length > 0
  }

  takeWord(): Buffer | undefined {
    return this.#words.shift()
  }

  /** The symbol's trades up to `toId` have not all come: the stream goes on without them. @param toTime ms UTC */
  leaveOpen(state: SymbolState, toId: number, toTime: number): void {
    const firstId = (state.lastId ?? toId) + 1
    const missing = toId + 1 - firstId
    if (missing <= 0) {
      this.endSuspicion(state)
      return
    }
    const { onNotice, clock, gaps, counts, why, onOpen } = this.#options
    counts.missing += missing
    const range = missing === 1 ? `trade ${firstId}` : `trades ${firstId} to ${toId}`
    const reason = why() === '' ? 'REST does not tell them yet' : why()
    onNotice(`GAP: ${state.symbol} ${range} could not be had at once (${missing}): ${reason}. They are fetched later`)
    const times = { ...this.#spanTo(state, toTime), seenAt: clock.now() }
    const suspected = gaps.suspectedOf(state)
    if (suspected?.firstId === firstId) {
      this.#words.push(...gaps.learn(suspected, { lastId: toId, toTime: times.toTime, reason }))
    } else {
      this.#words.push(
        ...gaps.open({ symbol: state.symbol, epoch: state.epoch, firstId, lastId: toId, ...times, reason }),
      )
      this.endSuspicion(state)
    }
    state.leaveOpen(toId, times.toTime)
    onOpen()
  }

  /** It is not known whether the symbol has missed any: windows must not end before it is. */
  suspect(state: SymbolState): void {
    const { lastId, symbol, epoch } = state
    if (lastId === null) return
    const { clock, time, gaps, why, onOpen } = this.#options
    const toTime = Math.floor(time.latest + clockMarginMs)
    const reason = `whether trades are missing is not known: ${why()}`
    const known = gaps.suspectedOf(state)
    this.#words.push(
      ...(known === undefined
        ? gaps.open({
            ...{ symbol, epoch, firstId: lastId + 1, lastId, reason, seenAt: clock.now() },
            ...this.#spanTo(state, toTime),
          })
        : gaps.learn(known, { lastId, toTime, reason })),
    )
    onOpen()
  }

  /** All up to the newest trade that was handed over is there. */
  endSuspicion(state: SymbolState): void {
    const { clock, gaps } = this.#options
    const gap = gaps.suspectedOf(state)
    if (gap === undefined) return
    const { lastId } = state
    const hasCome = lastId !== null && lastId >= gap.firstId
    const reason = hasCome ? 'what was missing has been fetched' : 'nothing was missing'
    this.#words.push(...gaps.end(gap, hasCome ? 'filled' : 'absent', reason, clock.now()))
  }

  /** The symbol's ids start again with its next trade. @param toId one of the new ids */
  restart(state: SymbolState, toId: number): void {
    const { onNotice, clock, counts, gaps } = this.#options
    const last = state.lastId ?? -1
    const reason = `the ids of ${state.symbol} start again at or before ${toId}, behind ${last}`
    onNotice(`${reason}; they are taken as new ones from here on`)
    counts.restarts++
    const time = state.lastTime ?? Math.floor(clock.now())
    const times = { fromTime: time, toTime: time, seenAt: clock.now() }
    const ids = { epoch: state.epoch, firstId: last + 1, lastId: last }
    this.#words.push(gaps.restarted({ symbol: state.symbol, ...ids, ...times, reason }))
    state.restart()
  }

  /** What has been fetched for an open gap, marked as such, and what is to be told of the gap behind it. */
  takeLate(page: LatePage): readonly Buffer[] {
    const { dialect, clock, counts, gaps, onNotice } = this.#options
    if (!gaps.all.includes(page.gap)) return []
    const { symbol, epoch } = page.gap
    const mark = epoch === 0 ? '"fill":true' : `"fill":true,"epoch":${epoch}`
    const frames = page.trades.map((row) => markedFrame(dialect.tradeFrame(symbol, row), mark))
    counts.filledLate += frames.length
    const gap = gaps.advance(page.gap, page.next)
    const state = page.isOver ?? (page.next > gap.lastId ? 'filled' : null)
    if (state === null) return frames
    const reason = endTexts[state]
    counts.missing -= state === 'lost' ? 0 : gap.lastId + 1 - gap.firstId
    onNotice(`gap of ${symbol}, trades ${gap.firstId} to ${gap.lastId}: ${reason}`)
    return [...frames, ...gaps.end(gap, state, reason, clock.now())]
  }

  /** The time that a gap of the symbol may reach over, whatever times were told. @param toTime ms UTC */
  #spanTo(state: SymbolState, toTime: number): Pick<OpenGap, 'fromTime' | 'toTime'> {
    const latest = Math.floor(this.#options.time.latest + unknownReachMs)
    const to = Math.min(Math.max(toTime, earliestTradeMs), latest)
    return { fromTime: Math.max(earliestTradeMs, Math.min(state.lastTime ?? to - unknownReachMs, to)), toTime: to }
  }
}

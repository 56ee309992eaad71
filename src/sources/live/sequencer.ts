import type { Clock } from '../../runtime/clock.ts'
import { newFramePeek } from '../market/peekFrame.ts'
import type { AwaitedFill } from './awaitedFill.ts'
import type { BelievedTime } from './believedTime.ts'
import type { CatchUp } from './catchUp.ts'
import type { ExchangeDialect } from './exchangeDialect.ts'
import { type GapFill, missedFrom, type SequencedFrame } from './gapFill.ts'
import { GapPossible, type Inbox } from './inbox.ts'
import type { LiveCounts } from './liveCounts.ts'
import { markedFrame } from './markedFrame.ts'
import type { MissingTrades } from './missingTrades.ts'
import type { NewestTold } from './newestTold.ts'
import { maxLeap, type SymbolState } from './symbolState.ts'
import type { SymbolStates } from './symbolStates.ts'

export interface SequencerOptions {
  readonly dialect: ExchangeDialect
  readonly clock: Clock
  readonly time: BelievedTime
  readonly states: SymbolStates
  readonly inbox: Inbox
  readonly fill: GapFill
  readonly awaited: AwaitedFill
  readonly catchUp: CatchUp
  readonly newestTold: NewestTold
  readonly missing: MissingTrades
  readonly counts: LiveCounts
  readonly onNotice: (notice: string) => void
}

/** So many trades must agree before ids count as started again. */
const restartWitnesses = 3

/**
 * Gives what has been received in one order: for each symbol by id, each id once. What is missing in between is fetched first, and what is told of it goes before.
 *
 * Keeps the page of a fill that is going out.
 */
export class Sequencer {
  readonly #options: SequencerOptions
  readonly #peek = newFramePeek()
  /** What goes out before the inbox is looked at again. */
  #ready: SequencedFrame[] = []

  constructor(options: SequencerOptions) {
    this.#options = options
  }

  /** True where there is no next step before something is received. */
  get isIdle(): boolean {
    return this.#hasNothingToGive && this.#options.awaited.now === null && this.#options.inbox.isEmpty
  }

  /** True where the next step waits for REST. */
  get isWaiting(): boolean {
    return this.#hasNothingToGive && this.#options.awaited.now !== null
  }

  /** One step: a frame that goes out, or null after a step that gave none. Most have nothing to wait for, and are not made to. */
  next(signal: AbortSignal): Buffer | null | Promise<null> {
    const { missing, awaited, inbox, catchUp } = this.#options
    const word = missing.takeWord()
    if (word !== undefined) return word
    const ready = this.#ready.shift()
    if (ready !== undefined) return this.#handOver(ready)
    if (awaited.now !== null) return this.#advanceFill(signal)
    const item = inbox.shift()
    if (item === undefined) return null
    if (!(item instanceof GapPossible)) return this.#receive(item)
    catchUp.begin(item.symbols)
    return null
  }

  get #hasNothingToGive(): boolean {
    return !this.#options.missing.hasWords && this.#ready.length === 0
  }

  async #advanceFill(signal: AbortSignal): Promise<null> {
    const page = await this.#options.awaited.next(signal)
    this.#options.counts.filled += page.length
    if (page.length > 0) this.#ready = [...page]
    return null
  }

  #receive(frame: Buffer): Buffer | null {
    const { dialect, clock, states, newestTold, missing, counts } = this.#options
    const peek = this.#peek
    dialect.peek(frame, peek)
    if (peek.kind === 'other') {
      newestTold.hear(frame)
      return null
    }
    // A word of ours comes from nobody else.
    if (peek.kind === 'gap' || (peek.kind === 'trade' && peek.isFill)) {
      counts.otherFrames++
      return null
    }
    // What nobody can read is for the ingest to judge.
    if (peek.kind === 'unreadable') return frame
    const { symbol, tradeId } = peek
    const state = states.get(symbol)
    if (state === undefined) return frame
    state.heard(clock.now())
    const trade = { symbol, tradeId, time: peek.tradeTime, frame }
    const last = state.lastId
    if (last !== null && tradeId <= last) return this.#isBehind(state, trade)
    state.behind = []
    if (last !== null && !this.#isBelievable(state, last, tradeId)) return frame
    if (last === null || tradeId === last + 1 || !dialect.hasContiguousIds) {
      missing.endSuspicion(state)
      return this.#handOver(trade)
    }
    this.#fetchBefore(trade, state)
    return null
  }

  #fetchBefore(trade: SequencedFrame, state: SymbolState): void {
    const { clock, time, fill, awaited, missing, counts } = this.#options
    counts.gaps++
    const toId = trade.tradeId - 1
    awaited.begin({
      ...{ symbols: [trade.symbol], since: clock.now() },
      pages: fill.between(missedFrom(state, toId)),
      end: () => {
        missing.leaveOpen(state, toId, time.msOf(trade.time))
        this.#ready = [trade]
      },
    })
  }

  /**
   * A trade that was handed over before, or one of ids that have started again: its id lies behind while its time goes on. Several must agree, each newer than the
   * one before.
   */
  #isBehind(state: SymbolState, trade: SequencedFrame): null {
    const { dialect, time, missing, counts } = this.#options
    const at = time.msOf(trade.time)
    const before = state.behind.at(-1)
    const isNewer = state.reach !== null && at > state.reach && (before === undefined || trade.tradeId > before.tradeId)
    if (!dialect.hasContiguousIds || !isNewer) {
      counts.duplicates++
      return null
    }
    state.behind.push(trade)
    if (state.behind.length < restartWitnesses) return null
    const witnesses = state.behind
    missing.restart(state, trade.tradeId)
    this.#ready = [...witnesses]
    // What lies between the first of the new ids and these is a gap like any other.
    state.lastId = (witnesses[0] as SequencedFrame).tradeId - 1
    return null
  }

  /**
   * One absurd id must not turn all later trades into repeats: a leap counts once a second trade confirms it. The trade itself goes out either
   * way.
   */
  #isBelievable(state: SymbolState, last: number, tradeId: number): boolean {
    if (tradeId - last < maxLeap) return true
    const { leap } = state
    if (leap !== null && tradeId > leap && tradeId - leap < maxLeap) {
      state.leap = null
      return true
    }
    state.leap = tradeId
    this.#options.onNotice(
      `${state.symbol}: trade id ${tradeId} is ${tradeId - last} past ${last}; waiting for a second one to confirm`,
    )
    return false
  }

  /** Null for a trade that has gone out before: a page of REST may reach into what the stream has brought. */
  #handOver({ symbol, tradeId, time: at, frame }: SequencedFrame): Buffer | null {
    const { time, states } = this.#options
    const state = states.get(symbol)
    if (state === undefined) return frame
    if (state.lastId !== null && tradeId <= state.lastId) return null
    state.handOver(tradeId, time.believed(time.msOf(at), symbol, tradeId))
    return state.epoch === 0 ? frame : markedFrame(frame, `"epoch":${state.epoch}`)
  }
}

import { type Clock, sleptEnough } from '../../runtime/clock.ts'
import type { ToldTrade } from './exchangeDialect.ts'
import { isSuspected, type OpenGap } from './openGaps.ts'
import type { TradesRest } from './tradesRest.ts'

/** What has been fetched for a gap, and what it says about the rest of it. */
export interface LatePage {
  readonly gap: OpenGap
  /** By id, without a gap, the first one being `gap.next`; may be empty. */
  readonly trades: readonly ToldTrade[]
  /** Id of the first trade that is missing still; past the gap's last one when nothing is. */
  readonly next: number
  /** Why the rest will not come, or null. */
  readonly isOver: 'absent' | 'lost' | null
}

export interface LateFillOptions {
  readonly rest: TradesRest
  readonly clock: Clock
  readonly gaps: () => readonly OpenGap[]
  /** How often the symbol's ids have started again. */
  readonly epochOf: (symbol: string) => number
  readonly retryMs: number
  /** A gap that is older is given up. */
  readonly maxAgeMs: number
  readonly signal: AbortSignal
  /** Something has been fetched. */
  readonly onPage: () => void
  /** REST, which could not be asked what symbols have missed, answers again. */
  readonly onAnswer: () => void
  readonly onTrouble: (what: string) => void
}

/** Fetches what is missing of gaps that the stream has gone on without, one page ahead of whoever takes it. Keeps that page. */
export class LateFill {
  readonly #options: LateFillOptions
  #page: LatePage | null = null
  #taken: () => void = () => undefined
  #wake: () => void = () => undefined
  #run: Promise<void> | null = null
  /** What the exchange told behind a gap, the last time that it told nothing of it. */
  readonly #followings = new WeakMap<OpenGap, number>()
  /** Why it does not get on, or null. */
  trouble: string | null = null

  constructor(options: LateFillOptions) {
    this.#options = options
  }

  get hasPage(): boolean {
    return this.#page !== null
  }

  start(): void {
    this.#run ??= this.#fill()
  }

  /** A gap has been opened. */
  wake(): void {
    this.#wake()
  }

  take(): LatePage | null {
    const page = this.#page
    this.#page = null
    if (page !== null) this.#taken()
    return page
  }

  async close(): Promise<void> {
    this.#taken()
    this.#wake()
    await this.#run
  }

  async #fill(): Promise<void> {
    const { gaps, signal, onPage } = this.#options
    let turn = 0
    while (!signal.aborted) {
      const open = gaps()
      const gap = open[turn++ % Math.max(1, open.length)]
      const isAsked = gap !== undefined && isSuspected(gap) && this.#endOf(gap) === null
      if (isAsked && (await this.#hasAnswer(gap))) turn = open.length
      const page = gap === undefined || isAsked ? null : await this.#fetch(gap)
      if (signal.aborted) return
      if (page === null) {
        // With several of them one that cannot be filled does not keep the others waiting.
        if (turn >= open.length) {
          turn = 0
          await this.#rest()
        }
        continue
      }
      const taken = new Promise<void>((resolve) => {
        this.#taken = resolve
      })
      this.#page = page
      onPage()
      await taken
    }
  }

  async #rest(): Promise<void> {
    const { clock, retryMs, signal } = this.#options
    const woken = new AbortController()
    this.#wake = () => woken.abort(sleptEnough)
    await clock.sleep(retryMs, AbortSignal.any([woken.signal, signal]))
  }

  /** `lost` where it is too late for what is missing. */
  #endOf(gap: OpenGap): 'lost' | null {
    const { clock, epochOf, maxAgeMs } = this.#options
    return epochOf(gap.symbol) !== gap.epoch || clock.now() - gap.seenAt > maxAgeMs ? 'lost' : null
  }

  /** Whether REST answers what it could not be asked before. */
  async #hasAnswer({ symbol }: OpenGap): Promise<boolean> {
    const { rest, signal, onAnswer } = this.#options
    const answer = await rest.days([symbol], signal)
    if ('refused' in answer) {
      this.#refuse(answer.refused)
      return false
    }
    this.trouble = null
    if (!signal.aborted) onAnswer()
    return true
  }

  #refuse(why: string): null {
    const { signal, onTrouble } = this.#options
    if (this.trouble !== why && !signal.aborted) onTrouble(why)
    this.trouble = why
    return null
  }

  /** Null where nothing can be said yet. */
  async #fetch(gap: OpenGap): Promise<LatePage | null> {
    const { rest, signal } = this.#options
    const nothing = { gap, trades: [], next: gap.next }
    const isOver = this.#endOf(gap)
    if (isOver !== null) return { ...nothing, isOver }
    const answer = await rest.fromId(gap.symbol, gap.next, signal)
    if ('refused' in answer) return this.#refuse(answer.refused)
    this.trouble = null
    const trades: ToldTrade[] = []
    let next = gap.next
    for (const row of answer.trades) {
      if (row.id !== next || next > gap.lastId) break
      trades.push(row)
      next++
    }
    if (next > gap.lastId || trades.length > 0) return { gap, trades, next, isOver: null }
    // The exchange tells later trades and not these: it does not have them.
    const following = answer.trades[0]
    if (following === undefined) return null
    if (this.#followings.get(gap) !== following.id) {
      // One answer may be short; the same one twice is the exchange's word.
      this.#followings.set(gap, following.id)
      return null
    }
    if (following.id > gap.lastId) return { ...nothing, isOver: 'absent' }
    return { gap, trades: [], next: following.id, isOver: null }
  }
}

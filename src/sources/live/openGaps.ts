import { type FeedGap, type GapState, gapFrame } from '../../market/feedGap.ts'
import type { LiveMarket } from './exchangeDialect.ts'

/** A gap that the stream has gone on without. Times are ms UTC. */
export interface OpenGap {
  readonly symbol: string
  readonly epoch: number
  readonly firstId: number
  readonly lastId: number
  /** Id of the first trade that is missing still. */
  readonly next: number
  /** Of the newest trade before it and the first one behind it. */
  readonly fromTime: number
  readonly toTime: number
  readonly revision: number
  readonly reason: string
  readonly seenAt: number
}

/** True of one of which it is not known whether trades are missing at all: its last id is the one before its first. */
export function isSuspected({ firstId, lastId }: OpenGap): boolean {
  return lastId < firstId
}

/** What a gap is when it is seen. */
export type NewGap = Omit<OpenGap, 'next' | 'revision'>

/**
 * The gaps of a feed that are open, and the frames that tell of them. Part of the feed's position, so that none is forgotten.
 *
 * Keeps at most `maxGaps`.
 */
export class OpenGaps {
  readonly #market: LiveMarket
  readonly #maxGaps: number
  #open: OpenGap[]
  readonly #suspected: Map<string, OpenGap>

  constructor(market: LiveMarket, open: readonly OpenGap[], maxGaps: number) {
    this.#market = market
    this.#maxGaps = maxGaps
    this.#open = [...open]
    this.#suspected = new Map(open.filter(isSuspected).map((gap) => [gap.symbol, gap]))
  }

  /** Oldest first. */
  get all(): readonly OpenGap[] {
    return this.#open
  }

  /** What tells of it; with one more where another has to be given up for it. */
  open(gap: NewGap): readonly Buffer[] {
    const frames: Buffer[] = []
    const oldest = this.#open[0]
    if (this.#open.length >= this.#maxGaps && oldest !== undefined) {
      frames.push(...this.end(oldest, 'lost', `more than ${this.#maxGaps} gaps are open`, gap.seenAt))
    }
    const opened: OpenGap = { ...gap, next: gap.firstId, revision: 1 }
    this.#open.push(opened)
    if (isSuspected(opened)) this.#suspected.set(opened.symbol, opened)
    return [...frames, this.#frame(opened, 'open', opened.reason, gap.seenAt)]
  }

  /** The symbol's gap of which it is not known whether trades are missing at all. */
  suspectedOf({ symbol, epoch }: Pick<OpenGap, 'symbol' | 'epoch'>): OpenGap | undefined {
    const gap = this.#suspected.get(symbol)
    return gap?.epoch === epoch ? gap : undefined
  }

  /** More is known of one: how far it reaches, or why. What tells of it. */
  learn(gap: OpenGap, facts: Pick<OpenGap, 'lastId' | 'toTime' | 'reason'>): readonly Buffer[] {
    const known: OpenGap = { ...gap, ...facts, revision: gap.revision + 1 }
    this.#replace(gap, known)
    return [this.#frame(known, 'open', known.reason, known.seenAt)]
  }

  /** The trades before `next` have been handed over. */
  advance(gap: OpenGap, next: number): OpenGap {
    const moved = { ...gap, next }
    this.#replace(gap, moved)
    return moved
  }

  end(gap: OpenGap, state: GapState, reason: string, now: number): readonly Buffer[] {
    if (!this.#open.includes(gap)) return []
    this.#open = this.#open.filter((one) => one !== gap)
    if (this.#suspected.get(gap.symbol) === gap) this.#suspected.delete(gap.symbol)
    return [this.#frame({ ...gap, revision: gap.revision + 1 }, state, reason, now)]
  }

  /** What tells that the ids of a symbol start again behind `lastId`. */
  restarted(gap: NewGap): Buffer {
    return this.#frame({ ...gap, next: gap.firstId, revision: 1 }, 'restarted', gap.reason, gap.seenAt)
  }

  #replace(gap: OpenGap, by: OpenGap): void {
    this.#open = this.#open.map((one) => (one === gap ? by : one))
    if (isSuspected(by)) this.#suspected.set(by.symbol, by)
    else if (this.#suspected.get(by.symbol) === gap) this.#suspected.delete(by.symbol)
  }

  #frame(gap: OpenGap, state: GapState, reason: string, at: number): Buffer {
    const { next, ...facts } = gap
    const told: FeedGap = {
      ...{ type: 'gap', market: this.#market },
      ...facts,
      ...{ state, reason: reason.slice(0, 500), at: Math.floor(at), seenAt: Math.floor(gap.seenAt) },
      missing: state === 'open' || state === 'lost' ? gap.lastId + 1 - next : 0,
    }
    return gapFrame(told)
  }
}

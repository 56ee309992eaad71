import type { SequencedFrame } from './gapFill.ts'
import type { SymbolPlace } from './livePosition.ts'

/** What the exchange itself has said: that `lastId` was the newest trade at `through`. */
export interface Proof {
  readonly lastId: number
  /** ms UTC of the exchange. */
  readonly through: number
  /** When it was heard, ms by the clock. */
  readonly heardAt: number
}

/**
 * Where one symbol is: what was handed over, and up to when this is known to be all.
 *
 * Quiet is proven by the exchange's own words alone: a ticker or a candle names the newest trade of a moment; once that trade has been handed over, so has everything
 * before it. A socket that answers proves nothing.
 */
export class SymbolState {
  readonly symbol: string
  lastId: number | null
  /** ms UTC. */
  lastTime: number | null
  epoch: number
  /**
   * No trade up to `lastId` is newer, ms UTC; null where that is not known. Later than `lastTime` where the stream has gone on without some: those may come still, and are
   * no ids that start again.
   */
  reach: number | null
  /** ms UTC up to which everything has been handed over; null while that is not known. */
  proven: number | null = null
  /** The oldest word on a trade that has not come yet. */
  pending: Proof | null = null
  /** When anything of the symbol was heard, ms by the clock. */
  heardAt: number
  /** False where the exchange says that it is not traded. */
  isTrading = true
  /** Trades whose ids lie behind while their times go on: the ids may have started again. */
  behind: SequencedFrame[] = []
  /** An id that leapt too far to be believed at once. */
  leap: number | null = null

  constructor(symbol: string, place: SymbolPlace | undefined, now: number) {
    this.symbol = symbol
    this.lastId = place?.lastId ?? null
    this.lastTime = place?.lastTime ?? null
    this.epoch = place?.epoch ?? 0
    this.reach = this.lastTime
    this.heardAt = now
  }

  get place(): SymbolPlace | null {
    const { lastId, lastTime, epoch } = this
    return lastId === null ? null : { lastId, lastTime, epoch }
  }

  /** A trade has been handed over. @param time ms UTC */
  handOver(id: number, time: number): void {
    this.lastId = id
    this.lastTime = Math.max(time, this.lastTime ?? time)
    this.reach = Math.max(time, this.reach ?? time)
    this.#prove(time)
    const { pending } = this
    if (pending === null || pending.lastId > id) return
    this.#prove(pending.through)
    this.pending = null
  }

  /** The stream goes on without the trades up to this one. @param time ms UTC that none of them is newer than */
  leaveOpen(id: number, time: number): void {
    this.lastId = id
    this.reach = Math.max(time, this.reach ?? time)
  }

  hear(proof: Proof): void {
    this.heardAt = proof.heardAt
    if (this.lastId === null) {
      // Before the first trade: what comes from here on is all.
      if (proof.lastId >= 0) this.lastId = proof.lastId
      this.#prove(proof.through)
    } else if (proof.lastId <= this.lastId) {
      // A word that knows less than has been handed over is an old one, and of ids that have started again it says nothing.
      if (proof.lastId === this.lastId) this.#prove(proof.through)
    } else this.pending ??= proof
  }

  /** It is taken again after a time in which nobody listened: what was heard before is no word on what is missing. */
  resume(now: number): void {
    this.heardAt = now
    this.pending = null
    this.behind = []
    this.leap = null
    this.isTrading = true
  }

  /** The ids start again with the next trade. */
  restart(): void {
    this.epoch++
    this.lastId = -1
    this.behind = []
    this.pending = null
  }

  #prove(through: number): void {
    if (this.proven === null || through > this.proven) this.proven = through
  }
}

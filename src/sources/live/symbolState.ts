import type { SequencedFrame } from './gapFill.ts'
import type { SymbolPlace } from './livePosition.ts'

/** More trades than the busiest symbol has in days: an id that is further on is not believed at once. */
export const maxLeap = 10_000_000
/** Trades of a gap come as late as this; what is older by more tells that the time went wrong. */
const believedBackMs = 86_400_000
/** Bursts within so long count as one. */
const rhythmGrainMs = 1_000
const rhythmWeight = 0.1
const firstRhythmMs = 3_000
const gapsUntilSilent = 15

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
  /** Mean time between the seconds in which something of it is heard, ms: its own rhythm. */
  #rhythmMs: number | null = null
  #countedAt: number
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
    this.#countedAt = now
  }

  get place(): SymbolPlace | null {
    const { lastId, lastTime, epoch } = this
    return lastId === null ? null : { lastId, lastTime, epoch }
  }

  /** Something of it has been heard. @param now ms by the clock */
  heard(now: number): void {
    this.heardAt = now
    const gapMs = now - this.#countedAt
    if (gapMs < rhythmGrainMs) return
    this.#countedAt = now
    this.#rhythmMs = this.#rhythmMs === null ? firstRhythmMs : this.#rhythmMs + (gapMs - this.#rhythmMs) * rhythmWeight
  }

  /** How long its silence is no sign of a stall, ms. */
  silenceAllowedMs(leastMs: number, mostMs: number): number {
    if (this.#rhythmMs === null) return mostMs
    return Math.min(mostMs, Math.max(leastMs, this.#rhythmMs * gapsUntilSilent))
  }

  /** A trade has been handed over. @param time ms UTC; null where it tells a time that is not believed */
  handOver(id: number, time: number | null): void {
    this.lastId = id
    if (time !== null) {
      this.#goBack(time)
      this.lastTime = Math.max(time, this.lastTime ?? time)
      this.reach = Math.max(time, this.reach ?? time)
      this.#prove(time)
    }
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
    this.#countedAt = now
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

  /** A time that is believed and lies days behind says that what was believed before was wrong. */
  #goBack(time: number): void {
    if (this.reach === null || time >= this.reach - believedBackMs) return
    this.lastTime = null
    this.reach = null
    this.proven = null
  }

  #prove(through: number): void {
    if (this.proven === null || through > this.proven || through < this.proven - believedBackMs) this.proven = through
  }
}

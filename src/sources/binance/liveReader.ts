import type { Clock } from '../../runtime/clock.ts'
import type { FrameBatch, FrameProgress, FrameReader, FrameReadOptions } from '../market/frameFeed.ts'
import { newFramePeek, peekFrame } from '../market/peekFrame.ts'
import { ConnectionKeeper } from './connectionKeeper.ts'
import type { BinanceEndpoints, BinanceMarket, MarketRules } from './endpoints.ts'
import { GapFill, type SequencedFrame } from './gapFill.ts'
import { Inbox } from './inbox.ts'
import type { LiveLimits } from './liveLimits.ts'
import { formatLivePosition } from './livePosition.ts'
import { RestTrades } from './restTrades.ts'

export interface LiveReaderOptions {
  readonly market: BinanceMarket
  readonly rules: MarketRules
  readonly symbols: readonly string[]
  readonly timeUnit: 'ms' | 'us'
  readonly endpoints: BinanceEndpoints
  readonly limits: LiveLimits
  readonly clock: Clock
  readonly onNotice: (notice: string) => void
  readonly jitter: () => number
}

/** More trades than the busiest symbol has in days. */
const maxLeap = 10_000_000

/**
 * Puts what the sockets and REST bring into one order: for each symbol by id, each id once. All of it happens while somebody reads, so the
 * position is always that of the frames handed over.
 *
 * Keeps the inbox, one page of a fill, and the last id of each symbol.
 */
export class LiveReader implements FrameReader {
  readonly #options: LiveReaderOptions
  readonly #inbox: Inbox
  readonly #keeper: ConnectionKeeper
  readonly #fill: GapFill
  readonly #closed = new AbortController()
  readonly #lastIds: Map<string, number>
  readonly #peek = newFramePeek()
  /** Pages that go out before the inbox is looked at again. */
  #filling: AsyncGenerator<SequencedFrame[], void, undefined> | null = null
  #ready: SequencedFrame[] = []
  /** The frame that revealed the gap being filled. */
  #behindGap: SequencedFrame | null = null
  #page: Promise<IteratorResult<SequencedFrame[], void>> | null = null
  /** Trade time of the newest trade off the stream, ms UTC. */
  #lastTime: number | null = null
  /** Ids that leapt too far to be believed at once. */
  readonly #leaps = new Map<string, number>()
  #counts = { frames: 0, duplicates: 0, gaps: 0, filled: 0, missing: 0 }

  constructor(options: LiveReaderOptions, lastIds: Map<string, number>) {
    const { market, rules, clock, limits, endpoints, timeUnit, symbols, onNotice, jitter } = options
    this.#options = options
    this.#lastIds = lastIds
    this.#inbox = new Inbox({
      maxBytes: limits.maxHeldBytes,
      onFull: () => this.#keeper.pause(),
      onRoom: () => this.#keeper.resume(),
    })
    this.#keeper = new ConnectionKeeper({
      url: `${endpoints.streamUrl}/stream${timeUnit === 'us' ? '?timeUnit=MICROSECOND' : ''}`,
      streams: symbols.map((symbol) => `${symbol.toLowerCase()}@trade`),
      clock,
      limits,
      jitter,
      onFrame: (frame) => this.#inbox.push(frame),
      onGapPossible: () => this.#inbox.push('gap-possible'),
      onNotice,
    })
    this.#fill = new GapFill({
      market,
      rules,
      rest: new RestTrades({ restUrl: endpoints.restUrl, rules, timeUnit, clock, timeoutMs: limits.restTimeoutMs }),
      clock,
      deadlineMs: limits.fillDeadlineMs,
      maxTrades: limits.maxFillTrades,
      signal: this.#closed.signal,
      onTrouble: (what) => onNotice(`filling a gap: ${what}`),
    })
    this.#keeper.start()
  }

  async read({ maxFrames, maxBytes, lingerMs, signal }: FrameReadOptions): Promise<FrameBatch> {
    const { clock, limits } = this.#options
    if (this.#isIdle()) {
      await this.#inbox.wait(limits.idleReadMs, clock, signal)
      if (!this.#inbox.isEmpty && lingerMs > 0) await clock.sleep(lingerMs, signal)
    }
    const frames: Buffer[] = []
    let bytes = 0
    while (frames.length < maxFrames && bytes < maxBytes && !this.#isIdle()) {
      const frame = await this.#next(signal)
      if (frame !== null) {
        frames.push(frame)
        bytes += frame.length
      } else if (signal.aborted) break
      // What is there goes out before the next page of a fill is waited for.
      if (this.#ready.length === 0 && this.#filling !== null && frames.length > 0) break
    }
    this.#counts.frames += frames.length
    return {
      frames,
      position: formatLivePosition(this.#options.market, this.#lastIds),
      quietThrough: this.#quietThrough(),
    }
  }

  progress(): FrameProgress {
    const filling = this.#filling === null ? null : 'REST, to fill a gap'
    const counts = { ...this.#counts, reconnects: this.#keeper.reconnects }
    return { bytesDone: null, bytesTotal: null, waitingFor: this.#keeper.waitingFor ?? filling, counts }
  }

  async close(): Promise<void> {
    this.#closed.abort()
    await this.#keeper.close()
  }

  #isIdle(): boolean {
    return this.#ready.length === 0 && this.#filling === null && this.#inbox.isEmpty
  }

  /** One step: a frame that goes out, or null after a step that gave none. */
  async #next(signal: AbortSignal): Promise<Buffer | null> {
    const ready = this.#ready.shift()
    if (ready !== undefined) return this.#handOver(ready)
    if (this.#filling !== null) {
      // A stop does not wait for REST; the page is kept for a next read.
      this.#page ??= this.#filling.next()
      const page = await unlessAborted(this.#page, signal)
      if (page === null) return null
      this.#page = null
      if (page.done === true) this.#endFill()
      else this.#ready = [...page.value]
      return null
    }
    const item = this.#inbox.shift()
    if (item === undefined) return null
    if (item !== 'gap-possible') return this.#receive(item)
    if (this.#lastIds.size > 0) this.#filling = this.#catchUp()
    return null
  }

  #receive(frame: Buffer): Buffer | null {
    const peek = this.#peek
    peekFrame(frame, peek)
    // What is no trade is for the ingest to judge.
    if (peek.kind !== 'trade') return frame
    const { symbol, tradeId, tradeTime } = peek
    const last = this.#lastIds.get(symbol)
    if (last !== undefined && tradeId <= last) {
      this.#counts.duplicates++
      return null
    }
    this.#lastTime = this.#options.timeUnit === 'us' ? Math.floor(tradeTime / 1_000) : tradeTime
    if (last !== undefined && !this.#isBelievable(symbol, last, tradeId)) return frame
    if (last === undefined || tradeId === last + 1 || !this.#options.rules.hasContiguousIds) {
      this.#lastIds.set(symbol, tradeId)
      return frame
    }
    this.#counts.gaps++
    this.#behindGap = { symbol, tradeId, time: tradeTime, frame }
    this.#filling = this.#counted(this.#fill.between(symbol, last + 1, tradeId - 1))
    return null
  }

  /**
   * One absurd id must not turn all later trades into repeats: a leap counts once a second trade confirms it. The trade itself goes out either
   * way.
   */
  #isBelievable(symbol: string, last: number, tradeId: number): boolean {
    if (tradeId - last < maxLeap) return true
    const leap = this.#leaps.get(symbol)
    if (leap !== undefined && tradeId > leap && tradeId - leap < maxLeap) {
      this.#leaps.delete(symbol)
      return true
    }
    this.#leaps.set(symbol, tradeId)
    this.#options.onNotice(
      `${symbol}: trade id ${tradeId} is ${tradeId - last} past ${last}; waiting for a second one to confirm`,
    )
    return false
  }

  /** Null for a trade that has gone out before: a page of REST may reach into what the stream has brought. */
  #handOver({ symbol, tradeId, frame }: SequencedFrame): Buffer | null {
    const last = this.#lastIds.get(symbol)
    if (last !== undefined && tradeId <= last) return null
    this.#lastIds.set(symbol, tradeId)
    return frame
  }

  #endFill(): void {
    this.#filling = null
    const behind = this.#behindGap
    this.#behindGap = null
    if (behind === null) return
    const last = this.#lastIds.get(behind.symbol) ?? behind.tradeId - 1
    const missing = behind.tradeId - 1 - last
    if (missing > 0) {
      this.#counts.missing += missing
      const range = missing === 1 ? `trade ${last + 1}` : `trades ${last + 1} to ${behind.tradeId - 1}`
      this.#options.onNotice(
        `GAP: ${behind.symbol} ${range} could not be had (${missing}); candles over them are not complete`,
      )
    }
    this.#ready = [behind]
  }

  /** After a lost connection, or a start: what each known symbol has missed. Quiet ones too, for their next trade may be long in coming. */
  #catchUp(): AsyncGenerator<SequencedFrame[], void, undefined> {
    const known = new Map<string, number>()
    for (const symbol of this.#options.symbols) {
      const last = this.#lastIds.get(symbol)
      if (last !== undefined) known.set(symbol, last)
    }
    return this.#counted(this.#fill.catchUp(known))
  }

  async *#counted(
    pages: AsyncGenerator<SequencedFrame[], void, undefined>,
  ): AsyncGenerator<SequencedFrame[], void, undefined> {
    for await (const page of pages) {
      this.#counts.filled += page.length
      yield page
    }
  }

  /** The last trade's time plus the silence that an answered ping has proved, in the exchange's time whatever the clock here says. */
  #quietThrough(): number | null {
    if (this.#lastTime === null || !this.#isIdle()) return null
    const silenceMs = this.#keeper.provenSilenceMs()
    return silenceMs === null ? null : this.#lastTime + silenceMs
  }
}

/** What the work gives, or null when the signal fires first. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | null> {
  const settled = new AbortController()
  const stopped = new Promise<null>((resolve) => {
    if (signal.aborted) resolve(null)
    else signal.addEventListener('abort', () => resolve(null), { once: true, signal: settled.signal })
  })
  try {
    return await Promise.race([work, stopped])
  } finally {
    settled.abort()
  }
}

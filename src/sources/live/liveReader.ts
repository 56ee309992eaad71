import type { Clock } from '../../runtime/clock.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { FeedTrouble } from '../../runtime/log/feed.ts'
import type { FrameBatch, FrameProgress, FrameReader, FrameReadOptions } from '../market/frameFeed.ts'
import type { AddressLimits } from './addressLimits.ts'
import { AwaitedFill } from './awaitedFill.ts'
import { BelievedTime } from './believedTime.ts'
import { CatchUp } from './catchUp.ts'
import { ConnectionGroup } from './connectionGroup.ts'
import type { ExchangeDialect } from './exchangeDialect.ts'
import { GapFill } from './gapFill.ts'
import { GapPossible, Inbox } from './inbox.ts'
import { LateFill } from './lateFill.ts'
import { Listing } from './listing.ts'
import { newLiveCounts } from './liveCounts.ts'
import type { LiveLimits } from './liveLimits.ts'
import { formatLivePosition, type LivePosition } from './livePosition.ts'
import { MissingTrades } from './missingTrades.ts'
import { NewestTold } from './newestTold.ts'
import { isSuspected, OpenGaps } from './openGaps.ts'
import { Sequencer } from './sequencer.ts'
import { SymbolStates } from './symbolStates.ts'
import type { TradesRest } from './tradesRest.ts'
import { Troubles } from './troubles.ts'

export interface LiveReaderOptions {
  readonly dialect: ExchangeDialect
  /** To begin with; `take` takes others. */
  readonly symbols: readonly string[]
  /** Those of a list that are this reader's own. */
  readonly partOf: (symbols: readonly string[]) => readonly string[]
  readonly timeUnit: 'ms' | 'us'
  readonly limits: LiveLimits
  /** One that goes on evenly, whatever is done to the time of the machine. */
  readonly clock: Clock
  readonly rest: TradesRest
  readonly address: AddressLimits
  readonly streamsPerConnection: number
  /** True where invented prices are what was asked for. */
  readonly isSimulated: boolean
  readonly onNotice: (notice: string) => void
  readonly jitter: () => number
}

const quietEveryMs = 250

/**
 * Puts what the sockets and REST bring into one order: for each symbol by id, each id once, and behind that what is fetched later for gaps that the stream has gone on
 * without. All of it happens while somebody reads, so the position is always that of the frames handed over.
 *
 * Keeps the inbox, a page of each fill, a state a symbol and the open gaps.
 */
export class LiveReader implements FrameReader {
  readonly #options: LiveReaderOptions
  readonly #inbox: Inbox
  readonly #connections: ConnectionGroup
  readonly #late: LateFill
  readonly #gaps: OpenGaps
  readonly #missing: MissingTrades
  readonly #newestTold: NewestTold
  readonly #sequencer: Sequencer
  readonly #listing: Listing
  readonly #troubles: Troubles
  readonly #closed = new AbortController()
  readonly #states: SymbolStates
  readonly #awaited = new AwaitedFill()
  readonly #counts = newLiveCounts()
  #misfit: string | null = null
  #frames: number
  #quietAt = Number.NEGATIVE_INFINITY

  constructor(options: LiveReaderOptions, position: LivePosition | null) {
    const { dialect, clock, limits, symbols, rest, address, isSimulated, onNotice } = options
    const { jitter, streamsPerConnection } = options
    const { signal } = this.#closed
    const awaited = this.#awaited
    const counts = this.#counts
    this.#options = options
    this.#frames = position?.frames ?? 0
    const time = new BelievedTime(options.timeUnit, clock)
    const states = new SymbolStates(symbols, position, clock)
    const gaps = new OpenGaps(dialect.market, position?.gaps ?? [], limits.maxGaps)
    const inbox = new Inbox({
      maxBytes: limits.maxHeldBytes,
      onFull: () => this.#connections.pause(),
      onRoom: () => this.#connections.resume(),
    })
    this.#states = states
    this.#gaps = gaps
    this.#inbox = inbox
    this.#connections = new ConnectionGroup(
      {
        ...{ urls: dialect.urls, talk: dialect.talk, streamsOf: (symbol) => dialect.streamsOf(symbol) },
        ...{ clock, limits, address, isSimulated, jitter, onNotice, streamsPerConnection },
        onMisfit: (why) => this.#refuse(why),
        onFrame: (frame) => inbox.push(frame),
        onGapPossible: (some) => inbox.push(new GapPossible(some)),
      },
      symbols,
    )
    const fill = new GapFill({
      dialect,
      rest,
      clock,
      deadlineMs: limits.fillDeadlineMs,
      maxTrades: limits.maxFillTrades,
      signal,
      onTrouble: (what) => onNotice(`filling a gap: ${what}`),
    })
    this.#late = new LateFill({
      rest,
      clock,
      gaps: () => gaps.all,
      epochOf: (symbol) => states.get(symbol)?.epoch ?? 0,
      retryMs: limits.lateRetryMs,
      maxAgeMs: limits.maxGapAgeMs,
      signal,
      onPage: () => {
        fill.restAnswered()
        inbox.wake()
      },
      onAnswer: () => {
        fill.restAnswered()
        const some = gaps.all.filter(isSuspected).map(({ symbol }) => symbol)
        if (some.length > 0) inbox.push(new GapPossible(some))
      },
      onTrouble: (what) => onNotice(`filling an open gap: ${what}`),
    })
    const missing = new MissingTrades({
      ...{ dialect, clock, time, states, gaps, counts, onNotice },
      why: () => fill.why,
      onOpen: () => this.#late.wake(),
    })
    const shared = { dialect, clock, time, states, inbox, fill, awaited, missing, counts, onNotice }
    this.#missing = missing
    this.#newestTold = new NewestTold({
      ...shared,
      ...{ limits, gaps },
      keeperOf: (symbol) => this.#connections.keeperOf(symbol),
    })
    this.#sequencer = new Sequencer({
      ...shared,
      newestTold: this.#newestTold,
      catchUp: new CatchUp({ ...shared, rest, signal }),
    })
    this.#listing = new Listing({
      rest,
      clock,
      symbols: () => states.symbols,
      everyMs: limits.statusEveryMs,
      signal,
      onStatus: (symbol, isTrading, status) => this.#onStatus(symbol, isTrading, status),
      onNotice,
    })
    this.#troubles = new Troubles({
      clock,
      address,
      keepers: () => this.#connections.keepers,
      states: () => states.all,
      gaps: () => gaps.all,
      late: this.#late,
      limits,
      filling: () => (awaited.now === null ? null : { ...awaited.now, why: fill.trouble }),
    })
  }

  get provesQuietOf(): readonly string[] {
    return this.#states.symbols
  }

  /** Those that stay miss nothing; one that was taken before goes on behind its last trade. */
  take(all: readonly string[]): void {
    const symbols = this.#options.partOf(all)
    const added = this.#states.take(symbols)
    this.#connections.take(symbols)
    if (added.length > 0) this.#listing.lookAgain()
  }

  /** Begins to listen. Throws `ConfigurationError` on symbols that the exchange does not have. */
  async start(): Promise<void> {
    await this.#listing.start()
    this.#connections.start()
    if (this.#options.dialect.hasContiguousIds) this.#late.start()
  }

  async read({ maxFrames, maxBytes, lingerMs, signal }: FrameReadOptions): Promise<FrameBatch> {
    const { clock, limits } = this.#options
    const sequencer = this.#sequencer
    if (sequencer.isIdle && !this.#late.hasPage) {
      await this.#inbox.wait(limits.idleReadMs, clock, signal)
      if (!this.#inbox.isEmpty && lingerMs > 0) await clock.sleep(lingerMs, signal)
    }
    if (this.#misfit !== null) throw new ConfigurationError(this.#misfit)
    const frames: Buffer[] = []
    let bytes = 0
    const take = (frame: Buffer) => {
      frames.push(frame)
      bytes += frame.length
    }
    this.#newestTold.lookForStalls()
    while (frames.length < maxFrames && bytes < maxBytes && !sequencer.isIdle) {
      const step = sequencer.next(signal)
      const frame = step instanceof Promise ? await step : step
      if (frame !== null) take(frame)
      else if (signal.aborted) break
      // What is there goes out before the next page of a fill is waited for.
      if (sequencer.isWaiting && frames.length > 0) break
    }
    // What is fetched later takes a page at a time: the stream goes before.
    if (this.#awaited.now === null && bytes < maxBytes) {
      const page = this.#late.take()
      if (page !== null) for (const frame of this.#missing.takeLate(page)) take(frame)
    }
    this.#counts.frames += frames.length
    this.#frames += frames.length
    return { frames, position: this.#position(), quietThrough: null, ...this.#quiet() }
  }

  progress(): FrameProgress {
    const { keepers, reconnects } = this.#connections
    const lost = keepers.find(({ waitingFor }) => waitingFor !== null)
    const filling = this.#awaited.now === null ? null : 'REST, to fill a gap'
    return {
      bytesDone: null,
      bytesTotal: null,
      waitingFor: lost?.waitingFor ?? filling,
      counts: { ...this.#counts, openGaps: this.#gaps.all.length, reconnects },
      troubles: this.troubles(),
    }
  }

  /** What is wrong, and since when. */
  troubles(): readonly FeedTrouble[] {
    return this.#troubles.now()
  }

  async close(): Promise<void> {
    this.#closed.abort()
    await Promise.all([this.#connections.close(), this.#late.close(), this.#listing.close()])
  }

  #refuse(why: string): void {
    this.#misfit = why
    this.#inbox.wake()
  }

  #position(): string {
    return formatLivePosition(this.#options.dialect.market, {
      frames: this.#frames,
      symbols: this.#states.places,
      gaps: this.#gaps.all,
    })
  }

  #onStatus(symbol: string, isTrading: boolean, status: string): void {
    const state = this.#states.get(symbol)
    if (state === undefined || state.isTrading === isTrading) return
    state.isTrading = isTrading
    this.#options.onNotice(
      isTrading
        ? `${symbol} is traded again`
        : `${symbol} is not traded at present (${status}): no trades of it will come`,
    )
  }

  #quiet(): Pick<FrameBatch, 'quiet'> {
    const now = this.#options.clock.now()
    if (now < this.#quietAt + quietEveryMs || this.#awaited.now !== null) return {}
    this.#quietAt = now
    return { quiet: this.#states.quiet }
  }
}

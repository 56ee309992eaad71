import { earliestTradeMs } from '../../market/timeUnit.ts'
import type { Clock } from '../../runtime/clock.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { FeedTrouble } from '../../runtime/log/feed.ts'
import { EventTimeTracker } from '../market/eventTimeTracker.ts'
import type { FrameBatch, FrameProgress, FrameReader, FrameReadOptions } from '../market/frameFeed.ts'
import { newFramePeek } from '../market/peekFrame.ts'
import type { AddressLimits } from './addressLimits.ts'
import { ConnectionGroup } from './connectionGroup.ts'
import type { ExchangeDialect } from './exchangeDialect.ts'
import { GapFill, type Missed, type Pages, type SequencedFrame } from './gapFill.ts'
import { GapPossible, Inbox } from './inbox.ts'
import { LateFill } from './lateFill.ts'
import { Listing } from './listing.ts'
import type { LiveLimits } from './liveLimits.ts'
import { formatLivePosition, type LivePosition } from './livePosition.ts'
import { markedFrame } from './markedFrame.ts'
import { isSuspected, type OpenGap, OpenGaps } from './openGaps.ts'
import { SymbolState } from './symbolState.ts'
import type { TradesRest } from './tradesRest.ts'
import { Troubles } from './troubles.ts'
import { unlessAborted } from './unlessAborted.ts'

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

/** More trades than the busiest symbol has in days. */
const maxLeap = 10_000_000
/** So many trades must agree before ids count as started again. */
const restartWitnesses = 3
const quietEveryMs = 250
/** Where the time of the newest trade is not known, a gap may reach back so far. */
const unknownReachMs = 86_400_000
/** How far the clocks of the exchange and of the feed may be apart, where no trade tells the time. */
const clockMarginMs = 60_000

/** What is being fetched while everything waits, and what is to be done when it has come. */
interface Filling {
  readonly symbols: readonly string[]
  /** ms by the clock. */
  readonly since: number
  readonly pages: Pages
  readonly end: () => void
}

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
  readonly #fill: GapFill
  readonly #late: LateFill
  readonly #gaps: OpenGaps
  readonly #listing: Listing
  readonly #troubles: Troubles
  readonly #closed = new AbortController()
  readonly #states = new Map<string, SymbolState>()
  readonly #peek = newFramePeek()
  /** Which times of the exchange are to be believed. */
  readonly #time = new EventTimeTracker()
  readonly #perMs: number
  #symbols: readonly string[]
  #misfit: string | null = null
  #filling: Filling | null = null
  /** What goes out before the inbox is looked at again. */
  #ready: SequencedFrame[] = []
  /** Words on gaps, which go out first. */
  #words: Buffer[] = []
  #page: Promise<IteratorResult<SequencedFrame[], void>> | null = null
  #frames: number
  #quietAt = Number.NEGATIVE_INFINITY
  #counts = { frames: 0, duplicates: 0, gaps: 0, filled: 0, filledLate: 0, missing: 0, restarts: 0, otherFrames: 0 }

  constructor(options: LiveReaderOptions, position: LivePosition | null) {
    const { dialect, clock, limits, symbols, rest, onNotice } = options
    this.#options = options
    this.#perMs = options.timeUnit === 'us' ? 1_000 : 1
    this.#frames = position?.frames ?? 0
    this.#symbols = symbols
    // Those that are not read now keep their place for when they are again.
    for (const symbol of new Set([...symbols, ...(position?.symbols.keys() ?? [])])) {
      this.#states.set(symbol, new SymbolState(symbol, position?.symbols.get(symbol), clock.now()))
    }
    for (const { symbol, epoch, lastId, toTime } of position?.gaps ?? []) {
      const state = this.#states.get(symbol)
      if (state?.epoch === epoch && state.lastId !== null) state.leaveOpen(Math.max(state.lastId, lastId), toTime)
    }
    this.#gaps = new OpenGaps(dialect.market, position?.gaps ?? [], limits.maxGaps)
    this.#inbox = new Inbox({
      maxBytes: limits.maxHeldBytes,
      onFull: () => this.#connections.pause(),
      onRoom: () => this.#connections.resume(),
    })
    const { address, jitter, streamsPerConnection, isSimulated } = options
    this.#connections = new ConnectionGroup(
      {
        ...{ urls: dialect.urls, talk: dialect.talk, streamsOf: (symbol) => dialect.streamsOf(symbol) },
        ...{ clock, limits, address, isSimulated, jitter, onNotice, streamsPerConnection },
        onMisfit: (why) => this.#refuse(why),
        onFrame: (frame) => this.#inbox.push(frame),
        onGapPossible: (some) => this.#inbox.push(new GapPossible(some)),
      },
      symbols,
    )
    const { signal } = this.#closed
    this.#fill = new GapFill({
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
      gaps: () => this.#gaps.all,
      epochOf: (symbol) => this.#states.get(symbol)?.epoch ?? 0,
      retryMs: limits.lateRetryMs,
      maxAgeMs: limits.maxGapAgeMs,
      signal,
      onPage: () => {
        this.#fill.restAnswered()
        this.#inbox.wake()
      },
      onAnswer: () => {
        this.#fill.restAnswered()
        const some = this.#gaps.all.filter(isSuspected).map(({ symbol }) => symbol)
        if (some.length > 0) this.#inbox.push(new GapPossible(some))
      },
      onTrouble: (what) => onNotice(`filling an open gap: ${what}`),
    })
    this.#listing = new Listing({
      rest,
      clock,
      symbols: () => this.#symbols,
      everyMs: limits.statusEveryMs,
      signal,
      onStatus: (symbol, isTrading, status) => this.#onStatus(symbol, isTrading, status),
      onNotice,
    })
    this.#troubles = new Troubles({
      clock,
      address: options.address,
      keepers: () => this.#connections.keepers,
      states: () => this.#symbols.flatMap((symbol) => this.#states.get(symbol) ?? []),
      gaps: () => this.#gaps.all,
      late: this.#late,
      limits,
      filling: () => (this.#filling === null ? null : { ...this.#filling, why: this.#fill.trouble }),
    })
  }

  get provesQuietOf(): readonly string[] {
    return this.#symbols
  }

  /** Those that stay miss nothing; one that was taken before goes on behind its last trade. */
  take(all: readonly string[]): void {
    const symbols = this.#options.partOf(all)
    const before = new Set(this.#symbols)
    const added = symbols.filter((symbol) => !before.has(symbol))
    this.#symbols = symbols
    const now = this.#options.clock.now()
    for (const symbol of added) {
      const state = this.#states.get(symbol)
      if (state === undefined) this.#states.set(symbol, new SymbolState(symbol, undefined, now))
      else state.resume(now)
    }
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
    if (this.#isIdle() && !this.#late.hasPage) {
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
    this.#lookForStalls()
    while (frames.length < maxFrames && bytes < maxBytes && !this.#isIdle()) {
      const step = this.#words.shift() ?? this.#next(signal)
      // Most steps have nothing to wait for, and are not made to.
      const frame = step instanceof Promise ? await step : step
      if (frame !== null) take(frame)
      else if (signal.aborted) break
      // What is there goes out before the next page of a fill is waited for.
      if (this.#ready.length === 0 && this.#filling !== null && this.#words.length === 0 && frames.length > 0) break
    }
    // What is fetched later takes a page at a time: the stream goes before.
    if (this.#filling === null && bytes < maxBytes) for (const frame of this.#takeLate()) take(frame)
    this.#counts.frames += frames.length
    this.#frames += frames.length
    return { frames, position: this.#position(), quietThrough: null, ...this.#quiet() }
  }

  progress(): FrameProgress {
    const { keepers, reconnects } = this.#connections
    const lost = keepers.find(({ waitingFor }) => waitingFor !== null)
    const filling = this.#filling === null ? null : 'REST, to fill a gap'
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
    const places = new Map<string, NonNullable<SymbolState['place']>>()
    for (const [symbol, { place }] of this.#states) if (place !== null) places.set(symbol, place)
    return formatLivePosition(this.#options.dialect.market, {
      frames: this.#frames,
      symbols: places,
      gaps: this.#gaps.all,
    })
  }

  #isIdle(): boolean {
    return this.#words.length === 0 && this.#ready.length === 0 && this.#filling === null && this.#inbox.isEmpty
  }

  /** One step: a frame that goes out, or null after a step that gave none. */
  #next(signal: AbortSignal): Buffer | null | Promise<null> {
    const ready = this.#ready.shift()
    if (ready !== undefined) return this.#handOver(ready)
    if (this.#filling !== null) return this.#advanceFill(this.#filling, signal)
    const item = this.#inbox.shift()
    if (item === undefined) return null
    return item instanceof GapPossible ? this.#catchUp(item.symbols) : this.#receive(item)
  }

  async #advanceFill({ pages, end }: Filling, signal: AbortSignal): Promise<null> {
    // A stop does not wait for REST; the page is kept for a next read.
    this.#page ??= pages.next()
    const page = await unlessAborted(this.#page, signal)
    if (page === null) return null
    this.#page = null
    if (page.done === true) {
      this.#filling = null
      end()
    } else {
      this.#counts.filled += page.value.length
      this.#ready = [...page.value]
    }
    return null
  }

  #receive(frame: Buffer): Buffer | null {
    const peek = this.#peek
    this.#options.dialect.peek(frame, peek)
    if (peek.kind === 'other') {
      this.#hear(frame)
      return null
    }
    // A word of ours comes from nobody else.
    if (peek.kind === 'gap' || (peek.kind === 'trade' && peek.isFill)) {
      this.#counts.otherFrames++
      return null
    }
    // What nobody can read is for the ingest to judge.
    if (peek.kind === 'unreadable') return frame
    const { symbol, tradeId, tradeTime: time } = peek
    const state = this.#states.get(symbol)
    if (state === undefined) return frame
    state.heard(this.#options.clock.now())
    const trade = { symbol, tradeId, time, frame }
    const last = state.lastId
    if (last !== null && tradeId <= last) return this.#isBehind(state, trade)
    state.behind = []
    if (last !== null && !this.#isBelievable(state, last, tradeId)) return frame
    if (last === null || tradeId === last + 1 || !this.#options.dialect.hasContiguousIds) {
      this.#endSuspicion(state)
      return this.#handOver(trade)
    }
    this.#counts.gaps++
    const missed = { symbol, fromId: last + 1, toId: tradeId - 1 }
    this.#filling = {
      ...{ symbols: [symbol], since: this.#options.clock.now() },
      pages: this.#fill.between(missed),
      end: () => {
        this.#leaveOpen(state, missed.toId, this.#msOf(time))
        this.#ready = [trade]
      },
    }
    return null
  }

  /**
   * A trade that was handed over before, or one of ids that have started again: its id lies behind while its time goes on. Several must agree, each newer than the
   * one before.
   */
  #isBehind(state: SymbolState, trade: SequencedFrame): null {
    const time = this.#msOf(trade.time)
    const before = state.behind.at(-1)
    const isNewer =
      state.reach !== null && time > state.reach && (before === undefined || trade.tradeId > before.tradeId)
    if (!this.#options.dialect.hasContiguousIds || !isNewer) {
      this.#counts.duplicates++
      return null
    }
    state.behind.push(trade)
    if (state.behind.length < restartWitnesses) return null
    const witnesses = state.behind
    this.#restart(state, trade.tradeId)
    this.#ready = [...witnesses]
    // What lies between the first of the new ids and these is a gap like any other.
    state.lastId = (witnesses[0] as SequencedFrame).tradeId - 1
    return null
  }

  #restart(state: SymbolState, toId: number): void {
    const { onNotice, clock } = this.#options
    const last = state.lastId ?? -1
    const reason = `the ids of ${state.symbol} start again at or before ${toId}, behind ${last}`
    onNotice(`${reason}; they are taken as new ones from here on`)
    this.#counts.restarts++
    const time = state.lastTime ?? Math.floor(clock.now())
    const times = { fromTime: time, toTime: time, seenAt: clock.now() }
    const ids = { epoch: state.epoch, firstId: last + 1, lastId: last }
    this.#words.push(this.#gaps.restarted({ symbol: state.symbol, ...ids, ...times, reason }))
    state.restart()
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
  #handOver({ symbol, tradeId, time, frame }: SequencedFrame): Buffer | null {
    const state = this.#states.get(symbol)
    if (state === undefined) return frame
    if (state.lastId !== null && tradeId <= state.lastId) return null
    state.handOver(tradeId, this.#believed(this.#msOf(time), symbol, tradeId))
    return state.epoch === 0 ? frame : markedFrame(frame, `"epoch":${state.epoch}`)
  }

  /** The symbol's trades up to `toId` have not all come: the stream goes on without them. @param toTime ms UTC */
  #leaveOpen(state: SymbolState, toId: number, toTime: number): void {
    const firstId = (state.lastId ?? toId) + 1
    const missing = toId + 1 - firstId
    if (missing <= 0) {
      this.#endSuspicion(state)
      return
    }
    const { onNotice, clock } = this.#options
    this.#counts.missing += missing
    const range = missing === 1 ? `trade ${firstId}` : `trades ${firstId} to ${toId}`
    const reason = this.#fill.why === '' ? 'REST does not tell them yet' : this.#fill.why
    onNotice(`GAP: ${state.symbol} ${range} could not be had at once (${missing}): ${reason}. They are fetched later`)
    const times = { ...this.#spanTo(state, toTime), seenAt: clock.now() }
    const suspected = this.#gaps.suspectedOf(state)
    if (suspected?.firstId === firstId) {
      this.#words.push(...this.#gaps.learn(suspected, { lastId: toId, toTime: times.toTime, reason }))
    } else {
      this.#words.push(
        ...this.#gaps.open({ symbol: state.symbol, epoch: state.epoch, firstId, lastId: toId, ...times, reason }),
      )
      this.#endSuspicion(state)
    }
    state.leaveOpen(toId, times.toTime)
    this.#late.wake()
  }

  /** It is not known whether the symbol has missed any: windows must not end before it is. */
  #suspect(state: SymbolState): void {
    const { lastId, symbol, epoch } = state
    if (lastId === null) return
    const { clock } = this.#options
    const now = clock.now()
    const toTime = Math.floor(Math.max(now, this.#time.newest ?? now) + clockMarginMs)
    const reason = `whether trades are missing is not known: ${this.#fill.why}`
    const known = this.#gaps.suspectedOf(state)
    this.#words.push(
      ...(known === undefined
        ? this.#gaps.open({
            ...{ symbol, epoch, firstId: lastId + 1, lastId, reason, seenAt: now },
            ...this.#spanTo(state, toTime),
          })
        : this.#gaps.learn(known, { lastId, toTime, reason })),
    )
    this.#late.wake()
  }

  /** All up to the newest trade that was handed over is there. */
  #endSuspicion(state: SymbolState): void {
    const gap = this.#gaps.suspectedOf(state)
    if (gap === undefined) return
    const { lastId } = state
    const hasCome = lastId !== null && lastId >= gap.firstId
    const reason = hasCome ? 'what was missing has been fetched' : 'nothing was missing'
    this.#words.push(...this.#gaps.end(gap, hasCome ? 'filled' : 'absent', reason, this.#options.clock.now()))
  }

  /** The time that a gap of the symbol may reach over, whatever times were told. @param toTime ms UTC */
  #spanTo(state: SymbolState, toTime: number): Pick<OpenGap, 'fromTime' | 'toTime'> {
    const now = this.#options.clock.now()
    const latest = Math.floor(Math.max(now, this.#time.newest ?? now) + unknownReachMs)
    const to = Math.min(Math.max(toTime, earliestTradeMs), latest)
    return { fromTime: Math.max(earliestTradeMs, Math.min(state.lastTime ?? to - unknownReachMs, to)), toTime: to }
  }

  /** @param time ms UTC; null where it is not to be believed beside those before it: one absurd time must not be the newest for ever */
  #believed(time: number, symbol: string, id: number): number | null {
    return this.#time.stamp(time, symbol, id) === time ? time : null
  }

  /** What is fetched for open gaps, marked as such, and what it makes of them. */
  #takeLate(): readonly Buffer[] {
    const page = this.#late.take()
    if (page === null || !this.#gaps.all.includes(page.gap)) return []
    const { dialect, clock, onNotice } = this.#options
    const { symbol, epoch } = page.gap
    const mark = epoch === 0 ? '"fill":true' : `"fill":true,"epoch":${epoch}`
    const frames = page.trades.map((row) => markedFrame(dialect.tradeFrame(symbol, row), mark))
    this.#counts.filledLate += frames.length
    const gap = this.#gaps.advance(page.gap, page.next)
    const state = page.isOver ?? (page.next > gap.lastId ? 'filled' : null)
    if (state === null) return frames
    const reason = endTexts[state]
    this.#counts.missing -= state === 'lost' ? 0 : gap.lastId + 1 - gap.firstId
    onNotice(`gap of ${symbol}, trades ${gap.firstId} to ${gap.lastId}: ${reason}`)
    return [...frames, ...this.#gaps.end(gap, state, reason, clock.now())]
  }

  /** After a lost connection, or a start: what each known symbol has missed. Quiet ones too, for their next trade may be long in coming. */
  #catchUp(symbols: readonly string[]): null {
    const { dialect } = this.#options
    const known = symbols.flatMap((symbol) => {
      const state = this.#states.get(symbol)
      return state?.lastId == null ? [] : [state]
    })
    if (known.length === 0) return null
    const names = known.map(({ symbol }) => symbol)
    const since = this.#options.clock.now()
    if (!dialect.hasContiguousIds) {
      const missed = known.map(({ symbol, lastId }) => missedFrom(symbol, lastId, Number.POSITIVE_INFINITY))
      this.#filling = {
        symbols: names,
        since,
        pages: this.#fill.catchUp(missed, this.#fill.newDeadline()),
        end: () => undefined,
      }
      return null
    }
    const ends: (() => void)[] = []
    const end = () => {
      for (const one of ends) one()
    }
    this.#filling = { symbols: names, since, pages: this.#missedBy(known, ends), end }
    return null
  }

  /** What these have missed, as far as REST tells. @param ends gets what is to be done when it has come */
  async *#missedBy(known: readonly SymbolState[], ends: (() => void)[]): Pages {
    const deadline = this.#fill.newDeadline()
    const days = await this.#fill.days(
      known.map(({ symbol }) => symbol),
      deadline,
    )
    if (days === null && !this.#closed.signal.aborted) {
      this.#options.onNotice(`what was missed could not be asked: ${this.#fill.why}`)
    }
    const missed: Missed[] = []
    for (const state of known) {
      const day = days?.get(state.symbol)
      if (day === undefined) {
        if (state.isTrading) ends.push(() => this.#suspect(state))
        continue
      }
      if (day.lastId >= 0 && day.lastId < (state.lastId ?? -1)) await this.#askRestart(state)
      if (day.lastId > (state.lastId ?? -1)) missed.push(missedFrom(state.symbol, state.lastId, day.lastId))
      ends.push(() => this.#leaveOpen(state, day.lastId, this.#msOf(day.closeTime)))
    }
    this.#counts.gaps += missed.length
    yield* this.#fill.catchUp(missed, deadline)
  }

  /** The newest id lies behind: either REST is behind, or the ids have started again, which the time of the trade tells. */
  async #askRestart(state: SymbolState): Promise<void> {
    const answer = await this.#options.rest.recent(state.symbol, 1, this.#closed.signal)
    const newest = 'trades' in answer ? answer.trades.at(-1) : undefined
    if (newest === undefined || state.lastId === null || state.reach === null) return
    if (newest.id < state.lastId && this.#msOf(newest.time) > state.reach) this.#restart(state, newest.id)
  }

  /** What an exchange's frame of another kind says of a symbol's newest trade. */
  #hear(frame: Buffer): void {
    const proof = this.#options.dialect.newestOf(frame)
    const state = proof === null ? undefined : this.#states.get(proof.symbol)
    if (proof === null || state === undefined) {
      this.#counts.otherFrames++
      return
    }
    const now = this.#options.clock.now()
    state.heard(now)
    const through = this.#believed(this.#msOf(proof.through), proof.symbol, proof.through)
    // The next one comes within seconds.
    if (through === null || (state.lastId !== null && proof.lastId - state.lastId > maxLeap)) return
    state.hear({ lastId: proof.lastId, through, heardAt: now })
    if (proof.lastId === state.lastId) this.#endSuspicion(state)
  }

  /** A trade that the exchange has named and not brought is missing, and its stream has stalled. */
  #lookForStalls(): void {
    const { clock, limits, dialect } = this.#options
    const now = clock.now()
    for (const symbol of this.#symbols) {
      const state = this.#states.get(symbol)
      if (state === undefined || !state.isTrading) continue
      const keeper = this.#connections.keeperOf(symbol)
      const allowedMs = state.silenceAllowedMs(limits.busyStallMs, limits.symbolStallMs)
      if (now - state.heardAt > allowedMs && keeper?.waitingFor === null) {
        keeper.replace(`nothing of ${symbol} for ${Math.round((now - state.heardAt) / 1_000)} s`)
      }
      const { pending } = state
      if (pending === null || now - pending.heardAt < limits.proofGraceMs || this.#filling !== null) continue
      // Trades that have been received and not yet looked at are not missing.
      if (!this.#inbox.isEmpty || !dialect.hasContiguousIds) continue
      // Where it is not known what was missed, this is no stall but the answer.
      if (this.#gaps.suspectedOf(state) === undefined)
        keeper?.replace(`trade ${pending.lastId} of ${symbol}, which the exchange has named, did not come`)
      this.#counts.gaps++
      const missed = missedFrom(symbol, state.lastId, pending.lastId)
      this.#filling = {
        ...{ symbols: [symbol], since: now },
        pages: this.#fill.between(missed),
        end: () => {
          this.#leaveOpen(state, pending.lastId, pending.through)
          if (state.pending === pending) state.pending = null
        },
      }
    }
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
    if (now < this.#quietAt + quietEveryMs || this.#filling !== null) return {}
    this.#quietAt = now
    const quiet = new Map<string, number>()
    for (const symbol of this.#symbols) {
      const state = this.#states.get(symbol)
      if (state?.isTrading === false) quiet.set(symbol, Number.POSITIVE_INFINITY)
      else if (state?.proven != null) quiet.set(symbol, state.proven)
    }
    return { quiet }
  }

  #msOf(time: number): number {
    return Math.floor(time / this.#perMs)
  }
}

const endTexts = {
  filled: 'filled',
  absent: 'the exchange does not have them',
  lost: 'they cannot be had any more',
} as const satisfies Partial<Record<string, string>>

function missedFrom(symbol: string, lastId: OpenGap['lastId'] | null, toId: number): Missed {
  return { symbol, fromId: (lastId ?? -1) + 1, toId }
}

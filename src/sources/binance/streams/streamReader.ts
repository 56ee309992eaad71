import { receivedHeader } from '../../../market/streams/receivedAt.ts'
import type { Clock } from '../../../runtime/clock.ts'
import { ConfigurationError } from '../../../runtime/errors.ts'
import type {
  FeedBatch,
  FeedProgress,
  FeedReader,
  FeedReadOptions,
  FeedTarget,
  FeedTrouble,
} from '../../../runtime/log/feed.ts'
import type { OutgoingRecord } from '../../../runtime/log/log.ts'
import type { RecordHeader } from '../../../runtime/log/record.ts'
import type { AddressLimits } from '../../live/addressLimits.ts'
import { ConnectionGroup } from '../../live/connectionGroup.ts'
import { GapPossible, Inbox } from '../../live/inbox.ts'
import type { LiveLimits } from '../../live/liveLimits.ts'
import { unlessAborted } from '../../live/unlessAborted.ts'
import { cutFrame, defaultMaxFrameBytes } from '../../market/cutFrame.ts'
import { EventTimeTracker } from '../../market/eventTimeTracker.ts'
import { binanceTalk } from '../binanceDialect.ts'
import type { BinanceHosts, BinanceMarket, MarketRules } from '../endpoints.ts'
import type { RestTrades } from '../restTrades.ts'
import { AggTradeFill } from './aggTradeFill.ts'
import { type OtherKind, readStreamFrame } from './streamFrame.ts'
import { formatStreamPosition, type StreamPosition } from './streamPosition.ts'
import { type HeldFrame, type StreamMark, StreamState } from './streamState.ts'
import { streamTroubles } from './streamTroubles.ts'

export interface StreamReaderOptions {
  readonly market: BinanceMarket
  readonly kind: OtherKind
  readonly rules: MarketRules
  /** To begin with; `take` takes others: `btcusdt@kline_1m`. */
  readonly streams: readonly string[]
  /** Those of a list that are this reader's own. */
  readonly partOf: (streams: readonly string[]) => readonly string[]
  readonly target: FeedTarget
  readonly timeUnit: 'ms' | 'us'
  readonly hosts: BinanceHosts
  readonly limits: LiveLimits
  /** One that goes on evenly, whatever is done to the time of the machine. */
  readonly clock: Clock
  readonly rest: RestTrades
  readonly address: AddressLimits
  readonly streamsPerConnection: number
  /** True where invented prices are what was asked for. */
  readonly isSimulated: boolean
  readonly onNotice: (notice: string) => void
  readonly jitter: () => number
}

interface Filling {
  readonly pages: AsyncGenerator<readonly HeldFrame[], string | null, undefined>
  readonly symbol: string
  readonly toId: number
  /** The one behind the hole. */
  readonly following: HeldFrame
}

/**
 * The frames of one kind of stream, each once and in the order of its stream, as records.
 *
 * Keeps the inbox, a mark a stream, and a page while aggregates are fetched.
 */
export class StreamReader implements FeedReader {
  readonly #options: StreamReaderOptions
  readonly #inbox: Inbox
  readonly #connections: ConnectionGroup
  readonly #fill: AggTradeFill
  readonly #closed = new AbortController()
  readonly #states = new Map<string, StreamState>()
  readonly #keys = new Map<string, { readonly key: Buffer; readonly partition: number }>()
  readonly #perMs: number
  #streams: readonly string[]
  #wanted: ReadonlySet<string>
  #misfit: string | null = null
  #filling: Filling | null = null
  #page: Promise<IteratorResult<readonly HeldFrame[], string | null>> | null = null
  /** What goes out before the inbox is looked at again. */
  #ready: HeldFrame[] = []
  #received: { readonly at: number; readonly headers: readonly RecordHeader[] } = { at: -1, headers: [] }
  #frames: number
  /** Which times of the exchange are to be believed. */
  readonly #time = new EventTimeTracker()
  #newest: number | null = null
  #counts = { frames: 0, duplicates: 0, gaps: 0, filled: 0, missing: 0, restarts: 0, unreadable: 0, otherStreams: 0 }

  constructor(options: StreamReaderOptions, position: StreamPosition | null) {
    const { clock, limits, streams, rest, hosts, timeUnit, address, jitter, onNotice } = options
    const { streamsPerConnection, isSimulated } = options
    this.#options = options
    this.#perMs = timeUnit === 'us' ? 1_000 : 1
    this.#frames = position?.frames ?? 0
    this.#streams = streams
    this.#wanted = new Set(streams)
    for (const stream of new Set([...streams, ...(position?.marks.keys() ?? [])])) {
      this.#states.set(stream, new StreamState(position?.marks.get(stream) ?? null, clock.now()))
    }
    this.#inbox = new Inbox({
      maxBytes: limits.maxHeldBytes,
      onFull: () => this.#connections.pause(),
      onRoom: () => this.#connections.resume(),
    })
    this.#connections = new ConnectionGroup(
      {
        talk: binanceTalk,
        urls: hosts.streams.map((url) => `${url}/stream${timeUnit === 'us' ? '?timeUnit=MICROSECOND' : ''}`),
        ...{ clock, limits, address, isSimulated, jitter, onNotice, streamsPerConnection },
        onMisfit: (why) => this.#refuse(why),
        streamsOf: (stream) => [stream],
        onFrame: (frame) => this.#inbox.push(frame),
        // Each stream's next frame tells what it has missed, where that can be told.
        onGapPossible: () => undefined,
      },
      streams,
    )
    this.#fill = new AggTradeFill({
      ...{ rest, clock, signal: this.#closed.signal },
      waitMs: limits.aggWaitMs,
      maxRows: limits.maxAggFill,
      onTrouble: (what) => onNotice(`fetching aggregates: ${what}`),
    })
  }

  start(): void {
    this.#connections.start()
  }

  /** Those that stay miss nothing. */
  take(all: readonly string[]): void {
    const streams = this.#options.partOf(all)
    const now = this.#options.clock.now()
    for (const stream of streams) {
      if (this.#wanted.has(stream)) continue
      // What was heard before is no word on its rhythm now.
      this.#states.set(stream, new StreamState(this.#states.get(stream)?.mark ?? null, now))
    }
    this.#streams = streams
    this.#wanted = new Set(streams)
    this.#connections.take(streams)
  }

  async read({ maxRecords, maxBytes, lingerMs, signal }: FeedReadOptions): Promise<FeedBatch> {
    const { clock, limits } = this.#options
    if (this.#isIdle()) {
      await this.#inbox.wait(limits.idleReadMs, clock, signal)
      if (!this.#inbox.isEmpty && lingerMs > 0) await clock.sleep(lingerMs, signal)
    }
    if (this.#misfit !== null) throw new ConfigurationError(this.#misfit)
    this.#lookForStalls()
    const records: OutgoingRecord[] = []
    let bytes = 0
    const now = clock.now()
    while (records.length < maxRecords && bytes < maxBytes && !this.#isIdle()) {
      const held = this.#ready.shift()
      if (held !== undefined) bytes += this.#handOver(held, now, records)
      else if (this.#filling !== null) {
        // What is there goes out before the next page is waited for.
        if (records.length > 0) break
        if (!(await this.#advanceFill(this.#filling, signal))) break
      } else {
        const item = this.#inbox.shift()
        if (item !== undefined && !(item instanceof GapPossible)) bytes += this.#receive(item, now, records)
      }
    }
    this.#frames += records.length
    return { records, position: this.#position() }
  }

  progress(): FeedProgress {
    const lost = this.#connections.keepers.find(({ waitingFor }) => waitingFor !== null)
    return {
      bytesDone: null,
      bytesTotal: null,
      waitingFor: lost?.waitingFor ?? (this.#filling === null ? null : 'REST, to fetch aggregates'),
      counts: { ...this.#counts, reconnects: this.#connections.reconnects },
      newestTime: this.#newest,
      troubles: this.troubles(),
    }
  }

  /** What is wrong, and since when. */
  troubles(): readonly FeedTrouble[] {
    return streamTroubles({
      keepers: this.#connections.keepers,
      states: this.#streams.map((stream) => [stream, this.#states.get(stream)] as const),
      waiting: this.#fill.waiting,
      now: this.#options.clock.now(),
      isSilent: (state, now) => this.#isSilent(state, now),
    })
  }

  async close(): Promise<void> {
    this.#closed.abort()
    await this.#connections.close()
    if (this.#page !== null) await this.#page
  }

  #refuse(why: string): void {
    this.#misfit = why
    this.#inbox.wake()
  }

  #isIdle(): boolean {
    return this.#ready.length === 0 && this.#filling === null && this.#inbox.isEmpty
  }

  #receive(frame: Buffer, now: number, out: OutgoingRecord[]): number {
    const { kind } = this.#options
    if (frame.length > defaultMaxFrameBytes)
      return this.#setAside(cutFrame(frame, frame.length, defaultMaxFrameBytes), now, out)
    const facts = readStreamFrame(frame, kind)
    // What nobody can read is for the decoder to judge.
    if (facts === null) return this.#setAside(frame, now, out)
    const state = facts === 'other' ? undefined : this.#states.get(facts.stream)
    if (facts === 'other' || state === undefined || !this.#wanted.has(facts.stream)) {
      this.#counts.otherStreams++
      return 0
    }
    state.heard(now)
    const held = { frame, facts }
    if (!state.isBehind(facts)) return this.#sequence(held, state, now, out)
    const again = state.beginAgain(held, now)
    if (again === null) {
      this.#counts.duplicates++
      return 0
    }
    this.#counts.restarts++
    this.#options.onNotice(`${facts.stream} begins again at ${again[0]?.facts.order}; it is taken as new from here on`)
    this.#ready.push(...again)
    return 0
  }

  #sequence(held: HeldFrame, state: StreamState, now: number, out: OutgoingRecord[]): number {
    const { firstId, symbol, stream } = held.facts
    const last = state.mark?.[0]
    if (firstId === null || last === undefined || firstId <= last + 1 || !this.#options.rules.hasContiguousIds) {
      return this.#handOver(held, now, out)
    }
    this.#counts.gaps++
    if (firstId - last > maxLeap) {
      this.#options.onNotice(
        `${stream} leaps from ${last} to ${firstId}: nothing is fetched for that, and nothing counted as missing`,
      )
      return this.#handOver(held, now, out)
    }
    if (this.#options.kind === 'aggTrade') {
      const missed = { symbol, fromId: last + 1, toId: firstId - 1 }
      this.#filling = { pages: this.#fill.between(missed), symbol, toId: missed.toId, following: held }
      return 0
    }
    this.#counts.missing += firstId - 1 - last
    this.#options.onNotice(`GAP: ${stream} ${last + 1} to ${firstId - 1} did not come; the book needs a snapshot`)
    return this.#handOver(held, now, out)
  }

  /** False where a stop has come first. */
  async #advanceFill({ pages, symbol, toId, following }: Filling, signal: AbortSignal): Promise<boolean> {
    this.#page ??= pages.next()
    const page = await unlessAborted(this.#page, signal)
    if (page === null) return false
    this.#page = null
    if (page.done !== true) {
      this.#counts.filled += page.value.length
      this.#ready.push(...page.value)
      return true
    }
    this.#filling = null
    this.#ready.push(following)
    const stream = `${symbol.toLowerCase()}@aggTrade`
    const next = (this.#states.get(stream)?.mark?.[0] ?? toId) + 1
    if (page.value !== null && next <= toId) {
      this.#counts.missing += toId + 1 - next
      this.#options.onNotice(`GAP: ${stream} ${next} to ${toId} could not be had: ${page.value}`)
    }
    return true
  }

  #handOver({ frame, facts }: HeldFrame, now: number, out: OutgoingRecord[]): number {
    const { stream, symbol, time } = facts
    const state = this.#states.get(stream)
    // A page of REST may reach into what the stream has brought.
    if (state === undefined || state.isBehind(facts)) return 0
    const told = time === null ? now : Math.floor(time / this.#perMs)
    const stamped = this.#time.stamp(told, stream, facts.order)
    state.handOver(facts, now, stamped === told)
    // Before anything was believed.
    const timestamp = stamped < 0 ? now : stamped
    if (this.#newest === null || timestamp > this.#newest) this.#newest = timestamp
    this.#counts.frames++
    out.push({ ...this.#placeOf(symbol), timestamp, value: frame, headers: this.#headersAt(now) })
    return frame.length
  }

  #setAside(value: Buffer, now: number, out: OutgoingRecord[]): number {
    this.#counts.unreadable++
    out.push({ partition: 0, timestamp: this.#newest ?? now, key: null, value, headers: this.#headersAt(now) })
    return value.length
  }

  #headersAt(now: number): readonly RecordHeader[] {
    if (this.#received.at !== now) {
      this.#received = { at: now, headers: [{ key: receivedHeader, value: Buffer.from(String(now)) }] }
    }
    return this.#received.headers
  }

  #placeOf(symbol: string): { readonly key: Buffer; readonly partition: number } {
    let place = this.#keys.get(symbol)
    if (place === undefined) {
      const key = Buffer.from(symbol)
      place = { key, partition: this.#options.target.partitionOf(key) }
      this.#keys.set(symbol, place)
    }
    return place
  }

  /** A stream that is silent for longer than is its way has stalled, or is of a symbol that rests: its connection is replaced now and then. */
  #lookForStalls(): void {
    const now = this.#options.clock.now()
    for (const stream of this.#streams) {
      const state = this.#states.get(stream)
      const keeper = this.#connections.keeperOf(stream)
      if (state === undefined || keeper?.waitingFor !== null || !this.#isSilent(state, now)) continue
      keeper.replace(`nothing of ${stream} for ${Math.round((now - state.heardAt) / 1_000)} s`)
    }
  }

  #isSilent({ heardAt, meanGapMs }: StreamState, now: number): boolean {
    return now - heardAt > Math.max(this.#options.limits.symbolStallMs, gapsUntilSilent * (meanGapMs ?? 0))
  }

  #position(): string {
    const marks = new Map<string, StreamMark>()
    for (const [stream, { mark }] of this.#states) if (mark !== null) marks.set(stream, mark)
    return formatStreamPosition(this.#options.market, this.#options.kind, { frames: this.#frames, marks })
  }
}

const gapsUntilSilent = 20
/** More than the busiest symbol has in days. */
const maxLeap = 10_000_000

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { type Clock, systemClock } from '../../runtime/clock.ts'
import { inventedHeader, inventedValue } from '../../sources/live/inventedPrices.ts'
import { Random } from '../random.ts'
import { type ExchangeFaults, type ExchangeRefusal, noExchangeFaults, Refusals } from './exchangeFaults.ts'
import { type ExchangeTrade, type ExchangeTradeOptions, SymbolTrades } from './exchangeTrades.ts'
import { type ExchangeWords, exchangeWords, type SpokenExchange } from './exchangeWords.ts'
import { type Kline, klineIntervals, klinesOf } from './klines.ts'
import { type ExchangeLimits, RequestLimits, realLimits } from './requestLimits.ts'
import { StreamClient } from './streamClient.ts'
import * as payloads from './streamPayloads.ts'

/** What a simulated exchange lists and where it begins. */
export interface SimulatedExchangeOptions {
  /** Id of each symbol's first trade, from 0. 1 unless told. */
  readonly firstId?: number
  /** ms UTC of the first trades. 2024-08-09T00:00:00Z unless told. */
  readonly startMs?: number
  /** Listed from the beginning; others are listed with their first trade. BTCUSDT, ETHUSDT and BNBUSDT unless told. */
  readonly symbols?: readonly string[]
  /** What chance decides: disorder. 1 unless told; not a count but a seed. */
  readonly seed?: number | string
  /** The limits that are kept; those of the real exchange unless told. */
  readonly limits?: Partial<ExchangeLimits>
  /** Whose WebSocket and REST it speaks; Binance's unless told. Of Coinbase's it has the trades, the heartbeats and the products. */
  readonly speaks?: SpokenExchange
  /** A host without `historicalTrades`, such as the real one for market data only. */
  readonly isDataOnly?: boolean
  /** Of limits, delays and event times; the system's unless told. */
  readonly clock?: Clock
  /** Port on 127.0.0.1, a number from 0; a free one unless told. */
  readonly port?: number
}

/**
 * An exchange on loopback that speaks Binance's WebSocket and REST, or Coinbase's (`speaks`), keeps its limits, and goes wrong in the ways its users report, on demand. With each answer and
 * handshake it says that its prices are invented.
 *
 * Everything it tells is computed from one list of trades, so stream and REST agree by construction, and so do `trades` and `klines`, which say what
 * a client should have made of it. Nothing happens by itself: each trade, silence and loss is a call (`trade`, `tick`, `faults`), or `SeededTrading` does
 * it by a seed.
 *
 * Keeps all trades, for ever: it is for tests. What a client was sent is gone with the server. Listens on 127.0.0.1 only.
 */
export class SimulatedExchange {
  /** What goes wrong; changed at any time. */
  readonly faults: ExchangeFaults = noExchangeFaults()
  /** Paths with query of all REST requests so far. */
  readonly requests: string[] = []
  /** URLs of all WebSocket connections that were taken so far. */
  readonly connections: string[] = []
  readonly #trades = new Map<string, SymbolTrades>()
  readonly #clients = new Set<StreamClient>()
  readonly #options: SimulatedExchangeOptions
  readonly #limits: ExchangeLimits
  readonly #clock: Clock
  readonly #random: Random
  readonly #budget: RequestLimits
  readonly #words: ExchangeWords
  readonly #restRefusals = new Refusals()
  readonly #handshakeRefusals = new Refusals()
  readonly #falseKlines = new Map<string, bigint>()
  readonly #server = createServer((request, response) => void this.#answer(request, response))
  readonly #sockets = new WebSocketServer({ noServer: true, autoPong: false, perMessageDeflate: false })
  readonly #closed = new AbortController()
  #held: Held[] | null = null
  #holdUntil = 0
  /** ms UTC of the newest trade or tick. */
  #marketTime = 0
  #waiters: { readonly isMet: () => boolean; readonly resolve: () => void }[] = []

  private constructor(options: SimulatedExchangeOptions) {
    this.#options = options
    this.#limits = { ...realLimits, ...options.limits }
    this.#clock = options.clock ?? systemClock
    this.#words = exchangeWords[options.speaks ?? 'binance']
    this.#random = new Random(options.seed ?? 1)
    this.#budget = new RequestLimits(this.#limits)
    for (const symbol of options.symbols ?? ['BTCUSDT', 'ETHUSDT', 'BNBUSDT']) this.#tradesOf(symbol)
    this.#sockets.on('headers', (headers) => headers.push(`${inventedHeader}: ${inventedValue}`))
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
  }

  /** Listens, and resolves with the exchange. */
  static async start(options: SimulatedExchangeOptions = {}): Promise<SimulatedExchange> {
    const exchange = new SimulatedExchange(options)
    await new Promise<void>((resolve, reject) => {
      exchange.#server.once('error', reject)
      exchange.#server.listen(options.port ?? 0, '127.0.0.1', resolve)
    })
    return exchange
  }

  /** Base of the streams, without a path: `ws://127.0.0.1:…`. */
  get streamUrl(): string {
    return `ws://127.0.0.1:${this.#port}`
  }

  /** Base of REST, without a path: `http://127.0.0.1:…`. */
  get restUrl(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** What is listed, delisted ones included. */
  get symbols(): readonly string[] {
    return [...this.#trades.keys()]
  }

  /** Makes the symbol's next trade, streams it to those subscribed, and gives its id, from 0. */
  trade(symbol: string, options: ExchangeTradeOptions = {}): number {
    const trades = this.#tradesOf(symbol)
    const made = trades.add(options)
    const last = made.at(-1) as ExchangeTrade
    this.#marketTime = Math.max(this.#marketTime, last.time)
    if (options.isMissed !== true && trades.isTrading) {
      const name = symbol.toLowerCase()
      for (const trade of made) {
        this.#stream(`${name}@trade`, last.time + 1, (time) => this.#words.trade(symbol, trade, time))
      }
      this.#stream(`${name}@aggTrade`, last.time + 1, (time) =>
        payloads.aggTradePayload(symbol, trades.order(last.orderId), time),
      )
      this.#stream(`${name}@bookTicker`, last.time + 1, () => payloads.bookTickerPayload(trades))
      for (const stream of [`${name}@depth`, `${name}@depth@100ms`]) {
        this.#stream(stream, last.time + 1, (time) => payloads.depthPayload(trades, time))
      }
    }
    return last.id
  }

  /** Streams a trade, as it is kept, once more. Throws where there is none of this id. */
  repeat(symbol: string, id: number): void {
    const trade = this.#tradesOf(symbol).byId(id)
    this.#stream(`${symbol.toLowerCase()}@trade`, trade.time + 1, (time) => this.#words.trade(symbol, trade, time))
  }

  /**
   * The exchange's time has come to `now` (ms UTC): tickers, candles and partial books go out to those subscribed, a candle whose interval has ended
   * first as closed.
   */
  tick(now: number): void {
    this.#marketTime = Math.max(this.#marketTime, now)
    for (const trades of this.#trades.values()) {
      if (!trades.isTrading) continue
      const name = trades.symbol.toLowerCase()
      for (const [interval, intervalMs] of Object.entries(klineIntervals)) {
        const stream = `${name}@kline_${interval}`
        if (now % intervalMs < 1_000)
          this.#stream(stream, now, (time) => payloads.klinePayload(trades, interval, true, time))
        this.#stream(stream, now, (time) => payloads.klinePayload(trades, interval, false, time))
      }
      this.#stream(`${name}@ticker`, now, (time) => this.#words.newest(trades, time))
      this.#stream(`${name}@miniTicker`, now, (time) => payloads.miniTickerPayload(trades, time))
      for (const limit of [5, 10, 20]) {
        for (const stream of [`${name}@depth${limit}`, `${name}@depth${limit}@100ms`]) {
          this.#stream(stream, now, () => payloads.partialDepthPayload(trades, limit))
        }
      }
    }
  }

  /** Streams any payload under a stream's name to those subscribed to it. */
  send(stream: string, payload: string): void {
    this.#stream(stream, 0, () => payload)
  }

  /** Streams text as it is to every connection. */
  sendRaw(text: string): void {
    for (const client of this.#clients) client.sendText(text)
  }

  /** Says that the server is about to go, as Binance does and Coinbase does not; the connections stay. */
  announceShutdown(): void {
    const words = this.#words.goodbye(this.#now)
    if (words !== null) this.sendRaw(words)
  }

  /** Cuts every connection without a goodbye. */
  dropConnections(): void {
    for (const client of this.#clients) client.terminate()
    this.#clients.clear()
    this.#notify()
  }

  /** Cuts the connection that was opened last, without a goodbye. */
  dropNewestConnection(): void {
    ;[...this.#clients].at(-1)?.terminate()
  }

  /** Cuts every connection in the middle of a frame. */
  cutInMidFrame(): void {
    for (const client of this.#clients) client.cutInMidFrame()
    this.#clients.clear()
    this.#notify()
  }

  /** Holds the next `count` payloads back and sends them in another order, which the seed decides. */
  disorder(count: number): void {
    this.#held = []
    this.#holdUntil = count
  }

  /** While silent the stream brings nothing, though trades go on and pings are answered; while deaf not even those. */
  fallSilent({ answersPings }: { readonly answersPings: boolean }): void {
    this.faults.isSilent = true
    this.faults.isDeaf = !answersPings
  }

  /** The end of `fallSilent`. */
  speakAgain(): void {
    this.faults.isSilent = false
    this.faults.isDeaf = false
  }

  /** The next REST requests are refused. */
  failRest(refusal: ExchangeRefusal): void {
    this.#restRefusals.add(refusal)
  }

  /** The next WebSocket handshakes are refused. */
  failHandshake(refusal: ExchangeRefusal): void {
    this.#handshakeRefusals.add(refusal)
  }

  /** Refusals that have not struck yet are forgotten. */
  forgetRefusals(): void {
    this.#restRefusals.clear()
    this.#handshakeRefusals.clear()
  }

  /** Somebody else at the same address has used so much weight in this minute, a count of weight units. */
  useWeight(weight: number): void {
    this.#budget.request(weight, this.#now)
  }

  /** The symbol's next trade has this id (from 0), and REST knows its older trades by id no more. */
  startIdsAgain(symbol: string, firstId = 1): void {
    this.#tradesOf(symbol).startIdsAgain(firstId)
  }

  /** Lists a symbol, or lists it again. */
  list(symbol: string): void {
    this.#tradesOf(symbol).isTrading = true
  }

  /** The symbol trades no more: exchangeInfo says `BREAK`, and nothing is streamed. */
  delist(symbol: string): void {
    this.#tradesOf(symbol).isTrading = false
  }

  /** REST tells this candle (any interval that opens at `openTime`, ms UTC) with so many counts of 1e-8 too much volume. */
  falsifyKline(symbol: string, openTime: number, byCount = 1): void {
    this.#falseKlines.set(`${symbol} ${openTime}`, BigInt(byCount))
  }

  /** Every trade of the symbol that happened, oldest first: what a client should have. */
  trades(symbol: string): readonly ExchangeTrade[] {
    return this.#tradesOf(symbol).all
  }

  /** The right candles of an interval such as `1m`, oldest first. Throws on an interval that the exchange does not have. */
  klines(symbol: string, interval: string): readonly Kline[] {
    const intervalMs = klineIntervals[interval]
    if (intervalMs === undefined) throw new RangeError(`SimulatedExchange: no interval ${interval}`)
    return klinesOf(this.#tradesOf(symbol).all, intervalMs)
  }

  /** How much weight the requests of this minute have cost, a count of weight units. */
  get usedWeight(): number {
    return this.#budget.used(this.#now)
  }

  /** How much weight all requests so far have cost, a count of weight units. */
  get spentWeight(): number {
    return this.#budget.spent
  }

  /** How many open connections are subscribed to this symbol's trades. */
  subscribers(symbol: string): number {
    return this.subscribersOf(`${symbol.toLowerCase()}@trade`)
  }

  /** How many open connections are subscribed to this stream, such as `btcusdt@kline_1m`; a count of connections. */
  subscribersOf(stream: string): number {
    let count = 0
    for (const { streams } of this.#clients) if (streams.has(stream)) count++
    return count
  }

  /** Resolves once as many connections (a count) are subscribed to this symbol's trades. */
  async untilSubscribed(symbol: string, count = 1): Promise<void> {
    if (this.subscribers(symbol) === count) return
    await new Promise<void>((resolve) => {
      this.#waiters.push({ isMet: () => this.subscribers(symbol) === count, resolve })
    })
  }

  /** Cuts everything and listens no more. */
  async close(): Promise<void> {
    this.#closed.abort()
    this.dropConnections()
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  get #port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get #now(): number {
    return this.#clock.now() + this.faults.clockStepMs
  }

  #tradesOf(symbol: string): SymbolTrades {
    let trades = this.#trades.get(symbol)
    if (trades === undefined) {
      trades = new SymbolTrades(symbol, this.#options.firstId ?? 1, this.#options.startMs ?? Date.UTC(2024, 7, 9))
      this.#trades.set(symbol, trades)
    }
    return trades
  }

  #stream(stream: string, at: number, of: PayloadOf): void {
    if (this.faults.isSilent || this.faults.stalled.has(stream)) return
    const now = at + this.faults.clockStepMs
    if (this.#held === null) {
      this.#deliver(stream, now, of)
      return
    }
    if (!this.#isWanted(stream)) return
    this.#held.push({ stream, now, of })
    if (this.#held.length < this.#holdUntil) return
    const held = this.#random.shuffle(this.#held)
    this.#held = null
    for (const one of held) this.#deliver(one.stream, one.now, one.of)
  }

  #isWanted(stream: string): boolean {
    for (const { streams } of this.#clients) if (streams.has(stream)) return true
    return false
  }

  #deliver(stream: string, now: number, of: PayloadOf): void {
    for (const client of this.#clients) {
      if (!client.streams.has(stream)) continue
      const payload = of({ now, perMs: client.perMs })
      if (payload !== null) client.send(stream, payload)
    }
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.faults.refusesConnections) {
      socket.destroy()
      return
    }
    const url = request.url ?? ''
    const refusal = this.#handshakeRefusals.take(url) ?? this.#budget.connection(this.#now)
    if (refusal !== null) {
      const retry = refusal.retryAfterSeconds === undefined ? '' : `Retry-After: ${refusal.retryAfterSeconds}\r\n`
      socket.end(`HTTP/1.1 ${refusal.status} Refused\r\n${retry}Connection: close\r\nContent-Length: 0\r\n\r\n`)
      return
    }
    this.#sockets.handleUpgrade(request, socket, head, (client) => {
      this.connections.push(url)
      const { pathname, searchParams } = new URL(url, this.restUrl)
      const isRaw = pathname.startsWith('/ws')
      const named = isRaw ? pathname.slice('/ws/'.length) : (searchParams.get('streams') ?? '')
      const one = new StreamClient({
        socket: client,
        raw: socket,
        isCombined: !isRaw && this.#words.control === null,
        control: this.#words.control,
        welcome: (stream) => this.#words.welcome(stream, this.#trades),
        perMs: /^microsecond$/i.test(searchParams.get('timeUnit') ?? '') ? 1_000 : 1,
        streams: named.split('/').filter((name) => name !== ''),
        maxStreams: this.#limits.streamsPerConnection,
        messagesPerSecond: this.#limits.messagesPerSecond,
        now: () => this.#clock.now(),
        answersPings: () => !this.faults.isDeaf,
        onChange: () => this.#notify(),
      })
      this.#clients.add(one)
      const gone = new AbortController()
      client.on('close', () => {
        gone.abort()
        this.#clients.delete(one)
        this.#notify()
      })
      const end = AbortSignal.any([gone.signal, this.#closed.signal])
      void this.#clock.sleep(this.#limits.maxConnectionMs, end).then(() => {
        if (!end.aborted) one.close(1001, 'the 24 hours are over')
      })
      this.#notify()
    })
  }

  #notify(): void {
    const met = this.#waiters.filter((waiter) => waiter.isMet())
    this.#waiters = this.#waiters.filter((waiter) => !met.includes(waiter))
    for (const { resolve } of met) resolve()
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? ''
    this.requests.push(path)
    if (this.faults.isRestDown) {
      request.socket.destroy()
      return
    }
    if (this.faults.restDelayMs > 0) await this.#clock.sleep(this.faults.restDelayMs, this.#closed.signal)
    const now = this.#now
    response.setHeader(inventedHeader, inventedValue)
    response.setHeader('Date', new Date(now).toUTCString())
    const { pathname, searchParams } = new URL(path, this.restUrl)
    const answer = this.#words.rest(pathname, searchParams, {
      now,
      marketTime: this.#marketTime,
      perMs: /^microsecond$/i.test(String(request.headers['x-mbx-time-unit'] ?? '')) ? 1_000 : 1,
      weightPerMinute: this.#limits.weightPerMinute,
      isDataOnly: this.#options.isDataOnly ?? false,
      lagTrades: this.faults.restLagCount,
      symbols: this.#trades,
      told: (symbol, kline) => {
        const by = this.#falseKlines.get(`${symbol} ${kline.openTime}`)
        return by === undefined ? kline : { ...kline, volume: kline.volume + by }
      },
    })
    const refusal = this.#restRefusals.take(path) ?? this.#budget.request(answer.weight, now)
    if (this.#words.control === null) response.setHeader('X-MBX-USED-WEIGHT-1M', String(this.#budget.used(now)))
    if (refusal !== null) {
      if (refusal.retryAfterSeconds !== undefined) response.setHeader('Retry-After', String(refusal.retryAfterSeconds))
      response.writeHead(refusal.status).end(`{"code":-1003,"msg":"refused with ${refusal.status}"}`)
      return
    }
    const isTrades = /rades$/.test(pathname) && Array.isArray(answer.body)
    const body = this.faults.isRestUnsorted && isTrades ? this.#random.shuffle(answer.body as unknown[]) : answer.body
    response.setHeader('Content-Type', 'application/json')
    response.writeHead(answer.status).end(typeof body === 'string' ? body : JSON.stringify(body))
  }
}

/** A payload that waits to be sent in another order. */
interface Held {
  readonly stream: string
  /** ms UTC. */
  readonly now: number
  readonly of: PayloadOf
}

type PayloadOf = (time: payloads.PayloadTime) => string | null

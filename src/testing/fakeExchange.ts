import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'

export interface FakeTradeOptions {
  readonly price?: string
  readonly quantity?: string
  /** ms UTC. Default: one millisecond after the symbol's trade before. */
  readonly time?: number
  /** The trade happens, so REST knows it, but the stream does not bring it. */
  readonly isMissed?: boolean
}

export interface RestFault {
  readonly status: number
  readonly retryAfterSeconds?: number
  /** How many requests it strikes. Default 1. */
  readonly times?: number
}

interface FakeTrade {
  readonly id: number
  readonly price: string
  readonly qty: string
  readonly time: number
  readonly isBuyerMaker: boolean
}

interface Client {
  readonly socket: WebSocket
  readonly streams: Set<string>
}

export interface FakeExchangeOptions {
  /** Id of each symbol's first trade. Default 1. */
  readonly firstId?: number
  /** ms UTC of the first trades. */
  readonly startMs?: number
  /** What each REST answer says of the used weight. Default 1. */
  readonly usedWeight?: () => number
}

/**
 * An exchange on loopback that speaks as much of Binance as a live feed hears: the combined stream with SUBSCRIBE, and trades by REST. What goes
 * wrong is scripted by the test.
 *
 * Keeps all trades. Nothing happens by itself: each trade, silence and loss is a call.
 */
export class FakeExchange {
  readonly #trades = new Map<string, FakeTrade[]>()
  readonly #clients = new Set<Client>()
  readonly #options: FakeExchangeOptions
  readonly #server = createServer((request, response) => this.#answer(request, response))
  readonly #sockets = new WebSocketServer({ noServer: true, autoPong: false })
  #isSilent = false
  #isDeaf = false
  #refusesConnections = false
  #fault: { status: number; retryAfterSeconds: number | undefined; left: number } | null = null
  #waiters: { readonly isMet: () => boolean; readonly resolve: () => void }[] = []
  /** Paths with query of all REST requests so far. */
  readonly requests: string[] = []
  /** URLs of all WebSocket connections so far. */
  readonly connections: string[] = []

  private constructor(options: FakeExchangeOptions) {
    this.#options = options
    this.#server.on('upgrade', (request, socket, head) => {
      if (this.#refusesConnections) {
        socket.destroy()
        return
      }
      this.#sockets.handleUpgrade(request, socket, head, (client) => this.#welcome(client, request.url ?? ''))
    })
  }

  static async start(options: FakeExchangeOptions = {}): Promise<FakeExchange> {
    const exchange = new FakeExchange(options)
    await new Promise<void>((resolve) => exchange.#server.listen(0, '127.0.0.1', resolve))
    return exchange
  }

  get streamUrl(): string {
    return `ws://127.0.0.1:${this.#port}`
  }

  get restUrl(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** Makes the symbol's next trade, gives its id, and streams it to those subscribed. */
  trade(symbol: string, options: FakeTradeOptions = {}): number {
    const trades = this.#tradesOf(symbol)
    const before = trades.at(-1)
    const id = (before?.id ?? (this.#options.firstId ?? 1) - 1) + 1
    const time = options.time ?? (before?.time ?? this.#options.startMs ?? Date.UTC(2024, 7, 9)) + 1
    const { price = '100.00000000', quantity = '1.00000000', isMissed = false } = options
    trades.push({ id, price, qty: quantity, time, isBuyerMaker: id % 2 === 0 })
    if (!isMissed) this.repeat(symbol, id)
    return id
  }

  /** Streams a trade, as it is kept, once more. */
  repeat(symbol: string, id: number): void {
    const trade = this.#tradesOf(symbol).find((one) => one.id === id)
    if (trade === undefined) throw new Error(`FakeExchange: ${symbol} has no trade ${id}`)
    this.send(`${symbol.toLowerCase()}@trade`, tradePayload(symbol, trade))
  }

  /** Streams any payload under a stream's name to those subscribed to it. */
  send(stream: string, payload: string): void {
    if (this.#isSilent) return
    for (const { socket, streams } of this.#clients) {
      if (streams.has(stream)) socket.send(`{"stream":${JSON.stringify(stream)},"data":${payload}}`)
    }
  }

  /** Streams text as it is to every connection. */
  sendRaw(text: string): void {
    for (const { socket } of this.#clients) socket.send(text)
  }

  announceShutdown(): void {
    this.sendRaw('{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}')
  }

  /** Cuts every connection, without a goodbye. */
  dropConnections(): void {
    for (const { socket } of this.#clients) socket.terminate()
    this.#clients.clear()
  }

  /** While silent the stream brings nothing, though trades go on and pings are answered; while deaf not even those. */
  fallSilent(how: { readonly answersPings: boolean }): void {
    this.#isSilent = true
    this.#isDeaf = !how.answersPings
  }

  speakAgain(): void {
    this.#isSilent = false
    this.#isDeaf = false
  }

  refuseConnections(isRefused: boolean): void {
    this.#refusesConnections = isRefused
  }

  failRest(fault: RestFault): void {
    this.#fault = { status: fault.status, retryAfterSeconds: fault.retryAfterSeconds, left: fault.times ?? 1 }
  }

  /** How many open connections are subscribed to this symbol's trades. */
  subscribers(symbol: string): number {
    const stream = `${symbol.toLowerCase()}@trade`
    let count = 0
    for (const { streams } of this.#clients) if (streams.has(stream)) count++
    return count
  }

  /** Resolves once as many connections are subscribed to this symbol's trades. */
  async untilSubscribed(symbol: string, count = 1): Promise<void> {
    if (this.subscribers(symbol) === count) return
    await new Promise<void>((resolve) => {
      this.#waiters.push({ isMet: () => this.subscribers(symbol) === count, resolve })
    })
  }

  async close(): Promise<void> {
    this.dropConnections()
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  get #port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  #tradesOf(symbol: string): FakeTrade[] {
    let trades = this.#trades.get(symbol)
    if (trades === undefined) {
      trades = []
      this.#trades.set(symbol, trades)
    }
    return trades
  }

  #welcome(socket: WebSocket, url: string): void {
    this.connections.push(url)
    const client: Client = { socket, streams: new Set() }
    this.#clients.add(client)
    socket.on('close', () => {
      this.#clients.delete(client)
      this.#notify()
    })
    socket.on('error', () => socket.terminate())
    socket.on('ping', (data) => {
      if (!this.#isDeaf) socket.pong(data)
    })
    socket.on('message', (data) => {
      const { params, id } = JSON.parse(String(data))
      for (const stream of params) client.streams.add(stream)
      socket.send(JSON.stringify({ result: null, id }))
      this.#notify()
    })
  }

  #notify(): void {
    const met = this.#waiters.filter((waiter) => waiter.isMet())
    this.#waiters = this.#waiters.filter((waiter) => !met.includes(waiter))
    for (const { resolve } of met) resolve()
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? ''
    this.requests.push(path)
    response.setHeader('X-MBX-USED-WEIGHT-1M', String(this.#options.usedWeight?.() ?? 1))
    const fault = this.#fault
    if (fault !== null && fault.left > 0) {
      fault.left--
      if (fault.retryAfterSeconds !== undefined) response.setHeader('Retry-After', String(fault.retryAfterSeconds))
      response.writeHead(fault.status).end('{"code":-1003,"msg":"injected"}')
      return
    }
    const { pathname, searchParams } = new URL(path, this.restUrl)
    if (pathname.endsWith('/ping')) response.end('{}')
    else if (pathname.endsWith('/historicalTrades') || pathname.endsWith('/trades'))
      response.end(this.#tradesJson(searchParams))
    else response.writeHead(404).end()
  }

  #tradesJson(query: URLSearchParams): string {
    const trades = this.#tradesOf(query.get('symbol') ?? '')
    const limit = Number(query.get('limit') ?? 500)
    const fromId = query.get('fromId')
    const rows =
      fromId === null ? trades.slice(-limit) : trades.filter(({ id }) => id >= Number(fromId)).slice(0, limit)
    return JSON.stringify(rows.map((row) => ({ ...row, quoteQty: '0', isBestMatch: true })))
  }
}

function tradePayload(symbol: string, { id, price, qty, time, isBuyerMaker }: FakeTrade): string {
  return `{"e":"trade","E":${time + 1},"s":"${symbol}","t":${id},"p":"${price}","q":"${qty}","T":${time},"m":${isBuyerMaker},"M":true}`
}

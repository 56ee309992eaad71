import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { inventedHeader, inventedValue } from '../../src/sources/live/inventedPrices.ts'

/** How many frames of each stream a second, over all symbols. */
export type Rates = Readonly<Record<'trade' | 'bookTicker' | 'ticker' | 'kline_1m', number>>

export interface SenderOrder {
  readonly symbols: readonly string[]
  readonly rates: Rates
}

/** What the sender has sent so far. */
export interface SenderReport {
  readonly sent: number
  /** How far it is behind the rate that it was told, ms; it has no core to itself. */
  readonly behindMs: number
}

const stepMs = 5
const mostHeldBytes = 64 * 1024 * 1024

/** Sends the frames of symbols at even rates to whoever has subscribed, from a process of its own: what it takes is not the feed's. */
class Sender {
  readonly #symbols: readonly string[]
  readonly #rates: Rates
  readonly #clients = new Map<Duplex, Set<string>>()
  readonly #lastId = new Map<string, number>()
  readonly #due = { trade: 0, bookTicker: 0, ticker: 0, kline_1m: 0 }
  readonly #turn = { trade: 0, bookTicker: 0, ticker: 0, kline_1m: 0 }
  #sent = 0
  #behindMs = 0

  constructor({ symbols, rates }: SenderOrder) {
    this.#symbols = symbols
    this.#rates = rates
  }

  async listen(): Promise<number> {
    const server = createServer((request, response) => {
      const symbols = this.#symbols.map((symbol) => ({ symbol, status: 'TRADING' }))
      response.setHeader(inventedHeader, inventedValue)
      response.end(request.url?.includes('exchangeInfo') === true ? JSON.stringify({ symbols }) : '[]')
    })
    const sockets = new WebSocketServer({ noServer: true })
    sockets.on('headers', (headers) => headers.push(`${inventedHeader}: ${inventedValue}`))
    server.on('upgrade', (request, raw, head) => {
      sockets.handleUpgrade(request, raw, head, (socket) => {
        const streams = new Set<string>()
        this.#clients.set(raw, streams)
        socket.on('close', () => this.#clients.delete(raw))
        socket.on('message', (data) => {
          const { method, params, id } = JSON.parse(String(data)) as { method: string; params: string[]; id: number }
          for (const stream of params) method === 'SUBSCRIBE' ? streams.add(stream) : streams.delete(stream)
          socket.send(JSON.stringify({ result: null, id }))
        })
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
  }

  start(): void {
    let from = performance.now()
    setInterval(() => {
      const now = performance.now()
      this.#behindMs = now - from - stepMs
      this.#send(now - from)
      from = now
    }, stepMs)
    setInterval(() => {
      if (process.connected) process.send?.({ sent: this.#sent, behindMs: this.#behindMs } satisfies SenderReport)
    }, 500)
  }

  #send(elapsedMs: number): void {
    const frames: { readonly stream: string; readonly bytes: Buffer }[] = []
    const now = Date.now()
    for (const kind of Object.keys(this.#rates) as (keyof Rates)[]) {
      this.#due[kind] += (this.#rates[kind] * elapsedMs) / 1_000
      while (this.#due[kind] >= 1) {
        this.#due[kind]--
        const symbol = this.#symbols[this.#turn[kind]++ % this.#symbols.length] as string
        const stream = `${symbol.toLowerCase()}@${kind}`
        frames.push({ stream, bytes: framed(`{"stream":"${stream}","data":${this.#payload(kind, symbol, now)}}`) })
      }
    }
    for (const [raw, streams] of this.#clients) {
      const wanted = frames.filter(({ stream }) => streams.has(stream)).map(({ bytes }) => bytes)
      // Who does not keep up is cut, as by an exchange.
      if (raw.writableLength > mostHeldBytes) raw.destroy()
      else if (wanted.length > 0) raw.write(Buffer.concat(wanted))
      this.#sent += wanted.length
    }
  }

  #payload(kind: keyof Rates, symbol: string, now: number): string {
    const last = this.#lastId.get(symbol) ?? 0
    if (kind === 'trade') {
      this.#lastId.set(symbol, last + 1)
      return `{"e":"trade","E":${now},"s":"${symbol}","t":${last + 1},"p":"64000.10000000","q":"0.01200000","T":${now},"m":true,"M":true}`
    }
    if (kind === 'bookTicker') {
      this.#lastId.set(`${symbol}!`, (this.#lastId.get(`${symbol}!`) ?? 0) + 1)
      return `{"u":${this.#lastId.get(`${symbol}!`)},"s":"${symbol}","b":"64000.10000000","B":"1.20000000","a":"64000.20000000","A":"0.80000000"}`
    }
    if (kind === 'ticker') {
      return `{"e":"24hrTicker","E":${now},"s":"${symbol}","p":"0","P":"0","w":"1","x":"1","c":"1","Q":"1","b":"1","B":"1","a":"1","A":"1","o":"1","h":"1","l":"1","v":"1","q":"1","O":${now - 86_400_000},"C":${now},"F":1,"L":${last},"n":${last}}`
    }
    const open = now - (now % 60_000)
    return `{"e":"kline","E":${now},"s":"${symbol}","k":{"t":${open},"T":${open + 59_999},"s":"${symbol}","i":"1m","f":1,"L":${last},"o":"1","c":"1","h":"1","l":"1","v":"1","n":${last},"x":false,"q":"1","V":"1","Q":"1","B":"0"}}`
  }
}

/** As a server sends text: unmasked. */
function framed(text: string): Buffer {
  const length = Buffer.byteLength(text)
  const head = length < 126 ? Buffer.from([0x81, length]) : Buffer.from([0x81, 126, length >> 8, length & 0xff])
  return Buffer.concat([head, Buffer.from(text)])
}

process.once('message', (order: SenderOrder) => {
  const sender = new Sender(order)
  void sender.listen().then((port) => {
    process.send?.({ port })
    sender.start()
  })
})
process.once('disconnect', () => process.exit())

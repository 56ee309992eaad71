import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { z } from 'zod'
import type { ExchangeWords } from './exchangeWords.ts'

/** What of a connection is needed beside its socket. */
export interface StreamClientOptions {
  readonly socket: WebSocket
  /** The TCP connection below, to cut it in the middle of a frame. */
  readonly raw: Duplex
  readonly isCombined: boolean
  /** Null where messages are Binance's. */
  readonly control: ExchangeWords['control']
  /** What is sent for a stream when it is subscribed, or null. */
  readonly welcome: (stream: string) => string | null
  /** 1 for ms, 1000 for µs. */
  readonly perMs: number
  readonly streams: readonly string[]
  readonly maxStreams: number
  readonly messagesPerSecond: number
  /** ms UTC. */
  readonly now: () => number
  readonly answersPings: () => boolean
  /** Subscriptions have changed. */
  readonly onChange: () => void
}

const request = z.object({
  method: z.string(),
  params: z.array(z.unknown()).optional(),
  id: z.union([z.number(), z.string(), z.null()]).optional(),
})

/** One connection to the simulated exchange: its subscriptions, and the control messages that change them. */
export class StreamClient {
  readonly streams: Set<string>
  readonly perMs: number
  readonly #options: StreamClientOptions
  #isCombined: boolean
  #sentAt: number[] = []

  constructor(options: StreamClientOptions) {
    this.#options = options
    this.perMs = options.perMs
    this.streams = new Set(options.streams)
    this.#isCombined = options.isCombined
    const { socket } = options
    socket.on('error', () => socket.terminate())
    socket.on('ping', (data) => {
      if (this.#isWithinRate() && options.answersPings()) socket.pong(data)
    })
    socket.on('message', (data) => {
      if (this.#isWithinRate()) this.#control(String(data))
    })
  }

  /** Sends a payload under the name of its stream, as the connection wants it. */
  send(stream: string, payload: string): void {
    this.sendText(this.#isCombined ? `{"stream":${JSON.stringify(stream)},"data":${payload}}` : payload)
  }

  sendText(text: string): void {
    this.#options.socket.send(text)
  }

  terminate(): void {
    this.#options.socket.terminate()
  }

  close(code: number, reason: string): void {
    this.#options.socket.close(code, reason)
  }

  /** The head of a frame of 200 bytes and half of what it announces, then the end of the connection. */
  cutInMidFrame(): void {
    const half = Buffer.concat([Buffer.from([0x81, 126, 0, 200]), Buffer.alloc(100, 0x61)])
    this.#options.raw.write(half, () => this.#options.raw.destroy())
  }

  /** Pings count like messages; who sends more than the limit is cut. */
  #isWithinRate(): boolean {
    const now = this.#options.now()
    this.#sentAt = this.#sentAt.filter((at) => at > now - 1_000)
    this.#sentAt.push(now)
    if (this.#sentAt.length <= this.#options.messagesPerSecond) return true
    this.close(1008, 'Too many requests')
    return false
  }

  #control(text: string): void {
    const { control, welcome, onChange } = this.#options
    if (control !== null) {
      const asked = control(text)
      if (typeof asked === 'string') {
        this.sendText(asked)
        return
      }
      for (const stream of asked.streams) {
        if (asked.isSubscribe) this.streams.add(stream)
        else this.streams.delete(stream)
      }
      this.sendText(asked.reply)
      for (const stream of asked.isSubscribe ? asked.streams : []) {
        const first = welcome(stream)
        if (first !== null) this.sendText(first)
      }
      onChange()
      return
    }
    const parsed = request.safeParse(parseJson(text))
    if (!parsed.success) {
      this.sendText('{"error":{"code":2,"msg":"Invalid request"},"id":null}')
      return
    }
    const { method, params = [], id = null } = parsed.data
    this.sendText(JSON.stringify({ ...this.#obey(method, params), id }))
    this.#options.onChange()
  }

  #obey(method: string, params: readonly unknown[]): Reply {
    const names = params.filter((one) => typeof one === 'string')
    switch (method) {
      case 'SUBSCRIBE':
        if (new Set([...this.streams, ...names]).size > this.#options.maxStreams) {
          return refused(`no more than ${this.#options.maxStreams} streams`)
        }
        for (const stream of names) this.streams.add(stream)
        return { result: null }
      case 'UNSUBSCRIBE':
        for (const stream of names) this.streams.delete(stream)
        return { result: null }
      case 'LIST_SUBSCRIPTIONS':
        return { result: [...this.streams] }
      case 'GET_PROPERTY':
        return { result: this.#isCombined }
      case 'SET_PROPERTY':
        this.#isCombined = params[1] === true
        return { result: null }
      default:
        return refused(`unknown method ${method}`)
    }
  }
}

type Reply = { readonly result: unknown } | { readonly error: { readonly code: number; readonly msg: string } }

function refused(why: string): Reply {
  return { error: { code: 2, msg: `Invalid request: ${why}` } }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

import { WebSocket } from 'ws'
import type { Clock } from '../../runtime/clock.ts'
import { agentFor } from '../http/tunnel.ts'
import { waitOfRefusal } from './addressLimits.ts'
import type { SubscriptionTalk } from './exchangeDialect.ts'
import { inventedHeader, isInvented, misfitText } from './inventedPrices.ts'

export interface ConnectionOptions {
  readonly url: string
  /** Those to begin with; `follow` takes others. */
  readonly streams: readonly string[]
  readonly talk: SubscriptionTalk
  readonly clock: Clock
  /** True where invented prices are what was asked for. */
  readonly isSimulated: boolean
  readonly connectTimeoutMs: number
  /** The exchange allows five messages a second and closes on more; pings count. */
  readonly messageGapMs: number
  readonly onFrame: (frame: Buffer) => void
}

const maxPayloadBytes = 16 * 1024 * 1024

/** A handshake that the exchange has answered with a no. */
export interface HandshakeRefusal {
  readonly status: number
  /** How long it asks to be left alone for, ms; null where it does not say. */
  readonly waitMs: number | null
}

/**
 * One WebSocket to the combined stream: connected, subscribed, and watched by whoever owns it.
 *
 * Frames come by `onFrame` from the first one on; answers to pings and subscriptions do not. Keeps nothing.
 */
export class Connection {
  /** Resolves once every stream is subscribed; rejects when that cannot be. */
  readonly ready: Promise<void>
  /** Resolves with the reason when the connection is gone, wanted or not. */
  readonly lost: Promise<string>
  /** Resolves when the server says that it is about to go. */
  readonly shutdownNotice: Promise<void>
  /** Why there is no connection, where the exchange itself has said so. */
  refusal: HandshakeRefusal | null = null
  /** Why its prices are not taken: they are invented, or are not, against what was asked for. Nothing of it is handed over then. */
  misfit: string | null = null
  /** ms by the clock of anything that was heard: frame, ping or pong. */
  heardAt: number
  /** ms by the clock of the newest frame; of the start before the first. */
  frameAt: number
  frames = 0
  readonly openedAt: number
  readonly #options: ConnectionOptions
  readonly #socket: WebSocket
  readonly #replies = new Map<number, (problem: string | null) => void>()
  readonly #abandoned = new AbortController()
  /** What the exchange has been told. */
  readonly #subscribed = new Set<string>()
  #wanted: readonly string[]
  #settling: Promise<void>
  #sentAt = Number.NEGATIVE_INFINITY
  #noticeShutdown: () => void = () => undefined
  #isPingUnanswered = false
  #nextId = 1

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.openedAt = options.clock.now()
    this.heardAt = this.openedAt
    this.frameAt = this.openedAt
    this.#socket = new WebSocket(options.url, {
      handshakeTimeout: options.connectTimeoutMs,
      perMessageDeflate: false,
      maxPayload: maxPayloadBytes,
      agent: agentFor(new URL(options.url)),
    })
    this.shutdownNotice = new Promise((resolve) => {
      this.#noticeShutdown = resolve
    })
    this.lost = this.#watchLoss()
    this.#socket.on('upgrade', ({ headers }) => {
      const { url, isSimulated } = options
      this.misfit = misfitText(url, isInvented(url, headers[inventedHeader]), isSimulated)
      if (this.misfit !== null) this.#socket.terminate()
    })
    this.#socket.on('message', (data) => this.#onMessage(data as Buffer))
    this.#socket.on('ping', () => {
      this.heardAt = options.clock.now()
    })
    this.#socket.on('pong', () => {
      this.heardAt = options.clock.now()
      this.#isPingUnanswered = false
    })
    this.#wanted = options.streams
    this.ready = this.#opened().then(() => this.#settle())
    this.#settling = this.ready
    // Whoever waits for it hears of a failure; a connection that is abandoned before fails for nobody.
    this.ready.catch(() => undefined)
  }

  /** Takes these streams instead of those before. Resolves once the exchange has said yes to all that is new; rejects when that cannot be. */
  follow(streams: readonly string[]): Promise<void> {
    this.#wanted = streams
    this.#settling = this.#settling.then(() => this.#settle())
    this.#settling.catch(() => undefined)
    return this.#settling
  }

  /** Stops reading from the socket: the server is held back, and in the end closes. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.heardAt = this.#options.clock.now()
    this.#socket.resume()
  }

  /** Asks for a sign of life, one at a time. It says that the socket lives, and nothing of its streams. */
  ping(): void {
    if (this.#isPingUnanswered || this.#socket.readyState !== WebSocket.OPEN) return
    const now = this.#options.clock.now()
    // Subscriptions go before; a ping that is left out comes with the next look.
    if (now < this.#sentAt + this.#options.messageGapMs) return
    this.#sentAt = now
    this.#isPingUnanswered = true
    this.#socket.ping()
  }

  close(): void {
    this.#abandoned.abort()
    this.#socket.removeAllListeners('message')
    this.#socket.close(1000)
    // A server that does not answer the close is not waited for.
    this.#socket.terminate()
  }

  #watchLoss(): Promise<string> {
    return new Promise((resolve) => {
      let problem: string | null = null
      this.#socket.on('unexpected-response', (_request, response) => {
        const status = response.statusCode ?? 0
        this.refusal = { status, waitMs: waitOfRefusal(status, response.headers['retry-after']) }
        problem = `the handshake was answered with ${status}`
        response.resume()
        this.#socket.terminate()
      })
      this.#socket.on('error', (error) => {
        problem ??= error.message
      })
      this.#socket.on('close', (code, reason) => {
        this.#abandoned.abort()
        const said = reason.length > 0 ? `, ${reason.toString().slice(0, 100)}` : ''
        resolve(this.misfit ?? problem ?? `closed with code ${code}${said}`)
      })
    })
  }

  async #opened(): Promise<void> {
    const opened = new Promise<null>((resolve) => this.#socket.once('open', () => resolve(null)))
    const problem = await Promise.race([opened, this.lost])
    if (problem !== null) throw new Error(problem)
  }

  /** Tells the exchange what is wanted now, a message at a time; what is wanted no more goes first, for the sake of the limit of streams. */
  async #settle(): Promise<void> {
    for (;;) {
      const wanted = new Set(this.#wanted)
      const dropped = [...this.#subscribed]
        .filter((stream) => !wanted.has(stream))
        .slice(0, this.#options.talk.streamsPerMessage)
      const added = [...wanted]
        .filter((stream) => !this.#subscribed.has(stream))
        .slice(0, this.#options.talk.streamsPerMessage)
      if (dropped.length > 0) {
        await this.#request('UNSUBSCRIBE', dropped)
        for (const stream of dropped) this.#subscribed.delete(stream)
      } else if (added.length > 0) {
        await this.#request('SUBSCRIBE', added)
        for (const stream of added) this.#subscribed.add(stream)
      } else return
    }
  }

  async #request(method: Method, params: readonly string[]): Promise<void> {
    const { clock, connectTimeoutMs } = this.#options
    for (let gapMs = this.#gapMs(); gapMs > 0; gapMs = this.#gapMs()) await clock.sleep(gapMs, this.#abandoned.signal)
    this.#sentAt = clock.now()
    const refused = await Promise.race([
      this.#send(method, params),
      this.lost,
      clock
        .sleep(connectTimeoutMs, this.#abandoned.signal)
        .then(() => `no answer to ${method} in ${connectTimeoutMs} ms`),
    ])
    if (refused !== null) throw new Error(refused)
  }

  /** How long until the next message may be sent, ms. */
  #gapMs(): number {
    if (this.#abandoned.signal.aborted) return 0
    return this.#sentAt + this.#options.messageGapMs - this.#options.clock.now()
  }

  /** Gives the problem, or null. */
  #send(method: Method, params: readonly string[]): Promise<string | null> {
    const id = this.#nextId++
    return new Promise((resolve) => {
      this.#replies.set(id, (problem) => resolve(problem === null ? null : `${method} was refused: ${problem}`))
      this.#socket.send(this.#options.talk.request(method, params, id))
    })
  }

  #onMessage(frame: Buffer): void {
    this.heardAt = this.#options.clock.now()
    if (this.#replies.size > 0 && this.#onReply(frame)) return
    if (this.#options.talk.isGoodbye(frame)) {
      this.#noticeShutdown()
      return
    }
    this.frameAt = this.heardAt
    this.frames++
    this.#options.onFrame(frame)
  }

  #onReply(frame: Buffer): boolean {
    const reply = this.#options.talk.replyOf(frame)
    if (reply === null) return false
    const id = reply.id ?? (this.#replies.keys().next().value as number)
    const resolve = this.#replies.get(id)
    if (resolve === undefined) return false
    this.#replies.delete(id)
    resolve(reply.problem)
    return true
  }
}

type Method = 'SUBSCRIBE' | 'UNSUBSCRIBE'

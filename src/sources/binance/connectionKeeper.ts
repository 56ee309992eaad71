import type { Clock } from '../../runtime/clock.ts'
import { Connection } from './connection.ts'

export interface KeeperLimits {
  readonly connectTimeoutMs: number
  /** Nothing heard for so long, pongs included: the connection is dead. */
  readonly deafMs: number
  /** No frame for so long, or for twenty mean gaps if that is longer, though pongs come: the stream has stalled. */
  readonly stallMs: number
  /** After so long without a frame a ping asks whether the silence is true. */
  readonly idlePingMs: number
  /** The exchange closes connections after 24 h; a new one is opened before. */
  readonly maxAgeMs: number
  /** How long old and new connection run side by side. */
  readonly overlapMs: number
  readonly firstBackoffMs: number
  readonly longestBackoffMs: number
  readonly messageGapMs: number
}

export const defaultKeeperLimits: KeeperLimits = {
  connectTimeoutMs: 10_000,
  deafMs: 30_000,
  stallMs: 30_000,
  idlePingMs: 2_000,
  maxAgeMs: 23 * 3_600_000,
  overlapMs: 5_000,
  firstBackoffMs: 500,
  longestBackoffMs: 30_000,
  messageGapMs: 250,
}

export interface KeeperOptions {
  readonly url: string
  readonly streams: readonly string[]
  readonly clock: Clock
  readonly limits: KeeperLimits
  /** From 0 up to 1; spreads the reconnects of many clients. */
  readonly jitter: () => number
  readonly onFrame: (frame: Buffer) => void
  /** Frames may be missing between those before and those after this call. */
  readonly onGapPossible: () => void
  readonly onNotice: (notice: string) => void
}

/** The exchange allows 300 attempts in five minutes and address; others may share the address. */
const maxAttempts = 100
const attemptWindowMs = 300_000

/**
 * Keeps one connection alive: it reconnects with backoff below the exchange's limit, replaces one that is silent, and opens the next one before
 * the old one ends, both side by side, so that nothing is missed.
 *
 * Keeps the frames of the next connection while both run: seconds' worth.
 */
export class ConnectionKeeper {
  readonly #options: KeeperOptions
  readonly #closed = new AbortController()
  readonly #attempts: number[] = []
  #current: Connection | null = null
  #isPaused = false
  #resumed: () => void = () => undefined
  #failures = 0
  /** Between frames, of the newest connection that brought any: tells a stalled stream from a quiet market. */
  #meanGapMs: number | null = null
  #run: Promise<void> | null = null
  /** What it waits for, or null while connected. */
  waitingFor: string | null = 'connecting'
  reconnects = 0

  constructor(options: KeeperOptions) {
    this.#options = options
  }

  start(): void {
    this.#run ??= this.#keep()
  }

  async close(): Promise<void> {
    this.#closed.abort()
    this.#resumed()
    this.#current?.close()
    await this.#run
  }

  /** Stops reading: what the exchange sends meanwhile waits in its buffers, or is fetched again later. */
  pause(): void {
    this.#isPaused = true
    this.#current?.pause()
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#current?.resume()
    this.#resumed()
  }

  /** For how long after the newest frame silence is proved, in ms; null where it is not. */
  provenSilenceMs(): number | null {
    const connection = this.#current
    if (connection === null || this.#isPaused || connection.verifiedAt === null || connection.frames === 0) return null
    const silence = connection.verifiedAt - connection.frameAt
    return silence > 0 ? silence : null
  }

  async #keep(): Promise<void> {
    while (!this.#closed.signal.aborted) {
      if (this.#isPaused) await this.#untilResumed()
      const connection = await this.#connect((frame) => this.#options.onFrame(frame))
      if (connection === null) continue
      const why = await this.#serve(connection)
      this.#current = null
      if (this.#closed.signal.aborted) return
      this.reconnects++
      this.waitingFor = `reconnecting: ${why}`
      this.#options.onNotice(`connection lost: ${why}; reconnecting`)
      await this.#sleep(this.#backoffMs())
    }
  }

  /** A subscribed connection, or null when it failed, after which the backoff has passed. */
  async #connect(deliver: (frame: Buffer) => void): Promise<Connection | null> {
    await this.#attemptAllowed()
    if (this.#closed.signal.aborted) return null
    const { url, streams, clock, limits } = this.#options
    // Frames that come while other streams are still being subscribed wait until the gap before them is looked for.
    let early: Buffer[] | null = []
    const connection = new Connection({
      url,
      streams,
      clock,
      connectTimeoutMs: limits.connectTimeoutMs,
      messageGapMs: limits.messageGapMs,
      onFrame: (frame) => (early === null ? deliver(frame) : early.push(frame)),
    })
    const abandon = () => connection.close()
    this.#closed.signal.addEventListener('abort', abandon, { once: true })
    try {
      await connection.ready
    } catch (error) {
      connection.close()
      if (this.#closed.signal.aborted) return null
      const why = error instanceof Error ? error.message : String(error)
      this.#failures++
      const waitMs = this.#backoffMs()
      this.waitingFor = `connecting to ${url}: ${why} (attempt ${this.#failures}, next in ${Math.round(waitMs)} ms)`
      this.#options.onNotice(`cannot connect to ${url}: ${why}`)
      await this.#sleep(waitMs)
      return null
    } finally {
      this.#closed.signal.removeEventListener('abort', abandon)
    }
    this.#failures = 0
    this.waitingFor = null
    if (this.#current === null) this.#options.onGapPossible()
    for (const frame of early) deliver(frame)
    early = null
    return connection
  }

  /** Resolves with the reason when there is no connection any more. */
  async #serve(first: Connection): Promise<string> {
    let connection = first
    this.#adopt(connection)
    let rotateAfterMs = this.#options.limits.maxAgeMs
    for (;;) {
      const done = new AbortController()
      const stop = AbortSignal.any([done.signal, this.#closed.signal])
      const outcome = await Promise.race([
        connection.lost.then((why) => ({ why })),
        connection.shutdownNotice.then(() => 'the server is shutting down'),
        this.#options.clock.sleep(rotateAfterMs, stop).then(() => 'its time is nearly up'),
        this.#watch(connection, stop).then((why) => ({ why })),
      ])
      done.abort()
      if (this.#closed.signal.aborted || typeof outcome !== 'string') {
        connection.close()
        return typeof outcome === 'string' ? 'closed' : outcome.why
      }
      this.#options.onNotice(`replacing the connection: ${outcome}`)
      const next = await this.#replace(connection)
      // Where the next one cannot be had the old one serves on; its own end is the last resort.
      if (next === null) rotateAfterMs = this.#options.limits.longestBackoffMs
      else {
        connection = next
        rotateAfterMs = this.#options.limits.maxAgeMs
      }
    }
  }

  /** Opens the next connection beside the old one and moves over to it. */
  async #replace(old: Connection): Promise<Connection | null> {
    let held: Buffer[] | null = []
    let isOldLost = false
    const oldLost = old.lost.then(() => {
      isOldLost = true
    })
    const next = await this.#connect((frame) => (held === null ? this.#options.onFrame(frame) : held.push(frame)))
    if (next === null) return null
    // The old one was gone before the new one heard anything: they did not overlap.
    if (isOldLost) this.#options.onGapPossible()
    const { clock, limits } = this.#options
    await Promise.race([oldLost, next.lost, clock.sleep(limits.overlapMs, this.#closed.signal)])
    old.close()
    this.#adopt(next)
    // All that the old one brought has been handed over, so what both brought is told apart by the trades' ids.
    for (const frame of held) this.#options.onFrame(frame)
    held = null
    return next
  }

  #adopt(connection: Connection): void {
    this.#current = connection
    if (this.#isPaused) connection.pause()
  }

  /** Resolves with the reason once the connection is dead or has stalled; never rejects. */
  async #watch(connection: Connection, stop: AbortSignal): Promise<string> {
    const { clock, limits } = this.#options
    const stepMs = Math.max(1, Math.min(limits.idlePingMs, limits.deafMs / 4, limits.stallMs / 4))
    while (!stop.aborted) {
      await clock.sleep(stepMs, stop)
      if (this.#isPaused || stop.aborted) continue
      const now = clock.now()
      const deafMs = now - connection.heardAt
      if (deafMs > limits.deafMs) return `nothing heard for ${deafMs} ms`
      const silentMs = now - connection.frameAt
      if (silentMs >= limits.idlePingMs) connection.ping()
      if (connection.frames > 0) this.#meanGapMs = (connection.frameAt - connection.openedAt) / connection.frames
      const allowedMs = Math.max(limits.stallMs, 20 * (this.#meanGapMs ?? limits.stallMs / 2))
      if (silentMs > allowedMs) return `no frame for ${silentMs} ms, though the connection lives`
    }
    return 'closed'
  }

  async #attemptAllowed(): Promise<void> {
    const { clock } = this.#options
    for (;;) {
      const now = clock.now()
      while (this.#attempts.length > 0 && (this.#attempts[0] as number) <= now - attemptWindowMs) this.#attempts.shift()
      if (this.#attempts.length < maxAttempts || this.#closed.signal.aborted) break
      await this.#sleep((this.#attempts[0] as number) + attemptWindowMs - now)
    }
    this.#attempts.push(clock.now())
  }

  #backoffMs(): number {
    const { firstBackoffMs, longestBackoffMs } = this.#options.limits
    const most = Math.min(longestBackoffMs, firstBackoffMs * 2 ** Math.min(this.#failures, 20))
    return most * (0.5 + this.#options.jitter() / 2)
  }

  #sleep(ms: number): Promise<void> {
    return this.#options.clock.sleep(ms, this.#closed.signal)
  }

  #untilResumed(): Promise<void> {
    this.waitingFor = 'the log, to take what was received'
    return new Promise((resolve) => {
      this.#resumed = resolve
    })
  }
}

import type { Clock } from '../../runtime/clock.ts'
import type { AddressLimits } from './addressLimits.ts'
import { Connection } from './connection.ts'
import type { SubscriptionTalk } from './exchangeDialect.ts'

export interface KeeperLimits {
  readonly connectTimeoutMs: number
  /** Nothing heard for so long, pongs included: the connection is dead. */
  readonly deafMs: number
  /** No frame for so long, or for twenty mean gaps if that is longer, though pongs come: the streams have stalled. */
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
  /** The next one is tried where one cannot be had. */
  readonly urls: readonly string[]
  /** How the exchange is asked for them. */
  readonly talk: SubscriptionTalk
  /** Those to begin with; `follow` takes others. */
  readonly streams: readonly string[]
  /** One that goes on evenly, whatever is done to the time of the machine. */
  readonly clock: Clock
  readonly limits: KeeperLimits
  readonly address: AddressLimits
  /** True where invented prices are what was asked for. */
  readonly isSimulated: boolean
  /** The exchange's prices are not what was asked for: nothing more is tried. */
  readonly onMisfit: (why: string) => void
  /** From 0 up to 1; spreads the reconnects of many clients. */
  readonly jitter: () => number
  readonly onFrame: (frame: Buffer) => void
  /** Frames may be missing between those before and those after this call. */
  readonly onGapPossible: () => void
  readonly onNotice: (notice: string) => void
}

/** So many failures in a row, and the next host is tried. */
const failuresPerHost = 3
/** What it is called when the exchange has said that it closes the connection. */
const shuttingDown = 'the server is shutting down'
/** Least time between two replacements that were asked for; it doubles while they do not help. */
const firstReplaceMs = 10_000
const longestReplaceMs = 300_000

/**
 * Keeps one connection alive: it reconnects with backoff below the exchange's limit, replaces one that is silent, and opens the next one before
 * the old one ends, both side by side, so that nothing is missed.
 *
 * Keeps the frames of the next connection while both run: seconds' worth.
 */
export class ConnectionKeeper {
  readonly #options: KeeperOptions
  readonly #closed = new AbortController()
  /** The present one, and the next one while both run. */
  readonly #open = new Set<Connection>()
  #streams: readonly string[]
  #current: Connection | null = null
  #isPaused = false
  #resumed: () => void = () => undefined
  #failures = 0
  /** Between frames, of the newest connection that brought any: tells a stalled stream from a quiet market. */
  #meanGapMs: number | null = null
  #run: Promise<void> | null = null
  #replaceNow: (why: string) => void = () => undefined
  #replacedAt = Number.NEGATIVE_INFINITY
  #replaceWaitMs = firstReplaceMs
  /** What it waits for, or null while connected. */
  waitingFor: string | null = 'connecting'
  /** Since when there is no connection, ms by the clock; null while connected. */
  lostAt: number | null
  reconnects = 0

  constructor(options: KeeperOptions) {
    this.#options = options
    this.#streams = options.streams
    this.lostAt = options.clock.now()
  }

  /**
   * Takes these streams instead of those before. True once the exchange has said yes on a connection that there is; false where there is none, or it goes for this:
   * the next one begins with them, and `onGapPossible` follows.
   */
  async follow(streams: readonly string[]): Promise<boolean> {
    this.#streams = streams
    const carried = await Promise.all(
      [...this.#open].map((connection) =>
        connection.follow(streams).then(
          () => true,
          (error: unknown) => {
            if (!this.#open.has(connection) || this.#closed.signal.aborted) return false
            this.#options.onNotice(`subscriptions could not be changed: ${messageOf(error)}`)
            connection.close()
            return false
          },
        ),
      ),
    )
    return carried.includes(true)
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

  /** Asks for another connection in place of the present one, because a stream of it has stalled. Not at once again where that did not help. */
  replace(why: string): void {
    const now = this.#options.clock.now()
    if (this.#current === null || now < this.#replacedAt + this.#replaceWaitMs) return
    this.#replaceWaitMs =
      now > this.#replacedAt + 2 * longestReplaceMs
        ? firstReplaceMs
        : Math.min(longestReplaceMs, this.#replaceWaitMs * 2)
    this.#replacedAt = now
    this.#replaceNow(why)
  }

  async #keep(): Promise<void> {
    while (!this.#closed.signal.aborted) {
      if (this.#isPaused) await this.#untilResumed()
      const connection = await this.#connect((frame) => this.#options.onFrame(frame))
      if (connection === null) continue
      const why = await this.#serve(connection)
      this.#current = null
      if (this.#closed.signal.aborted) return
      this.lostAt = this.#options.clock.now()
      this.reconnects++
      this.waitingFor = `reconnecting: ${why}`
      this.#options.onNotice(`connection lost: ${why}; reconnecting`)
      await this.#sleep(this.#backoffMs())
    }
  }

  /** A subscribed connection, or null when it failed, after which the backoff has passed. */
  async #connect(deliver: (frame: Buffer) => void): Promise<Connection | null> {
    const { urls, talk, clock, limits, address, isSimulated } = this.#options
    for (let waitMs = address.connectInMs(); waitMs > 0; waitMs = address.connectInMs()) {
      // The old connection is watched while it serves; whoever wants to replace it comes again.
      if (this.#current !== null || this.#closed.signal.aborted) return null
      this.waitingFor = address.connectBlock?.why ?? 'the next connection that the exchange allows'
      await this.#sleep(waitMs)
    }
    if (this.#closed.signal.aborted) return null
    address.countAttempt()
    const url = urls[Math.floor(this.#failures / failuresPerHost) % urls.length] as string
    // Frames that come while other streams are still being subscribed wait until the gap before them is looked for.
    let early: Buffer[] | null = []
    const connection = new Connection({
      url,
      streams: this.#streams,
      talk,
      clock,
      isSimulated,
      connectTimeoutMs: limits.connectTimeoutMs,
      messageGapMs: limits.messageGapMs,
      onFrame: (frame) => (early === null ? deliver(frame) : early.push(frame)),
    })
    this.#open.add(connection)
    void connection.lost.then(() => this.#open.delete(connection))
    const abandon = () => connection.close()
    this.#closed.signal.addEventListener('abort', abandon, { once: true })
    try {
      await connection.ready
    } catch (error) {
      connection.close()
      if (this.#closed.signal.aborted) return null
      if (connection.misfit !== null) {
        this.#options.onMisfit(connection.misfit)
        this.#closed.abort()
        return null
      }
      const why = messageOf(error)
      this.#failures++
      const refusedMs = connection.refusal?.waitMs ?? null
      if (refusedMs !== null) {
        address.blockConnecting(refusedMs, why)
        if (connection.refusal?.status === 418) address.blockRest(refusedMs, why)
      }
      this.#options.onNotice(`cannot connect to ${url}: ${why}`)
      if (this.#current !== null) return null
      const waitMs = Math.max(refusedMs ?? 0, this.#backoffMs())
      this.waitingFor = `connecting to ${url}: ${why} (attempt ${this.#failures}, next in ${Math.round(waitMs)} ms)`
      await this.#sleep(waitMs)
      return null
    } finally {
      this.#closed.signal.removeEventListener('abort', abandon)
    }
    this.#failures = 0
    this.waitingFor = null
    this.lostAt = null
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
    let rotation = 'its time is nearly up'
    let goodbye = connection.shutdownNotice
    for (;;) {
      const done = new AbortController()
      const stop = AbortSignal.any([done.signal, this.#closed.signal])
      const outcome = await Promise.race([
        connection.lost.then((why) => ({ why })),
        goodbye.then((): Reason => ({ replace: shuttingDown, isStalled: false })),
        this.#options.clock.sleep(rotateAfterMs, stop).then((): Reason => ({ replace: rotation, isStalled: false })),
        new Promise<Reason>((resolve) => {
          this.#replaceNow = (replace) => resolve({ replace, isStalled: true })
        }),
        this.#watch(connection, stop).then((why) => ({ why })),
      ])
      done.abort()
      if (this.#closed.signal.aborted || 'why' in outcome) {
        connection.close()
        return 'why' in outcome ? outcome.why : 'closed'
      }
      this.#options.onNotice(`replacing the connection: ${outcome.replace}`)
      const next = await this.#replace(connection, outcome.isStalled)
      // Where the next one cannot be had the old one serves on; its own end is the last resort.
      if (next !== null) {
        connection = next
        rotateAfterMs = this.#options.limits.maxAgeMs
        rotation = 'its time is nearly up'
        goodbye = next.shutdownNotice
      } else if (outcome.replace === shuttingDown) {
        // Heard once: the promise stays kept, and asking it again would leave no time for anything else.
        goodbye = new Promise(() => undefined)
        rotation = shuttingDown
        rotateAfterMs = Math.max(this.#backoffMs(), this.#options.address.connectInMs())
      } else rotateAfterMs = this.#options.limits.longestBackoffMs
    }
  }

  /** Opens the next connection beside the old one and moves over to it. */
  async #replace(old: Connection, isStalled: boolean): Promise<Connection | null> {
    let held: Buffer[] | null = []
    let isOldLost = false
    const oldLost = old.lost.then(() => {
      isOldLost = true
    })
    const next = await this.#connect((frame) => (held === null ? this.#options.onFrame(frame) : held.push(frame)))
    if (next === null) return null
    // The old one was gone before the new one heard anything, or brought not everything: they did not overlap.
    if (isOldLost || isStalled) this.#options.onGapPossible()
    const { clock, limits } = this.#options
    let isNextLost = false
    const nextLost = next.lost.then(() => {
      isNextLost = true
    })
    const overlapMs = isStalled ? 0 : limits.overlapMs
    await Promise.race([oldLost, nextLost, clock.sleep(overlapMs, this.#closed.signal)])
    if (isNextLost && !isOldLost) {
      // What it brought the old one has brought, or will.
      this.#options.onNotice('the next connection was lost before the old one was closed; the old one stays')
      next.close()
      return null
    }
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Why a connection that lives is replaced. */
interface Reason {
  readonly replace: string
  /** It has not brought everything, so there is nothing to wait for. */
  readonly isStalled: boolean
}

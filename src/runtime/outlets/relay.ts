import { Backoff } from '../backoff.ts'
import { type Clock, sleptEnough } from '../clock.ts'
import { ConfigurationError, RefusedMessageError, RetryableError, TaskFencedError } from '../errors.ts'
import type { Delivery, Destination, StoredMessage } from '../log/destination.ts'
import type { Claim } from '../store/checkpoint.ts'
import type { Outbox } from '../store/outbox.ts'
import type { OutletStatus } from '../task/taskStatus.ts'
import type { WorkerLimits } from '../task/workerLimits.ts'
import { asRetryable } from '../transient.ts'

/** What a relay works on and with. */
export interface RelayOptions {
  /** Of the task; a newer one ends the relay. */
  readonly claim: Claim
  readonly outlet: string
  readonly outbox: Outbox
  readonly destination: Destination
  readonly clock: Clock
  readonly limits: Pick<WorkerLimits, 'maxWaitingMessages' | 'retryFirstMs' | 'retryMostMs'>
  /** How many messages the outlet has emitted by the checkpoint that was claimed. */
  readonly committed: number
}

/** Of one page, which is what a relay holds at most. */
const page = { maxMessages: 2_000, maxBytes: 1 << 20 }
/** Where a send takes few messages, they are forgotten together, and this often at least. */
const forgetEveryMs = 200
/** How soon a refused message is looked for that somebody wants sent again; asked only while there are refused ones. */
const retriedEveryMs = 5_000
/** However long the other side asks not to be bothered. */
const retryAfterMostMs = 300_000

/**
 * Sends what checkpoints have stored for one outlet of one task, in order, and then forgets it. Runs beside the task, in its process.
 *
 * It begins where the destination says it was, or where the outbox begins, is woken by commits and holds one page. What may pass is tried again, behind a
 * new claim; a message that is refused is set aside. Two that believe they are the owner turn each other away until the checkpoint store tells the older one that its
 * claim is over, which it asks before it sends anything.
 */
export class Relay {
  readonly status: OutletStatus
  readonly #options: RelayOptions
  /** What messages are called after. */
  readonly #name: string
  /** What the destination knows them by. */
  readonly #part: string
  readonly #backoff: Backoff
  readonly #stop = new AbortController()
  /** The last message known to be stored. */
  #newest: number
  /** The last message that was sent or set aside; null until it is known. */
  #settled: number | null = null
  /** The last message that the outbox no longer holds; null until it is known. */
  #forgotten: number | null = null
  #forgottenAt = 0
  #wake = Promise.withResolvers<void>()
  #progress = Promise.withResolvers<void>()
  #failure: { readonly error: unknown } | null = null
  #isOver = false
  #hasBegun = false
  readonly #ended: Promise<void>

  constructor(options: RelayOptions) {
    const { claim, outlet, limits, committed } = options
    this.#options = options
    this.#name = nameOf(claim, outlet)
    this.#part = claim.outbox?.isInName === true ? `${this.#name}@${claim.outbox.id}` : this.#name
    this.#backoff = new Backoff(limits.retryFirstMs, limits.retryMostMs)
    this.#newest = committed
    this.status = { name: outlet, committed, waiting: 0, refused: 0, waitingFor: null }
    this.#ended = this.#run()
  }

  /** A checkpoint with messages up to this sequence number was stored. */
  committed(sequence: number): void {
    this.status.committed = Math.max(this.status.committed, sequence)
    this.#sees(sequence)
    this.#wake.resolve()
  }

  /** Throws what it cannot go on after: `TaskFencedError` where the task has a newer claim. */
  check(): void {
    if (this.#failure !== null) throw this.#failure.error
  }

  /** False while so many messages wait that the task should read nothing more. */
  get hasRoom(): boolean {
    return this.#isOver || this.status.waiting < this.#options.limits.maxWaitingMessages
  }

  /** True when everything that was committed is sent or set aside, and the outbox knows it. */
  get isDone(): boolean {
    return this.#forgotten === this.#newest
  }

  /** Resolves when messages were sent, or the relay has ended. */
  progress(): Promise<void> {
    return this.#progress.promise
  }

  /** Ends it, whatever is under way, and closes the destination. */
  async close(): Promise<void> {
    this.#stop.abort()
    this.#wake.resolve()
    await this.#ended
    await this.#options.destination.close()
  }

  async #run(): Promise<void> {
    const { clock } = this.#options
    const { signal } = this.#stop
    try {
      while (!signal.aborted) {
        try {
          await this.#relay()
        } catch (thrown) {
          if (signal.aborted) return
          const error = asRetryable(thrown, `outlet ${this.status.name}`)
          if (!(error instanceof RetryableError || error instanceof TaskFencedError)) throw error
          // The claim of the task is over; another one goes on.
          if (this.#isOver) throw error
          const waitMs = Math.max(this.#backoff.next(), askedToWait(error))
          this.status.waitingFor = `${error.message}; next try in ${waitMs} ms`
          await clock.sleep(waitMs, signal)
        }
      }
    } catch (error) {
      this.#failure = { error }
      this.status.waitingFor = error instanceof Error ? error.message : String(error)
    } finally {
      this.#isOver = true
      this.#moved()
    }
  }

  /** From a claim on until it is told to stop, or something fails. */
  async #relay(): Promise<void> {
    const { signal } = this.#stop
    await this.#begin()
    while (!signal.aborted) {
      if (this.status.refused > 0) await this.#sendRetried()
      const wake = Promise.withResolvers<void>()
      this.#wake = wake
      // Before the read: what is committed meanwhile may be missing from it.
      const newest = this.#newest
      const messages = await this.#read(this.#settled as number, page.maxMessages)
      if (messages.length > 0) await this.#send(messages)
      else {
        this.#gone(newest)
        this.status.waitingFor = null
        await this.#idle(wake.promise)
      }
      this.#backoff.reset()
    }
  }

  async #idle(woken: Promise<void>): Promise<void> {
    if (this.status.refused === 0) return woken
    const over = new AbortController()
    await Promise.race([woken, this.#options.clock.sleep(retriedEveryMs, over.signal)])
    over.abort(sleptEnough)
  }

  /** Finds out where to go on. */
  async #begin(): Promise<void> {
    const { claim, outlet, outbox, destination } = this.#options
    const newest = this.#newest
    const [oldest] = await this.#read(0, 1)
    this.status.refused = await outbox.countRefused(claim.task, outlet)
    this.#gone(oldest === undefined ? newest : oldest.sequence - 1)
    const place = await destination.claim(this.#part)
    // Nothing was sent for this claim yet, so what was committed since is no excuse: the numbers of what was sent before are being used again.
    const known = this.#hasBegun ? this.#newest : this.#options.committed
    if (place !== null && place > known) await this.#refusePlace(place, known)
    this.#hasBegun = true
    this.#settle(place ?? 0)
    await this.#forget()
  }

  /** An older owner may have come here late, and is told so; otherwise the store lacks what was sent from it. */
  async #refusePlace(place: number, known: number): Promise<never> {
    const { claim, outlet } = this.#options
    await this.#read(this.#newest, 1)
    throw new ConfigurationError(
      `outlet ${outlet}: its destination has taken ${place} messages of ${this.#part}, and the checkpoint store knew of ${known} when it was claimed: its server was replaced by one that lacks the last transactions, or ` +
        'it was restored from an older backup, so that other messages would be made under numbers that were used already and never be sent. Bring the newer database back, or copy what ' +
        'the pipeline keeps under a new name (millrace state copy) and start it under that (or give the outlet a new name), after which messages that were sent before may come again.',
      { ...claim.task },
    )
  }

  async #read(after: number, maxMessages: number): Promise<readonly StoredMessage[]> {
    const { claim, outlet, outbox } = this.#options
    try {
      const messages = await outbox.read(claim, outlet, { after, maxMessages, maxBytes: page.maxBytes })
      this.#sees(messages.at(-1)?.sequence ?? 0)
      return messages
    } catch (error) {
      if (error instanceof TaskFencedError) this.#isOver = true
      throw error
    }
  }

  async #send(messages: readonly StoredMessage[]): Promise<void> {
    const { destination, clock } = this.#options
    const most = Math.max(1, destination.maxMessages ?? messages.length)
    try {
      for (let at = 0; at < messages.length && !this.#stop.signal.aborted; at += most) {
        await this.#sendOrSetAside(messages.slice(at, at + most))
        if (clock.now() - this.#forgottenAt >= forgetEveryMs) await this.#forget()
      }
    } finally {
      await this.#forget()
    }
  }

  /** Sends all of them but those that are refused. */
  async #sendOrSetAside(messages: readonly StoredMessage[]): Promise<void> {
    const { destination } = this.#options
    const place = messages.at(-1)?.sequence as number
    let left = messages
    while (left.length > 0) {
      try {
        await destination.send(
          left.map((message) => this.#delivery(message)),
          place,
          this.#stop.signal,
        )
        break
      } catch (error) {
        if (!(error instanceof RefusedMessageError)) throw error
        const refused = left.length === 1 ? left[0] : left.find((message) => this.#idOf(message) === error.id)
        if (refused === undefined) {
          for (const message of left) await this.#sendOrSetAside([message])
          return
        }
        await this.#refuse(refused, error)
        left = left.filter((message) => message !== refused)
      }
    }
    this.#settle(place)
    this.status.waitingFor = null
    // Somebody is there: what fails behind it is another failure.
    this.#backoff.reset()
  }

  async #refuse({ sequence }: StoredMessage, { message }: RefusedMessageError): Promise<void> {
    const { claim, outlet, outbox, clock } = this.#options
    await outbox.refuse(claim.task, outlet, sequence, message, clock.now())
    this.status.refused += 1
  }

  /** Out of order, since the others have gone by, and at the place that was reached. */
  async #sendRetried(): Promise<void> {
    const { claim, outlet, outbox, destination, clock } = this.#options
    const messages = await outbox.retried(claim.task, outlet, { after: 0, ...page })
    for (const message of messages) {
      if (this.#stop.signal.aborted) return
      try {
        await destination.send([this.#delivery(message)], this.#settled as number, this.#stop.signal)
      } catch (error) {
        if (!(error instanceof RefusedMessageError)) throw error
        await outbox.refuse(claim.task, outlet, message.sequence, error.message, clock.now())
        continue
      }
      await outbox.forgetRefused(claim.task, outlet, message.sequence)
      this.status.refused -= 1
    }
  }

  async #forget(): Promise<void> {
    const { claim, outlet, outbox, clock } = this.#options
    const settled = this.#settled as number
    this.#forgottenAt = clock.now()
    if (settled === this.#forgotten) return
    await outbox.forget(claim.task, outlet, settled)
    this.#gone(settled)
  }

  #delivery(message: StoredMessage): Delivery {
    const { sequence: _, ...rest } = message
    return { ...rest, id: this.#idOf(message) }
  }

  #idOf({ sequence }: StoredMessage): string {
    return `${this.#name}/${sequence}`
  }

  #sees(sequence: number): void {
    this.#newest = Math.max(this.#newest, sequence)
    this.status.waiting = this.#newest - (this.#settled ?? this.#newest)
  }

  #settle(sequence: number): void {
    this.#settled = Math.max(this.#settled ?? 0, sequence)
    this.status.waiting = this.#newest - this.#settled
    this.#moved()
  }

  /** Up to this one nothing waits in the outbox any more. */
  #gone(sequence: number): void {
    this.#forgotten = Math.max(this.#forgotten ?? 0, sequence)
    this.#settle(sequence)
  }

  #moved(): void {
    this.#progress.resolve()
    this.#progress = Promise.withResolvers<void>()
  }
}

function nameOf({ task }: Claim, outlet: string): string {
  return `${task.pipeline}/${task.topic}/${task.partition}/${outlet}`
}

function askedToWait(error: RetryableError | TaskFencedError): number {
  const asked = error instanceof RetryableError ? (error.retryAfterMs ?? 0) : 0
  return Math.min(asked, retryAfterMostMs)
}

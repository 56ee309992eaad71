import { type Clock, sleptEnough } from '../clock.ts'
import { ConfigurationError } from '../errors.ts'
import type { Destination } from '../log/destination.ts'
import type { OpenOutgoingTopic } from '../log/log.ts'
import type { CheckpointStore, Claim, MessageWrite } from '../store/checkpoint.ts'
import type { SendingOutlet } from '../task/taskOutlets.ts'
import type { OutletStatus } from '../task/taskStatus.ts'
import type { WorkerLimits } from '../task/workerLimits.ts'
import { Relay } from './relay.ts'
import { TopicDestination } from './topicDestination.ts'

/** What the relays of a task need. */
export interface RelaysOptions {
  readonly store: CheckpointStore
  readonly clock: Clock
  readonly limits: WorkerLimits
  readonly openTopic?: OpenOutgoingTopic
  readonly watchSends?: WatchSends
}

/** Gives what takes the messages of an outlet, watched: for whoever wants to know of each send. */
export type WatchSends = (destination: Destination, outlet: string, claim: Claim) => Destination

/** After a stop that is meant to come at once, what is committed has so long to be sent; the rest is sent after the next start. */
const graceMs = 2_000

/** The relays of one life of a task, one for each outlet whose messages are sent after the commit. */
export class Relays {
  readonly status: readonly OutletStatus[]
  readonly #clock: Clock
  readonly #relays: ReadonlyMap<string, Relay>

  /** Starts them. Throws `ConfigurationError` for an outlet to a topic where nobody said how topics are opened. */
  constructor(claim: Claim, outlets: readonly SendingOutlet[], options: RelaysOptions) {
    const { store, clock, limits, openTopic, watchSends = (one) => one } = options
    const destinations = outlets.map((outlet) => ({
      outlet,
      destination: watchSends(destinationOf(claim, outlet, openTopic), outlet.name, claim),
    }))
    this.#clock = clock
    this.#relays = new Map(
      destinations.map(({ outlet: { name, sent }, destination }) => {
        const { outbox } = store
        return [name, new Relay({ claim, outlet: name, outbox, destination, clock, limits, committed: sent })]
      }),
    )
    this.status = [...this.#relays.values()].map(({ status }) => status)
  }

  /** A checkpoint with these messages was stored. */
  committed(writes: readonly MessageWrite[]): void {
    for (const { outlet, messages } of writes) this.#relays.get(outlet)?.committed(messages.at(-1)?.sequence ?? 0)
  }

  /** Throws what one of them cannot go on after. */
  check(): void {
    for (const relay of this.#relays.values()) relay.check()
  }

  /** False while so many messages of an outlet wait that the task should read nothing more. */
  get hasRoom(): boolean {
    return [...this.#relays.values()].every(({ hasRoom }) => hasRoom)
  }

  /** What is waited for, or null: where everything is sent as soon as it is committed. */
  get waitingFor(): string | null {
    const waiting = this.status.find(({ waitingFor }) => waitingFor !== null)
    return waiting === undefined ? null : `outlet ${waiting.name}: ${waiting.waitingFor}`
  }

  /** Resolves when some messages were sent, after `ms`, or when the signal fires. */
  async progress(ms: number, signal: AbortSignal): Promise<void> {
    const over = new AbortController()
    const moved = [...this.#relays.values()].map((relay) => relay.progress())
    await Promise.race([...moved, this.#clock.sleep(ms, AbortSignal.any([over.signal, signal]))])
    over.abort(sleptEnough)
  }

  /**
   * Resolves when everything that was committed is sent or set aside, and soon after `now` fires in any case. Throws what one of them cannot go on after.
   * @param now the end is meant to come at once
   */
  async finish(now: AbortSignal): Promise<void> {
    let until: number | null = null
    for (;;) {
      this.check()
      if ([...this.#relays.values()].every(({ isDone }) => isDone)) return
      if (now.aborted) {
        until ??= this.#clock.now() + graceMs
        const leftMs = until - this.#clock.now()
        if (leftMs <= 0) return
        await this.progress(leftMs, never)
      } else await this.progress(waitMs, now)
    }
  }

  /** Ends them, whatever is under way. */
  async close(): Promise<void> {
    await Promise.all([...this.#relays.values()].map((relay) => relay.close()))
  }
}

const waitMs = 60_000
const never = new AbortController().signal

function destinationOf(claim: Claim, { name, to }: SendingOutlet, openTopic?: OpenOutgoingTopic): Destination {
  if (to.kind === 'destination') return to.open()
  if (openTopic !== undefined)
    return new TopicDestination(openTopic, to.topic, claim.task.partition, claim.outbox?.id ?? null)
  throw new ConfigurationError(
    `outlet ${name} sends to topic ${to.topic}, and whoever runs pipeline ${claim.task.pipeline} has not said how topics are opened: give the worker openTopic`,
    { ...claim.task },
  )
}

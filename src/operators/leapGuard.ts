import type { Json } from '../runtime/json.ts'
import type { Origin } from '../runtime/letters/deadLetters.ts'
import type { Restored } from '../runtime/operator/operator.ts'
import type { StateCodec } from '../runtime/state/keyedState.ts'

/** A leap that nothing has decided by the end of the input is believed only up to this: halts are longer than that rarely, typos often. */
const longestUnconfirmedMs = 3_600_000

export interface LeapGuardOptions<T> {
  readonly maxOutOfOrdernessMs: number
  readonly maxAdvanceMs: number
  readonly confirmations: number
  readonly codec: StateCodec<T>
}

/** A value whose time leaps ahead, until the data have decided about it. */
export class HeldValue<T> {
  readonly value: T
  readonly time: number
  readonly origin: Origin
  isAccepted = false
  /** Values since then that have come as far. */
  confirmed: number
  /** Values since then from before its time. */
  contradicted: number
  readonly newest: number

  constructor(value: T, time: number, origin: Origin, newest: number, confirmed = 0, contradicted = 0) {
    this.value = value
    this.time = time
    this.origin = origin
    this.newest = newest
    this.confirmed = confirmed
    this.contradicted = contradicted
  }

  explain(): string {
    const from = Number.isFinite(this.newest)
      ? `${this.time - this.newest} ms ahead of the newest time ${this.newest}`
      : 'the first time'
    return `its event time ${this.time} is ${from}; ${this.contradicted} later values came from before it, ${this.confirmed} came as far`
  }
}

/**
 * Decides, by data alone, whether a time that leaps ahead is to be believed. Where time starts is a leap too.
 *
 * Holds at most 2 × `confirmations` - 1 values: each later value speaks for or against each of them.
 */
export class LeapGuard<T> {
  readonly #options: LeapGuardOptions<T>
  #newest = Number.NEGATIVE_INFINITY
  #held: HeldValue<T>[] = []

  constructor(options: LeapGuardOptions<T>, restored: Restored) {
    this.#options = options
    if (restored.snapshot !== undefined) this.#restore(restored.snapshot as unknown as SavedGuard, restored)
  }

  /** True while nothing is held, which is almost always. */
  get isQuiet(): boolean {
    return this.#held.length === 0
  }

  /** The newest time that was believed, ms UTC; minus infinity before the first. */
  get newest(): number {
    return this.#newest
  }

  /** A value of this time was believed, and those before it. */
  follow(time: number): void {
    if (time > this.#newest) this.#newest = time
  }

  /** True, and the newest time follows, when the time is within reach of the newest one. */
  reaches(time: number): boolean {
    if (time > this.#newest + this.#options.maxAdvanceMs) return false
    this.follow(time)
    return true
  }

  /** What the held values' fate is after one more value with this time, in arrival order; those still open stay held. */
  witness(time: number): readonly HeldValue<T>[] {
    const { maxOutOfOrdernessMs, confirmations } = this.#options
    let newest = this.#newest
    for (const held of this.#held) {
      if (time >= held.time - maxOutOfOrdernessMs) held.confirmed += 1
      else held.contradicted += 1
      if (held.confirmed + 1 >= confirmations && held.time > newest) newest = held.time
    }
    return this.#decide(newest)
  }

  /** Time has come up to here without a value: what is within reach of it is believed. */
  reach(time: number): readonly HeldValue<T>[] {
    return this.#decide(Math.max(this.#newest, time))
  }

  hold(value: T, time: number, origin: Origin): void {
    this.#held.push(new HeldValue(value, time, origin, this.#newest))
  }

  #decide(reached: number): readonly HeldValue<T>[] {
    const { maxAdvanceMs, confirmations } = this.#options
    let newest = reached
    const decided: HeldValue<T>[] = []
    const open: HeldValue<T>[] = []
    for (const held of this.#held) {
      held.isAccepted = held.time <= newest + maxAdvanceMs
      if (held.isAccepted && held.time > newest) newest = held.time
      const isDecided = held.isAccepted || held.contradicted >= confirmations
      ;(isDecided ? decided : open).push(held)
    }
    this.#held = open
    this.#newest = newest
    return decided
  }

  /** No further value will come: believes what was not outvoted and does not leap beyond reason. */
  end(): readonly HeldValue<T>[] {
    const decided = this.#held
    this.#held = []
    for (const held of decided) {
      const isFirst = this.#newest === Number.NEGATIVE_INFINITY
      held.isAccepted =
        held.confirmed >= held.contradicted && (isFirst || held.time - this.#newest <= longestUnconfirmedMs)
      if (held.isAccepted && held.time > this.#newest) this.#newest = held.time
    }
    return decided
  }

  snapshot(): Json {
    return {
      newest: Number.isFinite(this.#newest) ? this.#newest : null,
      held: this.#held.map((held) => ({
        value: this.#options.codec.encode(held.value),
        time: held.time,
        newest: Number.isFinite(held.newest) ? held.newest : null,
        confirmed: held.confirmed,
        contradicted: held.contradicted,
        origin: held.origin.encode(),
      })),
    }
  }

  #restore(saved: SavedGuard, restored: Restored): void {
    this.#newest = saved.newest ?? Number.NEGATIVE_INFINITY
    this.#held = saved.held.map((held) => {
      const origin = restored.origin(held.origin)
      const newest = held.newest ?? Number.NEGATIVE_INFINITY
      const value = this.#options.codec.decode(held.value)
      return new HeldValue(value, held.time, origin, newest, held.confirmed, held.contradicted)
    })
  }
}

/** What `snapshot` gives. */
export interface SavedGuard {
  readonly newest: number | null
  readonly held: readonly {
    readonly value: Json
    readonly time: number
    readonly newest: number | null
    readonly confirmed: number
    readonly contradicted: number
    readonly origin: Json
  }[]
}

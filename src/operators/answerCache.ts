import type { Json } from '../runtime/json.ts'
import type { KeyedState, StateCodec } from '../runtime/state/keyedState.ts'
import { TimerQueue } from '../runtime/time/timerQueue.ts'

/** What somebody has answered, to a value of this time: ms of event time, NaN where it is not known. */
export interface Answer<A> {
  /** Null for none. */
  readonly value: A | null
  readonly at: number
}

/** What is asked about a key: one call, for all who want to know meanwhile. */
export class Ask<A> {
  /** Once there is one. */
  answer: Answer<A> | null = null
  /** True where there was an error instead. */
  hasFailed = false
  readonly #call: (() => Promise<Answer<A>>) | null
  #result: Promise<Answer<A>> | null = null

  /** @param call null for what was asked before a restart */
  constructor(call: (() => Promise<Answer<A>>) | null) {
    this.#call = call
  }

  get isUnderWay(): boolean {
    return this.answer === null && !this.hasFailed
  }

  /** Asks, unless somebody has already. */
  result(): Promise<Answer<A>> {
    if (this.#call === null) throw new Error('bug: what was asked before a restart is asked again')
    this.#result ??= this.#call()
    return this.#result
  }
}

/** How long answers are kept, and how many. Times are ms. */
export interface CacheLimits {
  /** The least recently used goes; 0 keeps none. */
  readonly maxEntries: number
  /** Infinite for ever. */
  readonly ttlMs: number
  /** Of answers that there is nothing; 0 keeps none. */
  readonly missTtlMs: number
}

/** What is kept of a key. */
export interface KeptAsk<A> {
  readonly ask: Ask<A>
  /** The number of its last use, counted over all keys. */
  used: number
  /** The latest event time of a value that has used it, NaN where they have none. */
  usedAt: number
  /** The event time at which it is looked at, infinite for never. */
  lookedAt: number
}

/**
 * The answers of one operator by key, and what is asked at the moment.
 *
 * Which answers it keeps depends on the values and their order alone, and not on when an answer comes: one that is waited for has its place already, and one that is of no use, such as an
 * error, has it until it is the least recently used. So a replay keeps the same.
 */
export class AnswerCache<A> {
  readonly #limits: CacheLimits
  readonly #saved: KeyedState<KeptAsk<A>> | null
  readonly #underWay = new Map<string, Ask<A>>()
  /** The least recently used first. */
  readonly #kept = new Map<string, KeptAsk<A>>()
  /** Which keys to look at when: those that have not been used for longer than any answer holds are forgotten. */
  readonly #unused = new TimerQueue<string>((key, time) => this.#kept.get(key)?.lookedAt === time)
  /** How many uses there were; saved with the rest. */
  uses: number

  /**
   * @param saved where what is kept becomes part of the checkpoint; null keeps it in memory
   * @param uses how many there were before a restart
   */
  constructor(limits: CacheLimits, saved: KeyedState<KeptAsk<A>> | null, uses: number) {
    this.uses = uses
    this.#limits = limits
    this.#saved = saved
    const restored = saved === null ? [] : [...saved.entries()].sort(([, a], [, b]) => a.used - b.used)
    for (const [key, kept] of restored) {
      this.#kept.set(key, kept)
      this.#lookAt(key, kept)
    }
    this.#evict()
  }

  /** The event time at which `forget` has something to do; infinite for never. */
  get nextDue(): number {
    return this.#unused.nextDue
  }

  /** What was last asked about the key, if it is kept or under way. */
  find(key: string): Ask<A> | undefined {
    return this.#underWay.get(key) ?? this.#kept.get(key)?.ask
  }

  /** Whether the answer holds for a value of this time. */
  isFresh({ value, at }: Answer<A>, now: number): boolean {
    const { ttlMs, missTtlMs } = this.#limits
    const keptMs = value === null ? missTtlMs : ttlMs
    return keptMs === Number.POSITIVE_INFINITY || (keptMs > 0 && now < at + keptMs)
  }

  /** From now on this is what is asked about the key. */
  begin(call: () => Promise<Answer<A>>, key: string): Ask<A> {
    const ask = new Ask<A>(async () => {
      try {
        const answer = await call()
        ask.answer = answer
        return answer
      } catch (error) {
        ask.hasFailed = true
        throw error
      } finally {
        if (this.#underWay.get(key) === ask) this.#underWay.delete(key)
        if (this.#kept.get(key)?.ask === ask) this.#saved?.update(key)
      }
    })
    this.#underWay.set(key, ask)
    return ask
  }

  /** A value of this event time, or NaN, has used what was asked about the key. */
  use(key: string, ask: Ask<A>, at: number): void {
    if (this.#limits.maxEntries === 0) return
    const before = this.#kept.get(key)
    this.uses += 1
    // A late value has not used it before those that came in time.
    const kept: KeptAsk<A> = {
      ask,
      used: this.uses,
      usedAt: before === undefined ? at : Math.max(before.usedAt, at),
      lookedAt: before?.lookedAt ?? Number.POSITIVE_INFINITY,
    }
    this.#kept.delete(key)
    this.#kept.set(key, kept)
    this.#saved?.set(key, kept)
    if (before === undefined) this.#lookAt(key, kept)
    this.#evict()
  }

  /** Lets go of what has not been used for longer than any answer holds. */
  forget(watermark: number): void {
    for (let due = this.#unused.take(watermark); due !== undefined; due = this.#unused.take(watermark)) {
      for (const key of due.items) {
        const kept = this.#kept.get(key)
        if (kept === undefined || kept.lookedAt !== due.time) continue
        kept.lookedAt = Number.POSITIVE_INFINITY
        if (kept.usedAt + this.#longestMs <= watermark) this.#delete(key)
        else this.#lookAt(key, kept)
      }
    }
  }

  get #longestMs(): number {
    return Math.max(this.#limits.ttlMs, this.#limits.missTtlMs)
  }

  #lookAt(key: string, kept: KeptAsk<A>): void {
    const at = kept.usedAt + this.#longestMs
    if (!Number.isFinite(at)) return
    kept.lookedAt = at
    this.#unused.add(at, key)
  }

  #evict(): void {
    for (const key of this.#kept.keys()) {
      if (this.#kept.size <= this.#limits.maxEntries) return
      this.#delete(key)
    }
  }

  #delete(key: string): void {
    const isLookedAt = Number.isFinite(this.#kept.get(key)?.lookedAt)
    this.#kept.delete(key)
    if (isLookedAt) this.#unused.withdraw()
    this.#saved?.delete(key)
  }
}

type SavedAsk = readonly [used: number, usedAt: number | null, at: number | null, value: Json, hasFailed: boolean]

/** How what is kept becomes part of a checkpoint, before which nothing is under way. */
export function keptAskState<A>(codec: StateCodec<A>): StateCodec<KeptAsk<A>> {
  const numberOf = (at: number) => (Number.isNaN(at) ? null : at)
  return {
    encode: ({ ask: { answer, hasFailed }, used, usedAt }) => {
      const value = answer === null || answer.value === null ? null : codec.encode(answer.value)
      return [used, numberOf(usedAt), numberOf(answer?.at ?? Number.NaN), value, hasFailed]
    },
    decode: (saved) => {
      const [used, usedAt, at, value, hasFailed] = saved as unknown as SavedAsk
      const ask = new Ask<A>(null)
      ask.hasFailed = hasFailed
      if (!hasFailed) ask.answer = { value: value === null ? null : codec.decode(value), at: at ?? Number.NaN }
      return { ask, used, usedAt: usedAt ?? Number.NaN, lookedAt: Number.POSITIVE_INFINITY }
    },
  }
}

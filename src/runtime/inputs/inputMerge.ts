import { ConfigurationError, DeterminismError } from '../errors.ts'
import type { Json } from '../json.ts'
import type { MergeNote } from '../store/checkpoint.ts'

/** An input as far as the order of merging depends on it. */
export interface MergedInput {
  /** What its part of the saved state is found again by. */
  readonly topic: string
  /** The furthest that one timestamp counts ahead of those before it, ms. */
  readonly maxAdvanceMs: number
  /** False for a table, whose records without a time come before all that have one. */
  readonly movesTime: boolean
}

/** A place in the order of records: by key, then by the order of the inputs. */
interface Rank {
  /** ms UTC: the record's timestamp, but not too far ahead of its input's newest one; so it depends on the input's own log alone. */
  readonly key: number
  readonly input: number
}

/** The next record of an input: one object for all that come, since each record is one for a moment. */
interface Head extends Rank {
  key: number
  offset: number
  /** It is no value, and what it says of time says nothing of where its input is. */
  isMarker: boolean
  /** In a replay: where the record was taken, if that was not by its rank. */
  note: MergeNote | null
}

interface InputState {
  newest: number
  /** The greatest that was let past the input while it had nothing. */
  passed: Rank | null
  /** Before anything else, the input is read up to this offset. */
  firstUntil: number
}

interface SavedInput {
  readonly newest: number | null
  readonly passed?: readonly [key: number, topic: string]
  readonly firstUntil?: number
}

/**
 * Decides in which order the records of several inputs go into a task.
 *
 * 1. While every input has a record, the least goes next.
 * 2. An input that has none may be passed, if the caller says so, and what was let past it is remembered.
 * 3. A record that comes below what was let past its input goes where the first rule puts it now, and a note says where that was. A replay, which has all records at hand, keeps
 *    noted records out of sight until the inputs stand where the note says.
 *
 * So the order is a function of the logs and the notes. Keeps a few numbers an input, which are part of the checkpoint.
 */
export class InputMerge {
  readonly #inputs: readonly MergedInput[]
  readonly #states: readonly InputState[]
  readonly #heads: (Head | null)[]
  readonly #headOf: readonly Head[]
  readonly #isReplay: boolean
  /** False where no input is read before the others. */
  #readsFirst: boolean

  /** @param saved what `snapshot` gave */
  constructor(inputs: readonly MergedInput[], saved: Json, isReplay: boolean) {
    this.#inputs = inputs
    this.#isReplay = isReplay
    this.#heads = inputs.map(() => null)
    this.#headOf = inputs.map((_, input) => ({ input, offset: 0, key: 0, note: null, isMarker: false }))
    const byTopic = (saved ?? {}) as unknown as Readonly<Record<string, SavedInput>>
    const topics = inputs.map(({ topic }) => topic)
    this.#states = topics.map((topic) => {
      const { newest = null, passed, firstUntil = 0 } = byTopic[topic] ?? {}
      return {
        newest: newest ?? Number.NEGATIVE_INFINITY,
        passed: passed === undefined ? null : { key: passed[0], input: topics.indexOf(passed[1]) },
        firstUntil,
      }
    })
    this.#readsFirst = this.#states.some(({ firstUntil }) => firstUntil > 0)
  }

  snapshot(): Json {
    return Object.fromEntries(
      this.#states.map(({ newest, passed, firstUntil }, i) => {
        const saved: SavedInput = {
          newest: Number.isFinite(newest) ? newest : null,
          ...(passed === null ? {} : { passed: [passed.key, this.#inputs[passed.input]?.topic ?? ''] }),
          ...(firstUntil === 0 ? {} : { firstUntil }),
        }
        return [this.#topic(i), saved as unknown as Json]
      }),
    )
  }

  /** Before anything else, the input is read up to this offset. */
  readFirst(input: number, firstUntil: number): void {
    this.#state(input).firstUntil = firstUntil
    this.#readsFirst = true
  }

  hasHead(input: number): boolean {
    return this.#heads[input] !== null
  }

  /** The offset of the input's next record, or null where none is there. */
  headOffset(input: number): number | null {
    return this.#heads[input]?.offset ?? null
  }

  /**
   * The input's next record is there.
   * @param timestamp ms UTC, negative for none
   * @param note in a replay, where the record was taken if that was not by its rank
   * @param isMarker true for one that is no value: it goes as soon as what came before it has gone
   * @throws ConfigurationError on a record without a time before any that has one, except in a table
   */
  arrive(input: number, offset: number, timestamp: number, note: MergeNote | null = null, isMarker = false): void {
    const { newest } = this.#state(input)
    const head = this.#headOf[input] as Head
    head.offset = offset
    head.note = note
    head.isMarker = isMarker
    if (isMarker) {
      head.key = newest === Number.NEGATIVE_INFINITY ? -1 : newest
      this.#heads[input] = head
      return
    }
    const { maxAdvanceMs, movesTime } = this.#inputs[input] as MergedInput
    if (timestamp < 0 && newest === Number.NEGATIVE_INFINITY && movesTime) throw this.#timeless(input, offset)
    const known = timestamp < 0 ? Math.max(newest, -1) : timestamp
    head.key = Math.min(known, newest === Number.NEGATIVE_INFINITY ? known : newest + maxAdvanceMs)
    this.#heads[input] = head
  }

  /**
   * Whose record goes next, or -1 where more has to come first.
   * @param nextOffsets where the inputs stand
   * @param mayPass whether the others may go on without an input that has nothing
   * @param hasEnded whether such an input will have nothing more
   */
  next(
    nextOffsets: readonly number[],
    mayPass: (input: number) => boolean,
    hasEnded: (input: number) => boolean,
  ): number {
    const first = this.#readingFirst(nextOffsets)
    if (first >= 0) return this.hasHead(first) ? first : -1
    const due = this.#isReplay ? this.#due(nextOffsets) : -1
    if (due >= 0) return due
    let least: Head | null = null
    let hidden: Head | null = null
    let isWaiting = false
    const heads = this.#heads
    // By index: this is asked before every record.
    for (let input = 0; input < heads.length; input += 1) {
      const head = heads[input] as Head | null
      if (head === null) isWaiting ||= !mayPass(input)
      else if (head.note !== null) hidden = head
      else if (least === null || isBefore(head, least)) least = head
    }
    if (isWaiting) return -1
    if (least !== null) return least.input
    if (hidden !== null && this.#heads.every((head, input) => head !== null || hasEnded(input))) {
      throw this.#unreachable(hidden)
    }
    return -1
  }

  /** The input for which alone must be waited, because it is read first; -1 for none. */
  readingFirst(nextOffsets: readonly number[]): number {
    return this.#readingFirst(nextOffsets)
  }

  /**
   * The input's record goes.
   * @param nextOffsets where the inputs stand before it
   * @returns what a replay has to know about it, or null
   */
  take(input: number, nextOffsets: readonly number[]): MergeNote | null {
    const head = this.#heads[input] as Head
    const state = this.#state(input)
    this.#heads[input] = null
    if (!head.isMarker) state.newest = Math.max(state.newest, head.key)
    if (head.offset < state.firstUntil) return null
    const isDisplaced = state.passed !== null && isBefore(head, state.passed)
    state.passed = null
    const heads = this.#heads
    for (let other = 0; other < heads.length; other += 1) {
      const waiting = heads[other] as Head | null
      // One that is there and comes before it is passed as well, where an order is repeated.
      if (other === input || (waiting !== null && !isBefore(waiting, head))) continue
      const passing = this.#state(other)
      if (passing.passed === null || isBefore(passing.passed, head)) passing.passed = { key: head.key, input }
    }
    if (this.#isReplay) return head.note
    return isDisplaced ? { input, offsets: nextOffsets.with(input, head.offset) } : null
  }

  #readingFirst(nextOffsets: readonly number[]): number {
    if (!this.#readsFirst) return -1
    return this.#states.findIndex(({ firstUntil }, input) => {
      const at = this.#heads[input]?.offset ?? (nextOffsets[input] as number)
      return at < firstUntil
    })
  }

  /** A noted record whose turn it is. */
  #due(nextOffsets: readonly number[]): number {
    const isThere = (offset: number, input: number) =>
      (this.#heads[input]?.offset ?? (nextOffsets[input] as number)) >= offset
    return this.#heads.findIndex((head) => head?.note?.offsets.every(isThere) === true)
  }

  #timeless(input: number, offset: number): ConfigurationError {
    return new ConfigurationError(
      `${this.#topic(input)}: the record at offset ${offset} has no timestamp, and inputs are merged by it: without, the records of ${this.#topic(input)} would always go first, whatever else waits. ` +
        'Write the records with a timestamp (millrace ingest --time FIELD, time in defineFeed), or say movesTime: false where the input is a table.',
    )
  }

  #unreachable({ input, offset, note }: Head): DeterminismError {
    return new DeterminismError(
      `${this.#topic(input)}: the record at offset ${offset} was taken when the inputs stood at ${note?.offsets.join(', ')}, which the logs of this replay do not reach; they are not those of the run that is repeated`,
    )
  }

  #state(input: number): InputState {
    return this.#states[input] as InputState
  }

  #topic(input: number): string {
    return (this.#inputs[input] as MergedInput).topic
  }
}

function isBefore(a: Rank, b: Rank): boolean {
  return a.key < b.key || (a.key === b.key && a.input < b.input)
}

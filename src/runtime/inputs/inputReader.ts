import { type Clock, sleptEnough } from '../clock.ts'
import { isMarkerRecord } from '../log/marker.ts'
import type { MergeNote } from '../store/checkpoint.ts'
import type { WorkerLimits } from '../task/workerLimits.ts'
import type { InputCursor } from './inputCursor.ts'
import type { InputMerge } from './inputMerge.ts'
import type { RecordedNotes } from './recordedNotes.ts'
import type { RepeatedOrder } from './takenOrder.ts'

/** So many inputs are fetched from with as much at once as the limit says; more of them share what these would hold, as far as fetches do not become so small that their number counts. */
const inputsAtFull = 2
const leastShareBytes = 256 * 1024

/** How the inputs of a task are read. */
export interface InputReaderOptions {
  readonly cursors: readonly InputCursor[]
  /** Null where there is one input. */
  readonly merge: InputMerge | null
  /** For a replay. */
  readonly notes: RecordedNotes | null
  /** The order of an attempt that has failed, which goes before any other. */
  readonly repeated: RepeatedOrder | null
  readonly clock: Clock
  readonly limits: WorkerLimits
  readonly signal: AbortSignal
}

/** How long a wait for records goes on. */
export interface MoreWait {
  readonly mostMs: number
  /** Ends it before; null where nothing does. */
  readonly until: AbortSignal | null
}

/**
 * Reads the inputs of one task and says whose record goes next. With one input, that is the order of its log.
 *
 * Holds one batch an input. `next` never waits; `more` waits for what `next` lacked.
 */
export class InputReader {
  readonly cursors: readonly InputCursor[]
  readonly #merge: InputMerge | null
  readonly #notes: RecordedNotes | null
  readonly #options: InputReaderOptions
  /** Inputs whose record is there, but not yet known to have no note. */
  readonly #lookups: number[] = []
  /** By input: whether its record has to be read, because the one before went. No set: adding and deleting at each record would leave its tables as garbage, one referring to the next. */
  readonly #isUnread: boolean[]
  #mergeNotes: MergeNote[] = []
  /** Where the task stands at the record at hand. */
  #nextOffsets: readonly number[] = []
  readonly #mayPassNow = (input: number): boolean => this.#mayPass(input, this.#nextOffsets)
  readonly #hasEndedNow = (input: number): boolean => this.#hasEnded(input, this.#nextOffsets)
  /** Of one fetch: less where many inputs hold some at the same time. */
  readonly #fetchBytes: number

  constructor(options: InputReaderOptions) {
    const { fetchMaxBytes } = options.limits
    const share = Math.max(leastShareBytes, (inputsAtFull * fetchMaxBytes) / options.cursors.length)
    this.#fetchBytes = Math.min(fetchMaxBytes, Math.floor(share))
    this.cursors = options.cursors
    this.#merge = options.merge
    this.#notes = options.notes
    this.#options = options
    this.#isUnread = options.cursors.map(() => true)
  }

  /**
   * The input whose record, the view of its cursor, goes next; -1 where more has to come first.
   * @param nextOffsets where the task stands
   * @param skipTo told of an input that has nothing below an offset any more
   */
  next(nextOffsets: readonly number[], skipTo: (offset: number, input: number) => void): number {
    const merge = this.#merge
    if (merge === null) return this.#advance(0, nextOffsets, skipTo) ? 0 : -1
    const isUnread = this.#isUnread
    for (let input = 0; input < isUnread.length; input += 1) {
      if (isUnread[input] !== true || !this.#advance(input, nextOffsets, skipTo)) continue
      isUnread[input] = false
      const { view } = this.cursors[input] as InputCursor
      const { offset, timestamp } = view
      const note = this.#notes === null ? null : this.#notes.known(input, offset)
      if (note === undefined) this.#lookups.push(input)
      else merge.arrive(input, offset, timestamp, note, isMarkerRecord(view))
    }
    if (this.#lookups.length > 0) return -1
    const repeated = this.#options.repeated?.isOver === false ? this.#repeatedInput(merge, nextOffsets) : null
    if (repeated !== null) return repeated
    this.#nextOffsets = nextOffsets
    return merge.next(nextOffsets, this.#mayPassNow, this.#hasEndedNow)
  }

  /** The record of the input goes. */
  take(input: number, nextOffsets: readonly number[]): void {
    if (this.#merge === null) return
    const note = this.#merge.take(input, nextOffsets)
    this.#isUnread[input] = true
    if (note !== null) this.#mergeNotes.push(note)
  }

  /** Notes on the order since the last call. */
  takeNotes(): readonly MergeNote[] {
    const notes = this.#mergeNotes
    this.#mergeNotes = []
    return notes
  }

  /** A note that is no record's. */
  note(note: MergeNote): void {
    this.#mergeNotes.push(note)
  }

  /**
   * Waits for what `next` lacks; false where nothing came. With one input, no longer than a fetch may wait.
   * @param moreWait how long at most, ms, and what ends it before
   */
  async more(nextOffsets: readonly number[], moreWait: MoreWait): Promise<boolean> {
    const { limits } = this.#options
    const merge = this.#merge
    const wait = (maxWaitMs: number, signal: AbortSignal) => ({ maxBytes: this.#fetchBytes, maxWaitMs, signal })
    if (merge === null) {
      const only = this.#only
      const maxWaitMs = only.end === null ? limits.fetchMaxWaitMs : 1
      return this.#endedBy(moreWait, (signal) => only.fetch(wait(maxWaitMs, signal)))
    }
    if (this.#lookups.length > 0) {
      await this.#lookUp(merge)
      return true
    }
    const first = merge.readingFirst(nextOffsets)
    const wanted = first >= 0 ? [first] : [...this.cursors.keys()].filter((input) => this.#isUnread[input] === true)
    const cursors = wanted.map((input) => this.cursors[input] as InputCursor)
    // One that was waited for in the background may have come meanwhile.
    if (cursors.some(({ isAtHand }) => isAtHand)) return true
    const fetches = cursors.map((cursor) =>
      cursor.startFetch(wait(cursor.end === null ? limits.fetchMaxWaitMs : 1, this.#options.signal)),
    )
    return this.#endedBy(moreWait, (_, ended) => Promise.race([...fetches, ended]))
  }

  /** Finds inputs from which nothing has come for so long that the others may go on; true where there is one more. */
  async findIdle(nextOffsets: readonly number[]): Promise<boolean> {
    const merge = this.#merge
    if (merge === null || merge.readingFirst(nextOffsets) >= 0) return false
    const now = this.#options.clock.now()
    let isFound = false
    for (const [input, cursor] of this.cursors.entries()) {
      const { idleAfterMs } = cursor.input
      if (cursor.isIdle || idleAfterMs === undefined || this.#isUnread[input] !== true || cursor.isAtHand) continue
      if (now - cursor.lastRecordAt < idleAfterMs || !(await cursor.hasNoMore(nextOffsets[input] as number))) continue
      // It may have come while the log was asked.
      if (cursor.isAtHand) continue
      cursor.isIdle = true
      isFound = true
    }
    return isFound
  }

  /** What is waited for before any record may go, in words, or null. */
  waitingFor(nextOffsets: readonly number[]): string | null {
    const merge = this.#merge
    if (merge === null || !this.cursors.some((_, input) => merge.hasHead(input))) return null
    const missing = this.cursors.filter((_, input) => !merge.hasHead(input) && !this.#mayPass(input, nextOffsets))
    if (missing.length === 0) return null
    const names = missing.map(({ input, topic }) =>
      input.idleAfterMs === undefined ? topic : `${topic} (at most ${input.idleAfterMs} ms)`,
    )
    const remedy = missing.some(({ input }) => input.idleAfterMs === undefined)
      ? ' (idleAfterMs of the input would let them)'
      : ''
    return `a record of ${names.join(', ')}, before which the other inputs do not go on${remedy}`
  }

  /** Whose record went next in the attempt before; -1 where it is not there yet or something else comes first, null where nothing is left to be repeated. */
  #repeatedInput(merge: InputMerge, nextOffsets: readonly number[]): number | null {
    const { repeated } = this.#options
    for (let deed = repeated?.next(nextOffsets); deed !== undefined; deed = repeated?.next(nextOffsets)) {
      if (deed.kind !== 'records') return -1
      const offset = merge.headOffset(deed.input)
      if (offset === null) return -1
      if (offset < deed.until) return deed.input
      // The log no longer has the record.
      repeated?.done()
    }
    return null
  }

  get #only(): InputCursor {
    return this.cursors[0] as InputCursor
  }

  #advance(input: number, nextOffsets: readonly number[], skipTo: (offset: number, input: number) => void): boolean {
    const cursor = this.cursors[input] as InputCursor
    if (cursor.isFetching) return false
    if (cursor.read(nextOffsets[input] as number)) return true
    const end = cursor.finishBatch()
    if (end !== null) skipTo(end, input)
    return false
  }

  #mayPass(input: number, nextOffsets: readonly number[]): boolean {
    return (this.cursors[input] as InputCursor).isIdle || this.#hasEnded(input, nextOffsets)
  }

  #hasEnded(input: number, nextOffsets: readonly number[]): boolean {
    const { end } = this.cursors[input] as InputCursor
    return end !== null && (nextOffsets[input] as number) >= end
  }

  async #lookUp(merge: InputMerge): Promise<void> {
    for (const input of this.#lookups.splice(0)) {
      const { view } = this.cursors[input] as InputCursor
      const note = (await this.#notes?.noteOf(input, view.offset)) ?? null
      merge.arrive(input, view.offset, view.timestamp, note, isMarkerRecord(view))
    }
  }

  /** What is waited for, with a signal that ends it: at the end of the task, at that of `until`, and by our own clock rather than by a log that would have to say that it has nothing. */
  async #endedBy(
    { mostMs, until }: MoreWait,
    wait: (signal: AbortSignal, ended: Promise<false>) => Promise<boolean>,
  ): Promise<boolean> {
    const { signal, clock } = this.#options
    const enders = until === null ? [signal] : [signal, until]
    const over = new AbortController()
    const stop = () => over.abort(sleptEnough)
    for (const ender of enders) {
      if (ender.aborted) stop()
      ender.addEventListener('abort', stop, { once: true })
    }
    const ended = clock.sleep(mostMs, over.signal).then((): false => {
      stop()
      return false
    })
    try {
      return await wait(over.signal, ended)
    } finally {
      for (const ender of enders) ender.removeEventListener('abort', stop)
      stop()
    }
  }
}

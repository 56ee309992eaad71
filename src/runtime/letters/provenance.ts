import type { ReadAhead } from '../log/readAhead.ts'
import type { RecordView } from '../log/record.ts'
import type { AskedPlace } from '../store/answers.ts'
import { nextAsk, Origin } from './deadLetters.ts'
import { LetterNumbers } from './letterNumbers.ts'

/** Values may go straight into the operators. */
export const open = 0
/** The task is at rest, so nothing should be on its way. */
export const atRest = 1
/** A record is on its way to one operator, which had set it aside. */
export const redriving = 2

/** A record of a task. */
export interface RecordPlace {
  readonly input: number
  readonly offset: number
}

/**
 * Whose doing it is what happens in a task: that of the record that is pushed, of one whose value was held back, or of none, as when timers fire. And for which
 * operator a record comes a second time.
 *
 * Keeps the record of the push, and how many letters each operator has written of it.
 */
export class Provenance {
  /** `open`, `atRest` or `redriving`. */
  gate = atRest
  /** The operator for which the record comes a second time, until it has come there. */
  redrivenFor: string | null = null
  #record: RecordView | null = null
  /** Where the record is one of several that were read ahead, and its view may not be shown yet. */
  #ahead: ReadAhead | null = null
  /** Of the last record, or of the one that is pushed; so is the offset. */
  #input: number
  #offset: number
  /** Counts letters by operator; null while nobody has asked. */
  #ordinals: LetterNumbers | null
  #recordOrigin: Origin | null = null
  /** Where the task's own last record is, while one that other tasks have as well is pushed. */
  #own: (RecordPlace & { readonly ordinals: LetterNumbers | null }) | null = null
  /** One that was taken earlier and holds for the moment. */
  #held: Origin | null = null
  /** What was put off when this one was pushed goes on. */
  #cause: RecordPlace | null = null
  #isTimed = false
  #isSecondTime = false
  #hasArrived = true
  /** Null unless arrivals are being counted. */
  #arrivals: number | null = null

  readonly #mostLetterBytes: number

  /**
   * @param ordinals how many letters each operator has written of the record at `offset`
   * @param mostLetterBytes how much is remembered of each part of a record that is set aside
   */
  constructor(input: number, offset: number, ordinals: LetterNumbers, mostLetterBytes: number) {
    this.#mostLetterBytes = mostLetterBytes
    this.#input = input
    this.#offset = offset
    this.#ordinals = ordinals
  }

  /** A record is pushed. */
  begin(record: RecordView, input: number): void {
    this.#ahead = null
    this.#record = record
    this.#input = input
    this.#offset = record.offset
    this.#ordinals = null
  }

  /** The same of the record at hand of those that were read ahead. */
  beginAhead(ahead: ReadAhead, input: number): void {
    this.#ahead = ahead
    this.#record = ahead.view
    this.#input = input
    this.#offset = ahead.offsets[ahead.at] as number
    this.#ordinals = null
  }

  /** The same of one that other tasks have as well: what happens behind it without a record still stands where the task's own last record does. */
  beginShared(record: RecordView, input: number): void {
    this.#own = { input: this.#input, offset: this.#offset, ordinals: this.#ordinals }
    this.begin(record, input)
  }

  end(): void {
    this.#record = null
    this.#recordOrigin = null
    if (this.#own === null) return
    this.#input = this.#own.input
    this.#offset = this.#own.offset
    this.#ordinals = this.#own.ordinals
    this.#own = null
  }

  /** The offset of the record that is pushed, or was last. */
  get offset(): number {
    return this.#offset
  }

  /** Which input that record came from. */
  get input(): number {
    return this.#input
  }

  /**
   * The record by whose push all came about that happens now: the last one, or that which had started a call whose result is let through. When that is let through depends on where cuts fall;
   * this does not.
   */
  get cause(): RecordPlace {
    return this.#cause ?? { input: this.#input, offset: this.#offset }
  }

  /** Runs `act`, which was put off when this was the cause. */
  causedBy(cause: RecordPlace, act: () => void): void {
    const before = this.#cause
    this.#cause = cause
    try {
      act()
    } finally {
      this.#cause = before
    }
  }

  /** The timestamp of the record whose doing it is what happens now, ms UTC; null where it has none, and for what is no record's doing. */
  get recordTime(): number | null {
    if (this.#isTimed) return null
    if (this.#held !== null) return this.#held.recordTime
    const timestamp = this.#shown()?.timestamp ?? -1
    return timestamp < 0 ? null : timestamp
  }

  get ordinals(): ReadonlyMap<string, number> {
    return this.#ordinals?.counts ?? none
  }

  origin(): Origin {
    // Whoever holds a redriven record back answers for it.
    this.#hasArrived = true
    if (this.#held !== null) return this.#isTimed ? this.#held.withoutRecord() : this.#held.redrivenTo(this.redrivenFor)
    this.#ordinals ??= new LetterNumbers()
    const record = this.#isTimed ? null : this.#shown()
    if (record === null) return Origin.at(this.#input, this.#offset, this.#ordinals)
    this.#recordOrigin ??= Origin.of(record, this.#input, this.redrivenFor, this.#ordinals, this.#mostLetterBytes)
    return this.#recordOrigin.redrivenTo(this.redrivenFor)
  }

  /** Where what happens now stands, for an operator that asks about it; each call is another value of the record. */
  askedPlace(operator: string): AskedPlace {
    if (this.#held !== null) {
      const { input, offset } = this.#held
      return { input, offset, ordinal: this.#held.nextAsk(operator) }
    }
    this.#ordinals ??= new LetterNumbers()
    return { input: this.#input, offset: this.#offset, ordinal: nextAsk(this.#ordinals, operator) }
  }

  /** Runs `act` as the doing of the origin's record. */
  during(origin: Origin, act: () => void): void {
    const held = this.#held
    const isTimed = this.#isTimed
    this.#held = origin
    this.#isTimed = false
    try {
      act()
    } finally {
      this.#held = held
      this.#isTimed = isTimed
    }
  }

  /** Runs `act`, timers that fire, as no record's doing. */
  timed(act: () => void): void {
    const isTimed = this.#isTimed
    this.#isTimed = true
    try {
      this.#asIfFor(null, act)
    } finally {
      this.#isTimed = isTimed
    }
  }

  /**
   * Runs `act` for the operator that had set the record aside, null for an ordinary record: operators above it let it pass, those beside it have had it.
   * `onMissed` is told when it has not come there and nobody holds it back.
   */
  redriving(target: string | null, act: () => void, onMissed: (target: string) => void): void {
    const hadArrived = this.#hasArrived
    this.#hasArrived = target === null
    try {
      this.#asIfFor(target, () => {
        act()
        if (!this.#hasArrived) onMissed(target as string)
      })
    } finally {
      this.#hasArrived = hadArrived
    }
  }

  /** Looks how many values of the record come to the operator that had set one of them aside; nothing is done with them, and nothing set aside. */
  arrivalsAt(target: string, act: () => void): number {
    this.#arrivals = 0
    try {
      this.#asIfFor(target, act)
      return this.#arrivals
    } finally {
      this.#arrivals = null
    }
  }

  /** While it is looked how far the record comes: there is an operator on the way that will pass it on later. */
  expectLater(): void {
    this.#arrivals = (this.#arrivals ?? 0) + 1
  }

  /** True for what a record brings about by itself, and not a timer, or one that was held back. */
  get isOwnDoing(): boolean {
    return this.#record !== null && !this.#isTimed && this.#held === null
  }

  /** True while `arrivalsAt` looks ahead. */
  get isLookingAhead(): boolean {
    return this.#arrivals !== null
  }

  /** True while a record that was redriven is where it had been set aside, or below. */
  get isSecondTime(): boolean {
    return this.#isSecondTime
  }

  /** The record has come to where it had been set aside: from here on it is like any other. */
  arrived(act: () => void): void {
    this.#hasArrived = true
    if (this.#arrivals !== null) {
      this.#arrivals += 1
      return
    }
    const before = this.#isSecondTime
    this.#isSecondTime = true
    try {
      this.#asIfFor(null, act)
    } finally {
      this.#isSecondTime = before
    }
  }

  #shown(): RecordView | null {
    return this.#record === null || this.#ahead === null ? this.#record : this.#ahead.show()
  }

  #asIfFor(target: string | null, act: () => void): void {
    const { redrivenFor, gate } = this
    this.redrivenFor = target
    this.gate = target === null ? open : redriving
    try {
      act()
    } finally {
      this.redrivenFor = redrivenFor
      this.gate = gate
    }
  }
}

const none: ReadonlyMap<string, number> = new Map()

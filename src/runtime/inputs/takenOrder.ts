import { PairQueue } from '../pairQueue.ts'
import type { LookupAnswer } from '../store/answers.ts'

const noRecords = -1

/** Something that a task did: it took records of an input, it moved a time by itself, or it declared its inputs ended. */
export type Deed =
  | { readonly kind: 'records'; readonly input: number; until: number }
  | { readonly kind: 'step'; readonly watermark: number; readonly clock: string | undefined }
  | { readonly kind: 'end' }

/**
 * In which order one attempt at a task did what it did since the last checkpoint. Records of one input in a row are one deed. Keeps two numbers a deed, since inputs that are merged take turns.
 */
export class TakenOrder {
  /** By deed: the input that it took records of and the offset behind them, or `noRecords` and which of the other deeds it is. */
  readonly #deeds = new PairQueue()
  #others: Exclude<Deed, { kind: 'records' }>[] = []
  /** How many deeds were forgotten, and how many of the others. */
  #forgotten = 0
  #forgottenOthers = 0
  /** The input of the last deed, as long as records may be added to it. */
  #run = noRecords
  readonly #firstUntils = new Map<number, number>()
  #answers: LookupAnswer[] = []
  #before: readonly LookupAnswer[] = []
  /** How many answers there were at the last mark; they are in the checkpoint that it was made for. */
  #marked = 0

  get deeds(): readonly Deed[] {
    return [...this.#deeds].map(([input, until]) =>
      input === noRecords ? (this.#others[until - this.#forgottenOthers] as Deed) : { kind: 'records', input, until },
    )
  }

  /** What its operators were told from outside, and those of the attempts that it repeats: the next attempt is told the same, for what it fails on may depend on it. */
  get answers(): readonly LookupAnswer[] {
    if (this.#before.length === 0) return this.#answers
    const byPlace = [...this.#before, ...this.#answers].map((answer) => [placeOf(answer), answer] as const)
    return [...new Map(byPlace).values()]
  }

  /** This attempt repeats one that may have got further: what that one was told holds for the next one as well, where this one does not come so far. */
  repeats(order: TakenOrder): void {
    this.#before = order.answers
  }

  /** What was failed on is committed: nobody has to repeat what was told before. */
  repeatsNoMore(): void {
    this.#before = []
  }

  answered(answer: LookupAnswer): void {
    this.#answers.push(answer)
  }

  /** Up to where an input was read before all others; 0 where it was not. */
  firstUntil(input: number): number {
    return this.#firstUntils.get(input) ?? 0
  }

  readFirst(input: number, firstUntil: number): void {
    this.#firstUntils.set(input, firstUntil)
  }

  /** @param until the offset behind the record */
  took(input: number, until: number): void {
    if (this.#run === input) this.#deeds.setLast(until)
    else {
      this.#run = input
      this.#deeds.push(input, until)
    }
  }

  did(deed: Exclude<Deed, { kind: 'records' }>): void {
    this.#run = noRecords
    this.#deeds.push(noRecords, this.#forgottenOthers + this.#others.length)
    this.#others.push(deed)
  }

  /** For `forget`, once everything up to now is committed. */
  mark(): number {
    this.#run = noRecords
    this.#marked = this.#answers.length
    return this.#forgotten + this.#deeds.length
  }

  forget(mark: number): void {
    let left = mark - this.#forgotten
    let others = 0
    if (this.#others.length > 0) {
      for (const [input] of this.#deeds) {
        if (left === 0) break
        left -= 1
        if (input === noRecords) others += 1
      }
    }
    this.#deeds.drop(mark - this.#forgotten)
    this.#others = this.#others.slice(others)
    this.#forgottenOthers += others
    this.#forgotten = mark
    this.#answers = this.#answers.slice(this.#marked)
    this.#marked = 0
  }
}

function placeOf({ input, offset, ordinal, operator }: LookupAnswer): string {
  return `${input}/${offset}/${ordinal}/${operator}`
}

/**
 * What an attempt has to do again in the order of the one before, which has failed on a value: it is found again by what was emitted at its record, and that depends
 * on what came before.
 */
export class RepeatedOrder {
  readonly #order: TakenOrder
  readonly #left: Deed[]

  /** @param nextOffsets where the attempt begins; more may be committed than the one before had heard of */
  constructor(order: TakenOrder, nextOffsets: readonly number[]) {
    this.#order = order
    const { deeds } = order
    const lastCommitted = deeds.findLastIndex((deed) => deed.kind === 'records' && isOver(deed, nextOffsets))
    this.#left = deeds.slice(lastCommitted + 1)
  }

  get isOver(): boolean {
    return this.#left.length === 0
  }

  /** Up to where the input was read before all others. */
  firstUntil(input: number): number {
    return this.#order.firstUntil(input)
  }

  /** What comes next where the inputs stand here; undefined when it is over. */
  next(nextOffsets: readonly number[]): Deed | undefined {
    while (this.#left[0]?.kind === 'records' && isOver(this.#left[0], nextOffsets)) this.#left.shift()
    return this.#left[0]
  }

  /** The next deed is done, or cannot be done. */
  done(): void {
    this.#left.shift()
  }
}

function isOver({ input, until }: Deed & { kind: 'records' }, nextOffsets: readonly number[]): boolean {
  return (nextOffsets[input] as number) >= until
}

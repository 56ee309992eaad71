import type { TakenOrder } from '../inputs/takenOrder.ts'
import type { AnswerBook, AskedPlace, LookupAnswer } from '../store/answers.ts'
import type { CheckpointStore, TaskId } from '../store/checkpoint.ts'

const pageAnswers = 1_000

/** Answers of one input, from one offset to another. */
interface Page {
  from: number
  /** Everything up to this offset is known; infinite once there is no more. */
  until: number
  readonly answers: Map<string, LookupAnswer>
}

/**
 * The answers that a task finds in the store: what its operators were told when these records were read before. It reads a page at a time, forward; at the end of the log, where nothing is
 * stored yet, it costs one question an input.
 *
 * Keeps answers until the checkpoint behind them. An attempt that follows one which has failed on a value is told what that one was.
 */
export class RecordedAnswers implements AnswerBook {
  readonly #store: CheckpointStore
  readonly #of: TaskId
  readonly #nameToday: (operator: string) => string
  readonly #order: TakenOrder
  /** By place. */
  readonly #repeated: ReadonlyMap<string, LookupAnswer>
  readonly #pages = new Map<number, Page>()
  readonly #reading = new Map<number, Promise<void>>()

  /**
   * @param of whose answers they are
   * @param order what the attempt does, which the answers are part of
   * @param repeated the same of the attempt before, where it is repeated
   * @param nameToday what an operator that had this name is called now
   */
  constructor(
    store: CheckpointStore,
    of: TaskId,
    nameToday: (operator: string) => string,
    order: TakenOrder,
    repeated: TakenOrder | null,
  ) {
    this.#order = order
    this.#repeated = new Map((repeated?.answers ?? []).map((answer) => [placeOf(answer.operator, answer), answer]))
    this.#store = store
    this.#of = of
    this.#nameToday = nameToday
  }

  find(operator: string, key: string, place: AskedPlace): LookupAnswer | null | Promise<LookupAnswer | null> {
    const repeated = this.#repeated.get(placeOf(operator, place))
    if (repeated?.key === key) return repeated
    const page = this.#pages.get(place.input)
    if (page === undefined || !covers(page, place.offset)) return this.#found(operator, key, place)
    const found = page.answers.get(idOf(operator, place))
    // Code that asks about something else now has not been answered yet.
    return found?.key === key ? found : null
  }

  note(answer: LookupAnswer): void {
    this.#order.answered(answer)
  }

  /** Lets go of what is below where a checkpoint stands. What is asked about there after all, because it was held back, is read again. */
  forgetBefore(nextOffsets: readonly number[]): void {
    for (const [input, page] of this.#pages) {
      page.from = Math.max(page.from, nextOffsets[input] as number)
      for (const [id, { offset }] of page.answers) {
        if (offset >= page.from) break
        page.answers.delete(id)
      }
    }
  }

  async #found(operator: string, key: string, place: AskedPlace): Promise<LookupAnswer | null> {
    const { input, offset } = place
    for (
      let page = this.#pages.get(input);
      page === undefined || !covers(page, offset);
      page = this.#pages.get(input)
    ) {
      // Several are asked about at once, and read together.
      const reading = this.#reading.get(input) ?? this.#read(input, offset)
      this.#reading.set(input, reading)
      try {
        await reading
      } finally {
        this.#reading.delete(input)
      }
    }
    return this.find(operator, key, place)
  }

  async #read(input: number, offset: number): Promise<void> {
    const known = this.#pages.get(input)
    const isOlder = known === undefined || offset < known.from
    const from = isOlder ? offset : known.until + 1
    for (let limit = pageAnswers; ; limit *= 2) {
      const read = await this.#store.answers(this.#of, input, from, limit)
      const last = read.at(-1)
      const isLast = read.length < limit
      // The last record of a full page may have more answers than are in it.
      const until = last === undefined || isLast ? Number.POSITIVE_INFINITY : last.offset - 1
      if (until < from) continue
      const page: Page = isOlder ? { from, until, answers: new Map() } : known
      page.until = until
      for (const answer of read) {
        if (answer.offset <= until) page.answers.set(idOf(this.#nameToday(answer.operator), answer), answer)
      }
      this.#pages.set(input, page)
      return
    }
  }
}

function covers({ from, until }: Page, offset: number): boolean {
  return from <= offset && offset <= until
}

function placeOf(operator: string, place: AskedPlace): string {
  return `${place.input}/${idOf(operator, place)}`
}

function idOf(operator: string, { offset, ordinal }: AskedPlace): string {
  return `${offset}/${ordinal}/${operator}`
}

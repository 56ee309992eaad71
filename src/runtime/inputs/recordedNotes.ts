import type { CheckpointStore, MergeNote, TaskId } from '../store/checkpoint.ts'

const pageNotes = 1_000

interface Page {
  readonly notes: readonly MergeNote[]
  next: number
  readonly isLast: boolean
}

/** Where an earlier run took records in another order than by their rank, for the one that repeats it. Each input is asked with growing offsets; keeps a page an input. */
export class RecordedNotes {
  readonly #store: CheckpointStore
  readonly #of: TaskId
  readonly #pages = new Map<number, Page>()

  constructor(store: CheckpointStore, of: TaskId) {
    this.#store = store
    this.#of = of
  }

  /** Up to where the input was read before all others; 0 where it was not. */
  async firstUntil(input: number): Promise<number> {
    const [first] = await this.#store.mergeNotes(this.#of, input, 0, 1)
    return first?.isFirst === true ? (first.offsets[input] as number) : 0
  }

  /** The note of the record, or null; undefined where it has to be looked for. */
  known(input: number, offset: number): MergeNote | null | undefined {
    const page = this.#pages.get(input)
    if (page === undefined) return undefined
    for (let note = page.notes[page.next]; note !== undefined; note = page.notes[page.next]) {
      const at = note.offsets[input] as number
      if (at > offset) return null
      if (at === offset && note.isFirst !== true) return note
      page.next += 1
    }
    return page.isLast ? null : undefined
  }

  async noteOf(input: number, offset: number): Promise<MergeNote | null> {
    for (;;) {
      const note = this.known(input, offset)
      if (note !== undefined) return note
      const notes = await this.#store.mergeNotes(this.#of, input, offset, pageNotes)
      this.#pages.set(input, { notes, next: 0, isLast: notes.length < pageNotes })
    }
  }
}

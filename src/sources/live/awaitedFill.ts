import type { Pages, SequencedFrame } from './gapFill.ts'
import { unlessAborted } from './unlessAborted.ts'

/** What is being fetched while everything waits, and what is to be done when it has come. */
export interface Filling {
  readonly symbols: readonly string[]
  /** ms by the clock. */
  readonly since: number
  readonly pages: Pages
  readonly end: () => void
}

/** Holds everything up while trades are fetched, one filling at a time. Keeps the page that is on its way. */
export class AwaitedFill {
  #filling: Filling | null = null
  #page: Promise<IteratorResult<SequencedFrame[], void>> | null = null

  /** What everything waits for, or null. */
  get now(): Filling | null {
    return this.#filling
  }

  begin(filling: Filling): void {
    this.#filling = filling
  }

  /** The next page; empty once all has come, and where nothing is awaited. A stop does not wait for it, and gets none either: it is kept for a next call. */
  async next(signal: AbortSignal): Promise<readonly SequencedFrame[]> {
    if (this.#filling === null) return []
    const { pages, end } = this.#filling
    this.#page ??= pages.next()
    const page = await unlessAborted(this.#page, signal)
    if (page === null) return []
    this.#page = null
    if (page.done !== true) return page.value
    this.#filling = null
    end()
    return []
  }
}

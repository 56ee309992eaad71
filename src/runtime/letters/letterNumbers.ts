const none: ReadonlyMap<string, number> = new Map()

/**
 * How many letters there are of one record, by operator; all that is made of the record shares it. Of questions that are asked about it there is a count as well.
 *
 * Most records have none, so there is nothing before the first.
 */
export class LetterNumbers {
  #counts: Map<string, number> | null = null
  #watcher: (() => void) | null = null
  #otherWatchers: (() => void)[] | null = null

  /** By operator, how many letters there are: a count from 0. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts ?? none
  }

  /** The next number, a count from 0; it stays free. */
  next(name: string): number {
    return this.#counts?.get(name) ?? 0
  }

  /** Gives the next number, a count from 0; it is taken. */
  take(name: string): number {
    const number = this.next(name)
    this.goOnAt(name, number + 1)
    this.#watcher?.()
    for (const watcher of this.#otherWatchers ?? []) watcher()
    return number
  }

  /** What a checkpoint says of it: `next` is a count from 0. */
  goOnAt(name: string, next: number): void {
    this.#counts ??= new Map()
    this.#counts.set(name, next)
  }

  /** From now on, each time one is taken. */
  onTaken(act: () => void): void {
    if (this.#watcher === null) this.#watcher = act
    else {
      this.#otherWatchers ??= []
      this.#otherWatchers.push(act)
    }
  }
}

/** How many letters there are of one record, by operator; all that is made of the record shares it. Of questions that are asked about it there is a count as well. */
export class LetterNumbers extends Map<string, number> {
  #watchers: (() => void)[] | null = null

  /** Gives the next number, from 0. */
  take(name: string): number {
    const number = this.get(name) ?? 0
    this.set(name, number + 1)
    for (const watcher of this.#watchers ?? []) watcher()
    return number
  }

  /** From now on, each time one is taken. */
  onTaken(act: () => void): void {
    this.#watchers ??= []
    this.#watchers.push(act)
  }
}

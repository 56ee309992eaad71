import { CopiedRows } from '../sinks/postgres/copiedRows.ts'

/** One part is read while gold is made of the one before it, and the lake's files of the one before that. */
const mostRooms = 3

/** Room for the minutes of some parts of a pass, which is free again once all who read them are done. Holds the bytes of so many parts, and no more: who wants another one waits. */
export class CopiedRooms {
  readonly #free: CopiedRows[] = []
  readonly #waiting: ((rows: CopiedRows) => void)[] = []
  /** Of rooms that are not free. */
  readonly #users = new Map<CopiedRows, number>()

  /** An empty one, to be given back. */
  async take(): Promise<CopiedRows> {
    const isFull = this.#free.length === 0 && this.#users.size === mostRooms
    const rows = isFull
      ? await new Promise<CopiedRows>((resolve) => this.#waiting.push(resolve))
      : (this.#free.pop() ?? new CopiedRows())
    this.#users.set(rows, 1)
    return rows
  }

  /** For one more who reads what is in there: gives what to call once that is done. */
  share(rows: CopiedRows): () => void {
    this.#users.set(rows, (this.#users.get(rows) ?? 0) + 1)
    return () => this.give(rows)
  }

  give(rows: CopiedRows): void {
    const users = (this.#users.get(rows) ?? 1) - 1
    if (users > 0) {
      this.#users.set(rows, users)
      return
    }
    rows.clear()
    const next = this.#waiting.shift()
    if (next !== undefined) {
      next(rows)
      return
    }
    this.#users.delete(rows)
    this.#free.push(rows)
  }
}

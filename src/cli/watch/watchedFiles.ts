import { statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const lookEveryMs = 200

/**
 * Files whose change is looked for five times a second by their time, size and number. It works with every editor, also those that put a new file in the place of the
 * old one, on every file system, and for files that are not there yet. Holds a line of text a file.
 */
export class WatchedFiles {
  readonly #seen = new Map<string, string>()

  /** From now on. */
  add(path: string): void {
    if (!this.#seen.has(path)) this.#seen.set(path, stampOf(path))
  }

  /** Resolves with the first file that has changed, once nothing has changed any more for a moment; with null when the signal fires. */
  async changed(signal: AbortSignal): Promise<string | null> {
    let first: string | null = null
    while (!signal.aborted) {
      const found = this.#look()
      if (found === null && first !== null) return first
      first ??= found
      await sleep(lookEveryMs, undefined, { signal }).catch(() => undefined)
    }
    return null
  }

  #look(): string | null {
    let found: string | null = null
    for (const [path, seen] of this.#seen) {
      const stamp = stampOf(path)
      if (stamp === seen) continue
      this.#seen.set(path, stamp)
      found ??= path
    }
    return found
  }
}

function stampOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false })
  return found === undefined ? 'none' : `${found.ino}/${found.mtimeMs}/${found.size}`
}

import { readFile, stat } from 'node:fs/promises'
import { ConfigurationError } from '../../runtime/errors.ts'
import { parseSymbols, type SymbolsFile } from './symbolsFile.ts'

/** Reads a file of symbols. Throws `ConfigurationError` for one that is not there or not well formed. */
export async function readSymbolsFile(path: string): Promise<SymbolsFile> {
  return parseSymbols(path, await symbolsText(path)).file
}

/** The text of a file of symbols. Throws `ConfigurationError` where there is none that this process may read. */
export async function symbolsText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    throw new ConfigurationError(
      code === 'ENOENT'
        ? `${path} does not exist. Make one with \`millrace symbols add BTCUSDT\`, or name another with --symbols-file.`
        : `${path} cannot be read (${String(code)}).`,
      { cause: error },
    )
  }
}

export interface FollowSymbolsOptions {
  readonly path: string
  /** ms of a clock that nobody sets; the file is looked at once a second at most. */
  readonly now?: () => number
  /** Lines for people: what a change brings, or why it is left out. */
  readonly onNotice: (line: string) => void
}

const lookEveryMs = 1_000

/**
 * Looks whether a file of symbols has changed. A file that is gone, or not well formed, or leaves nothing to take, changes nothing: that is told once, and what was wanted
 * before stays wanted, because a slip of the hand must not stop what runs.
 *
 * Keeps the list that is wanted. Looks when it is asked only.
 */
export class SymbolsFollower {
  readonly #path: string
  readonly #now: () => number
  readonly #onNotice: (line: string) => void
  readonly #choose: (file: SymbolsFile) => readonly string[]
  #lookedAt: number
  #seen: string | null
  #wanted: readonly string[]

  /** @param wanted what is wanted by now @param choose what of the file is wanted */
  constructor(
    { path, now = () => performance.now(), onNotice }: FollowSymbolsOptions,
    wanted: readonly string[],
    choose: (file: SymbolsFile) => readonly string[],
  ) {
    this.#path = path
    this.#now = now
    this.#onNotice = onNotice
    this.#wanted = wanted
    this.#choose = choose
    this.#lookedAt = Number.NEGATIVE_INFINITY
    this.#seen = null
  }

  get wanted(): readonly string[] {
    return this.#wanted
  }

  /** True when another list is wanted than before. Never throws. */
  async look(): Promise<boolean> {
    const now = this.#now()
    if (now - this.#lookedAt < lookEveryMs) return false
    this.#lookedAt = now
    const seen = await this.#mark()
    if (seen === this.#seen) return false
    this.#seen = seen
    try {
      return this.#take(await readSymbolsFile(this.#path))
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      this.#onNotice(`${why} Going on with ${this.#wanted.length} symbols as before.`)
      return false
    }
  }

  #take(file: SymbolsFile): boolean {
    const wanted = this.#choose(file)
    const added = wanted.filter((symbol) => !this.#wanted.includes(symbol))
    const removed = this.#wanted.filter((symbol) => !wanted.includes(symbol))
    if (added.length === 0 && removed.length === 0) return false
    if (wanted.length === 0) {
      this.#onNotice(
        `${this.#path} leaves no symbol to take: going on with ${this.#wanted.length} as before. Stop the ingest instead.`,
      )
      return false
    }
    const changes = [...added.map((symbol) => `+${symbol}`), ...removed.map((symbol) => `-${symbol}`)]
    this.#onNotice(
      `${this.#path} has changed: ${changes.slice(0, 20).join(' ')}${changes.length > 20 ? ` and ${changes.length - 20} more` : ''}`,
    )
    this.#wanted = wanted
    return true
  }

  /** Tells one state of the file from another; editors put a new file in the place of the old one. */
  async #mark(): Promise<string> {
    try {
      const { ino, size, mtimeMs } = await stat(this.#path)
      return `${ino} ${size} ${mtimeMs}`
    } catch (error) {
      return `gone: ${error instanceof Error && 'code' in error ? String(error.code) : ''}`
    }
  }
}

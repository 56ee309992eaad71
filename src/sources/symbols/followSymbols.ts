import { readFile, stat } from 'node:fs/promises'
import { ConfigurationError } from '../../runtime/errors.ts'
import { parseSymbols, type SymbolsFile } from './symbolsFile.ts'
import { symbolsOfTrades, wantedStreams } from './wantedStreams.ts'

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
  /** Told of the streams that are wanted when others are than before. */
  readonly onChange?: (wanted: readonly string[]) => void
}

const lookEveryMs = 1_000

/**
 * Looks whether a file of symbols has changed. A file that is gone, or not well formed, or leaves no trades to take, changes nothing: that is told once, and what was wanted
 * before stays wanted, because a slip of the hand must not stop what runs.
 *
 * Keeps the streams that are wanted, for all feeds that follow it. Looks when it is asked only.
 */
export class SymbolsFollower {
  readonly #path: string
  readonly #now: () => number
  readonly #onNotice: (line: string) => void
  readonly #onChange: (wanted: readonly string[]) => void
  #lookedAt: number
  #seen: string | null
  #wanted: readonly string[]

  /** @param wanted the streams that are wanted by now: `btcusdt@trade` */
  constructor(options: FollowSymbolsOptions, wanted: readonly string[]) {
    const { path, now = () => performance.now(), onNotice, onChange = () => undefined } = options
    this.#path = path
    this.#now = now
    this.#onNotice = onNotice
    this.#onChange = onChange
    this.#wanted = wanted
    this.#lookedAt = Number.NEGATIVE_INFINITY
    this.#seen = null
  }

  /** Streams; another list where others are wanted than before. */
  get wanted(): readonly string[] {
    return this.#wanted
  }

  /** Never throws. */
  async look(): Promise<void> {
    const now = this.#now()
    if (now - this.#lookedAt < lookEveryMs) return
    this.#lookedAt = now
    const seen = await this.#mark()
    if (seen === this.#seen) return
    this.#seen = seen
    try {
      this.#take(wantedStreams(await readSymbolsFile(this.#path)))
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      this.#onNotice(`${why} Going on with ${symbolsOfTrades(this.#wanted).length} symbols as before.`)
    }
  }

  #take(wanted: readonly string[]): void {
    const [before, after] = [new Set(this.#wanted), new Set(wanted)]
    const added = wanted.filter((stream) => !before.has(stream))
    const removed = this.#wanted.filter((stream) => !after.has(stream))
    if (added.length === 0 && removed.length === 0) return
    const { length } = symbolsOfTrades(this.#wanted)
    if (symbolsOfTrades(wanted).length === 0) {
      this.#onNotice(
        `${this.#path} leaves no symbol to take: going on with ${length} as before. Stop the ingest instead.`,
      )
      return
    }
    const changes = [...changesOf('+', added, this.#wanted), ...changesOf('-', removed, wanted)]
    this.#onNotice(
      `${this.#path} has changed: ${changes.slice(0, 20).join(' ')}${changes.length > 20 ? ` and ${changes.length - 20} more` : ''}`,
    )
    this.#wanted = wanted
    this.#onChange(wanted)
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

/** A symbol that comes or goes as a whole by its name, else its streams. @param others the streams that there are on the other side */
function changesOf(sign: '+' | '-', streams: readonly string[], others: readonly string[]): readonly string[] {
  const staying = new Set(others.map(symbolPart))
  const names = streams.map((stream) => {
    const symbol = symbolPart(stream)
    return staying.has(symbol) ? stream : symbol.toUpperCase()
  })
  return [...new Set(names)].map((name) => `${sign}${name}`)
}

function symbolPart(stream: string): string {
  return stream.slice(0, stream.indexOf('@'))
}

/** What one feed takes of the streams that are wanted. */
export class Followed {
  readonly #follower: SymbolsFollower
  readonly #choose: (streams: readonly string[]) => readonly string[]
  #seen: readonly string[]
  /** What was taken last. */
  taken: readonly string[]

  constructor(follower: SymbolsFollower, choose: (streams: readonly string[]) => readonly string[]) {
    this.#follower = follower
    this.#choose = choose
    this.#seen = follower.wanted
    this.taken = choose(this.#seen)
  }

  /** True when something else is to be taken than before. */
  async look(): Promise<boolean> {
    await this.#follower.look()
    const { wanted } = this.#follower
    if (wanted === this.#seen) return false
    this.#seen = wanted
    const chosen = this.#choose(wanted)
    const before = new Set(this.taken)
    if (chosen.length === before.size && chosen.every((one) => before.has(one))) return false
    this.taken = chosen
    return true
  }
}

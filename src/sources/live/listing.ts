import { type Clock, sleptEnough } from '../../runtime/clock.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { TradesRest } from './tradesRest.ts'

export interface ListingOptions {
  readonly rest: TradesRest
  readonly clock: Clock
  /** Those that are taken now. */
  readonly symbols: () => readonly string[]
  readonly everyMs: number
  readonly signal: AbortSignal
  /** @param isTrading what the exchange says of each symbol */
  readonly onStatus: (symbol: string, isTrading: boolean, status: string) => void
  readonly onNotice: (notice: string) => void
}

/** While the exchange has not answered it is asked as often. */
const retryMs = 30_000
const shownNames = 3

/** Asks the exchange now and then whether the symbols are traded. Keeps nothing. */
export class Listing {
  readonly #options: ListingOptions
  #run: Promise<void> | null = null
  #wake: () => void = () => undefined

  constructor(options: ListingOptions) {
    this.#options = options
  }

  /** Asks once, and goes on asking. Throws `ConfigurationError` on a symbol that the exchange does not have; one that does not answer is asked again later. */
  async start(): Promise<void> {
    const isKnown = await this.#ask()
    this.#run ??= this.#goOn(isKnown)
  }

  /** Others are taken: they are asked for now. */
  lookAgain(): void {
    this.#wake()
  }

  async close(): Promise<void> {
    await this.#run
  }

  async #goOn(isKnown: boolean): Promise<void> {
    const { clock, everyMs, signal, onNotice } = this.#options
    let wasAnswered = isKnown
    while (!signal.aborted) {
      const woken = new AbortController()
      this.#wake = () => woken.abort(sleptEnough)
      await clock.sleep(wasAnswered ? everyMs : retryMs, AbortSignal.any([woken.signal, signal]))
      if (signal.aborted) return
      try {
        wasAnswered = await this.#ask()
      } catch (error) {
        onNotice(error instanceof Error ? error.message : String(error))
        wasAnswered = true
      }
    }
  }

  async #ask(): Promise<boolean> {
    const { rest, signal, onStatus, onNotice } = this.#options
    const symbols = this.#options.symbols()
    if (symbols.length === 0) return true
    const answer = await rest.statuses(symbols, signal)
    if ('refused' in answer) {
      if (!signal.aborted) onNotice(`whether the symbols are traded could not be asked: ${answer.refused}`)
      return false
    }
    const unknown = symbols.filter((symbol) => !answer.statuses.has(symbol))
    for (const symbol of symbols) {
      const status = answer.statuses.get(symbol) ?? 'not listed'
      onStatus(symbol, status === 'TRADING', status)
    }
    if (unknown.length > 0) throw new ConfigurationError(unknownText(unknown, [...answer.statuses.keys()]))
    return true
  }
}

function unknownText(unknown: readonly string[], listed: readonly string[]): string {
  const told = unknown.slice(0, shownNames).map((symbol) => {
    const near = listed
      .filter((name) => name.startsWith(symbol.slice(0, 3)))
      .sort((a, b) => Math.abs(a.length - symbol.length) - Math.abs(b.length - symbol.length) || (a < b ? -1 : 1))
    return near.length === 0 ? symbol : `${symbol} (there are ${near.slice(0, shownNames).join(', ')})`
  })
  const more = unknown.length > shownNames ? ` and ${unknown.length - shownNames} more` : ''
  return `the exchange does not list ${told.join(', ')}${more}. Name others with --symbols.`
}

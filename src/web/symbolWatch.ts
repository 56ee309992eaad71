import type pg from 'pg'
import { readWatchedSymbols, type WatchedSymbol } from '../queries/dayChanges.ts'
import type { ServerMessage, WireSymbol } from './protocol.ts'

const everyMs = 500

/** The symbols of a data set whose name contains a text, with their newest prices, kept as they were last told. */
export class SymbolWatch {
  readonly dataSet: string
  readonly #find: string
  #seen: string | null = null
  #lookedAt = Number.NEGATIVE_INFINITY
  /** As last told; null before it was read. */
  text: string | null = null

  constructor(dataSet: string, find: string) {
    this.dataSet = dataSet
    this.#find = find
  }

  /**
   * Reads the list where something was committed since; gives what is to be told, or null.
   * @param pool null where the data set has no candles
   * @param mark changes with every commit
   */
  async look(pool: pg.Pool | null, mark: string, now: number): Promise<string | null> {
    const seen = `${mark} ${pool !== null}`
    if (this.text !== null && (this.#seen === seen || now - this.#lookedAt < everyMs)) return null
    this.#seen = seen
    this.#lookedAt = now
    const { symbols, total } = pool === null ? { symbols: [], total: 0 } : await readWatchedSymbols(pool, this.#find)
    const message: ServerMessage = {
      kind: 'symbols',
      dataSet: this.dataSet,
      find: this.#find,
      symbols: symbols.map(wireSymbol),
      total,
    }
    const text = JSON.stringify(message)
    if (text === this.text) return null
    this.text = text
    return text
  }
}

export function wireSymbol(symbol: WatchedSymbol): WireSymbol {
  return {
    market: symbol.market,
    symbol: symbol.symbol,
    price: symbol.close,
    openTime: symbol.openTime,
    before: symbol.openBefore,
    since: symbol.openBeforeAt,
    dayVolume: symbol.dayVolume,
    openGaps: symbol.openGaps,
  }
}

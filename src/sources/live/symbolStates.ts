import type { Clock } from '../../runtime/clock.ts'
import type { LivePosition, SymbolPlace } from './livePosition.ts'
import { SymbolState } from './symbolState.ts'

/** Which symbols are read, and where each of them is. Keeps a state a symbol: one that is read no more keeps its place for when it is again. */
export class SymbolStates {
  readonly #clock: Clock
  readonly #states = new Map<string, SymbolState>()
  #read: readonly string[]

  constructor(symbols: readonly string[], position: LivePosition | null, clock: Clock) {
    this.#clock = clock
    this.#read = symbols
    for (const symbol of new Set([...symbols, ...(position?.symbols.keys() ?? [])])) {
      this.#states.set(symbol, new SymbolState(symbol, position?.symbols.get(symbol), clock.now()))
    }
    for (const { symbol, epoch, lastId, toTime } of position?.gaps ?? []) {
      const state = this.#states.get(symbol)
      if (state?.epoch === epoch && state.lastId !== null) state.leaveOpen(Math.max(state.lastId, lastId), toTime)
    }
  }

  get symbols(): readonly string[] {
    return this.#read
  }

  /** Of the symbols that are read. */
  get all(): readonly SymbolState[] {
    return this.#read.flatMap((symbol) => this.#states.get(symbol) ?? [])
  }

  get(symbol: string): SymbolState | undefined {
    return this.#states.get(symbol)
  }

  /** Where each is that has a place. */
  get places(): ReadonlyMap<string, SymbolPlace> {
    const places = new Map<string, SymbolPlace>()
    for (const [symbol, { place }] of this.#states) if (place !== null) places.set(symbol, place)
    return places
  }

  /** Up to when all of each has been handed over, ms UTC; without those of which that is not known. */
  get quiet(): ReadonlyMap<string, number> {
    const quiet = new Map<string, number>()
    for (const { symbol, isTrading, proven } of this.all) {
      if (!isTrading) quiet.set(symbol, Number.POSITIVE_INFINITY)
      else if (proven !== null) quiet.set(symbol, proven)
    }
    return quiet
  }

  /** Reads these from here on. Gives those that were not read before. */
  take(symbols: readonly string[]): readonly string[] {
    const before = new Set(this.#read)
    const added = symbols.filter((symbol) => !before.has(symbol))
    this.#read = symbols
    const now = this.#clock.now()
    for (const symbol of added) {
      const state = this.#states.get(symbol)
      if (state === undefined) this.#states.set(symbol, new SymbolState(symbol, undefined, now))
      else state.resume(now)
    }
    return added
  }
}

import { ConfigurationError } from '../../runtime/errors.ts'
import { SimulatedMarket } from './simulatedMarket.ts'

export interface SimulatedFramesOptions {
  readonly seed: number
  /** Names, or how many invented ones: `SIM00000USDT` and so on. */
  readonly symbols: readonly string[] | number
  /** ms UTC of the first trade at the earliest. */
  readonly from: number
  readonly count: number
  /** In event time, over all symbols. Default 1,000. */
  readonly tradesPerSecond?: number
  /** Without the combined stream's wrapper: about 130 bytes a frame. Default false. */
  readonly bare?: boolean
}

/**
 * Frames of an invented market as fast as they can be made, for tests and benchmarks: the same options give the same bytes.
 *
 * Keeps a book a symbol. Throws `ConfigurationError` on options that make no market.
 */
export function* simulatedFrames(options: SimulatedFramesOptions): Generator<Buffer, void, undefined> {
  const { seed, from, count, tradesPerSecond = 1_000, bare = false } = options
  const symbols = typeof options.symbols === 'number' ? simulatedSymbols(options.symbols) : options.symbols
  requireMarket('simulatedFrames', symbols, tradesPerSecond)
  const market = new SimulatedMarket({ seed, symbols, tradesPerSecond }, from, undefined, bare)
  for (let made = 0; made < count; made++) yield market.trade(market.time + market.drawGapMs())
}

/** Invented names that no exchange lists. */
export function simulatedSymbols(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `SIM${String(index).padStart(5, '0')}USDT`)
}

export function requireMarket(who: string, symbols: readonly string[], tradesPerSecond: number): void {
  if (symbols.length === 0) throw new ConfigurationError(`${who}: symbols must name at least one symbol, got none.`)
  if (new Set(symbols).size !== symbols.length)
    throw new ConfigurationError(`${who}: symbols names one symbol twice: ${symbols.join(',')}.`)
  const odd = symbols.find((symbol) => !/^[A-Z0-9]{1,40}$/.test(symbol))
  if (odd !== undefined) throw new ConfigurationError(`${who}: a symbol is made of A to Z and digits, got '${odd}'.`)
  if (tradesPerSecond > 0 && tradesPerSecond <= 1_000_000) return
  throw new ConfigurationError(
    `${who}: tradesPerSecond must be more than 0 and at most 1000000, got ${tradesPerSecond}.`,
  )
}

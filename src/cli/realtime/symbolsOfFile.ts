import type { Market } from '../../market/trade.ts'
import { readSymbolsFile } from '../../sources/symbols/followSymbols.ts'
import type { SymbolsMarket } from '../../sources/symbols/symbolsFile.ts'
import { symbolsOfTrades, wantedStreams } from '../../sources/symbols/wantedStreams.ts'
import type { CommandContext } from '../commandContext.ts'
import { UsageError } from '../exit.ts'
import type { SettingValues } from '../settings.ts'
import type { SourceKind } from './runPlan.ts'

/** The settings with the symbols that are taken, and the file that says so, if one does. */
export interface ChosenSymbols {
  readonly settings: SettingValues
  readonly symbolsFile: string | null
  /** All streams that the file wants: `btcusdt@kline_1m`. None without a file. */
  readonly streams: readonly string[]
}

/**
 * The settings of a source that takes symbols as they come, with those of the file of symbols, where one is named. Throws `UsageError` where the file and the command line say different things.
 * @param named the source that was asked for; null where it depends on whether the exchange answers
 */
export async function withSymbolsOfFile(
  { settings, origins }: Pick<CommandContext, 'settings' | 'origins'>,
  named: SourceKind | null,
): Promise<ChosenSymbols> {
  const { symbolsFile } = settings
  const asSet = { settings, symbolsFile: null, streams: [] }
  if (symbolsFile === undefined) return asSet
  if (named === 'tape' || named === 'none') {
    if (origins.symbolsFile !== 'flag') return asSet
    throw new UsageError(
      `--symbols-file has symbols of an exchange, as they come, not for --source ${named}: leave it out.`,
    )
  }
  if (origins.symbols === 'flag' && origins.symbolsFile === 'flag') {
    throw new UsageError('--symbols and --symbols-file both say which symbols to take: leave one out.')
  }
  // What is named on the command line is meant before what stands in the environment.
  if (origins.symbols === 'flag') return asSet
  const file = await readSymbolsFile(symbolsFile)
  if (named !== 'simulator') requireSame(symbolsFile, file.market, named, settings.market)
  const streams = wantedStreams(file)
  const symbols = symbolsOfTrades(streams)
  if (symbols.length === 0) {
    throw new UsageError(
      `${symbolsFile} has no enabled symbol with the stream trade: see \`millrace symbols list\`, and add or enable one.`,
    )
  }
  return { settings: { ...settings, symbols }, symbolsFile, streams }
}

function requireSame(path: string, ofFile: SymbolsMarket, named: SourceKind | null, market: Market): void {
  if ((named === 'coinbase') !== (ofFile === 'coinbase')) {
    const source = ofFile === 'coinbase' ? 'coinbase' : 'binance'
    throw new UsageError(`${path} has symbols of ${ofFile}: give --source ${source}, or name another file.`)
  }
  // Of an exchange that invents its prices the file says what it speaks.
  if (named === 'coinbase' || ofFile === (market === 'simulated' ? 'spot' : market)) return
  throw new UsageError(`${path} has symbols of ${ofFile}, and --market is ${market}: give --market ${ofFile}.`)
}

import type { SymbolsFile } from './symbolsFile.ts'

const trades = '@trade'

/** The streams of all symbols that are enabled, as the exchange names them: `btcusdt@kline_1m`. */
export function wantedStreams(file: SymbolsFile): readonly string[] {
  const streams = file.symbols
    .filter(({ enabled }) => enabled)
    .flatMap(({ symbol, streams: own }) => own.map((stream) => `${symbol.toLowerCase()}@${stream}`))
  return [...new Set(streams)]
}

/** The symbols whose trades are among the streams, in upper case. */
export function symbolsOfTrades(streams: readonly string[]): readonly string[] {
  return streams
    .filter((stream) => stream.endsWith(trades))
    .map((stream) => stream.slice(0, -trades.length).toUpperCase())
}

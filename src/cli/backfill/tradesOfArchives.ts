import { basename } from 'node:path'
import { archiveNameOf } from '../../backfill/archiveName.ts'
import { archiveTradesFeed } from '../../backfill/archiveTradesFeed.ts'
import type { BinanceMarket } from '../../sources/binance/endpoints.ts'
import type { CommandContext } from '../commandContext.ts'
import { UsageError } from '../exit.ts'
import type { OpenedArchive } from './archivePlaces.ts'
import { archivePlaces } from './archivePlaces.ts'
import { hashOf, type OldTrades } from './tradesJob.ts'

/** Trades of archives, in the order in which they are named. What is opened is the caller's to close, also after an error. */
export async function tradesOfArchives(
  context: CommandContext,
  named: BinanceMarket,
  opened: OpenedArchive[],
): Promise<OldTrades> {
  const { origins, output } = context
  const places = archivePlaces(context, new AbortController().signal)
  const symbols = new Set<string>()
  const markets = new Set<BinanceMarket>()
  for (const { name } of places) {
    const said = archiveNameOf(name)
    if (said === null || !('other' in said.content) || said.content.other !== 'trades') {
      throw new UsageError(`${name} is no archive of trades by its name, such as BTCUSDT-trades-2024-08-08.zip.`)
    }
    symbols.add(said.symbol)
    if (said.market !== null && said.market !== named && origins.market !== 'default')
      throw new UsageError(`${name} is of ${said.market}, and --market is ${named}.`)
    markets.add(said.market ?? named)
  }
  const [symbol = ''] = symbols
  const [market = named] = markets
  if (symbols.size > 1 || markets.size > 1) {
    throw new UsageError(
      'Archives of one run are read one behind the other, so they must be of one symbol: run backfill once for each.',
    )
  }
  for (const place of places) {
    const archive = await place.open()
    opened.push(archive)
    output.err(
      `${basename(place.name)}: ${archive.isVerified ? 'checksum verified' : 'no checksum file, so not verified'}`,
    )
  }
  return {
    text: `trades of ${symbol}, ${places.map(({ name }) => basename(name)).join(', then ')}`,
    identity: hashOf([market, symbol, ...opened.map(({ sha256 }) => sha256)]),
    market,
    open: (onNotice) =>
      archiveTradesFeed({
        market,
        symbol,
        paths: opened.map(({ path }) => path),
        onUnit: (path, unit) =>
          onNotice(`${basename(path)}: times in ${unit === 'ms' ? 'milliseconds' : 'microseconds'} by their digits`),
      }),
  }
}

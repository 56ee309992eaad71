import { basename } from 'node:path'
import { archiveKlines } from '../../backfill/archiveKlines.ts'
import { archiveNameOf, isOfOtherMarket } from '../../backfill/archiveName.ts'
import type { KlineStore } from '../../backfill/klineStore.ts'
import type { KlineSeries } from '../../backfill/rawKline.ts'
import type { TimeUnit } from '../../market/timeUnit.ts'
import type { BinanceMarket } from '../../sources/binance/endpoints.ts'
import type { CommandContext } from '../commandContext.ts'
import { exitOk, UsageError } from '../exit.ts'
import { type ArchivePlace, archivePlaces } from './archivePlaces.ts'
import { writtenText } from './writtenText.ts'

const unitNames: Readonly<Record<TimeUnit, string>> = { ms: 'milliseconds', us: 'microseconds' }

/** Candles of archives into raw_klines, one archive a transaction. */
export async function klinesOfArchives(
  context: CommandContext,
  market: BinanceMarket,
  store: KlineStore,
  signal: AbortSignal,
): Promise<number> {
  const { settings, output } = context
  const places = archivePlaces(context, signal).map((place) => ({ place, series: seriesOf(context, place, market) }))
  for (const { place, series } of places) {
    const name = basename(place.name)
    const known = await store.archive(series, name)
    if (known !== null && !settings.again && (await place.knownSha256()) === known) {
      await output.out(`${name}: read before, and the same.\n`)
      continue
    }
    const archive = await place.open()
    try {
      let unit: TimeUnit | null = null
      const pages = archiveKlines(archive.path, (found) => {
        unit = found
      })
      const written = await store.addArchive(series, { name, sha256: archive.sha256 }, pages)
      const sum = archive.isVerified ? 'checksum verified' : 'no checksum file, so not verified'
      const times = unit === null ? 'no rows' : `times in ${unitNames[unit]} by their digits`
      await output.out(
        `${name}: ${series.symbol} ${series.interval} of ${series.market}, ${times}, ${sum}: ${writtenText(written)}\n`,
      )
    } finally {
      await archive.close()
    }
  }
  return exitOk
}

function seriesOf({ origins }: CommandContext, { name }: ArchivePlace, market: BinanceMarket): KlineSeries {
  if (isOfOtherMarket(name)) {
    throw new UsageError(`${name} is of a market that is not read here: spot and USD-M futures (um) are.`)
  }
  const said = archiveNameOf(name)
  if (said === null) {
    throw new UsageError(
      `${name} does not have the name of an archive, by which symbol and interval are known: name it SYMBOL-INTERVAL-YYYY-MM.zip again, such as BTCUSDT-1m-2024-08.zip.`,
    )
  }
  if ('other' in said.content) {
    throw new UsageError(
      said.content.other === 'trades'
        ? `${name} holds trades: read it with --trades.`
        : `${name} holds ${said.content.other}, and only archives of candles and of trades are read.`,
    )
  }
  if (said.market !== null && said.market !== market && origins.market !== 'default') {
    throw new UsageError(
      `${name} is of ${said.market}, and --market is ${market}: leave it out, or give --market ${said.market}.`,
    )
  }
  return { market: said.market ?? market, symbol: said.symbol, interval: said.content.interval }
}

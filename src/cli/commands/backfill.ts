import { KlineStore } from '../../backfill/klineStore.ts'
import { prepareDatabase } from '../../host/prepareDatabase.ts'
import { openRunDatabase } from '../../host/runDatabase.ts'
import { Shutdown } from '../../host/shutdown.ts'
import type { Market } from '../../market/trade.ts'
import { openPool } from '../../sinks/postgres/connection.ts'
import type { BinanceMarket } from '../../sources/binance/endpoints.ts'
import type { OpenedArchive } from '../backfill/archivePlaces.ts'
import { klinesByRest } from '../backfill/klinesByRest.ts'
import { klinesOfArchives } from '../backfill/klinesOfArchives.ts'
import { tradesByRest, tradesJob } from '../backfill/tradesJob.ts'
import { tradesOfArchives } from '../backfill/tradesOfArchives.ts'
import type { CommandContext } from '../commandContext.ts'
import { UsageError } from '../exit.ts'
import { hostSettingsOf } from '../hostSettings.ts'
import { planRun } from '../realtime/runPlan.ts'
import type { SettingName } from '../settings.ts'
import { runIngestJob } from './ingest.ts'

/** Brings history of the exchange: candles into raw_klines, or trades into a topic. */
export async function backfill(context: CommandContext): Promise<number> {
  const { settings } = context
  const { market } = settings
  const isOfArchives = settings.archiveFiles !== undefined || settings.archiveUrls !== undefined
  requireFit(context, isOfArchives)
  if (!isOfArchives) return settings.trades ? backfillTrades(context, market) : backfillKlines(context, market)
  if (market !== 'spot' && market !== 'usdm')
    throw new UsageError(`Archives are of Binance, spot or usdm: leave --market ${market} out.`)
  return settings.trades ? backfillTrades(context, market, market) : backfillKlines(context, market, market)
}

/** @param archives whose archives, where it is of archives */
async function backfillTrades(context: CommandContext, market: Market, archives?: BinanceMarket): Promise<number> {
  const opened: OpenedArchive[] = []
  try {
    return await runIngestJob(context, async () =>
      tradesJob(
        context,
        archives === undefined
          ? await tradesByRest(context, market)
          : await tradesOfArchives(context, archives, opened),
      ),
    )
  } finally {
    for (const archive of opened) await archive.close()
  }
}

/** @param archives whose archives, where it is of archives */
async function backfillKlines(context: CommandContext, market: Market, archives?: BinanceMarket): Promise<number> {
  const { settings, output } = context
  const { schema } = planRun('none', settings)
  const stopping = new AbortController()
  const shutdown = new Shutdown(() =>
    output.err('Ended at once. What is stored stays; the same command goes on from there.'),
  )
  shutdown.whenStopping(() => stopping.abort())
  const database = await openRunDatabase(hostSettingsOf(context, schema), output.err)
  try {
    await prepareDatabase(database.address, schema)
    const pool = openPool(database.address, {
      schema,
      applicationName: 'millrace backfill',
      maxConnections: 1,
    })
    try {
      const store = new KlineStore(pool)
      return archives === undefined
        ? await klinesByRest(context, market, store, stopping.signal)
        : await klinesOfArchives(context, archives, store, stopping.signal)
    } finally {
      await pool.end()
    }
  } finally {
    await database.close()
    shutdown.dispose()
  }
}

/** What would be passed over in silence. */
function requireFit({ origins, settings }: CommandContext, isOfArchives: boolean): void {
  const byRest = { symbols: '--symbols', klineIntervals: '--interval', from: '--from', to: '--to' } as const
  const ofKlines = { klineIntervals: '--interval', again: '--again' } as const
  if (isOfArchives) {
    const given = givenOf(byRest, origins)
    if (given !== null) {
      throw new UsageError(
        `${given} is for what the exchange is asked for; an archive says by its name what it holds: leave it out.`,
      )
    }
  }
  if (settings.trades) {
    const given = givenOf(ofKlines, origins)
    if (given !== null) throw new UsageError(`${given} is for candles, not for --trades: leave it out.`)
  } else if (origins.logTopic === 'flag') {
    throw new UsageError('--topic is for --trades; candles go into the table raw_klines.')
  }
}

function givenOf(
  flags: Readonly<Partial<Record<SettingName, string>>>,
  origins: CommandContext['origins'],
): string | null {
  for (const [name, flag] of Object.entries(flags)) if (origins[name as SettingName] === 'flag') return flag
  return null
}

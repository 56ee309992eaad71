import { createHash } from 'node:crypto'
import { tradesFeed } from '../../backfill/tradesFeed.ts'
import { countText } from '../../console/text.ts'
import { ingestFolder } from '../../host/processSlots.ts'
import type { Market } from '../../market/trade.ts'
import { peekCoinbase } from '../../sources/coinbase/coinbaseDialect.ts'
import type { FrameFeed } from '../../sources/market/frameFeed.ts'
import { marketFeed } from '../../sources/market/marketFeed.ts'
import type { CommandContext } from '../commandContext.ts'
import { commandFor } from '../commandFor.ts'
import { UsageError } from '../exit.ts'
import type { IngestJob } from '../ingest/ingestJob.ts'
import { planRun } from '../realtime/runPlan.ts'
import { formatTime } from '../time.ts'
import { version } from '../version.ts'
import { historyFor } from './historyFor.ts'
import { asked, requireKnown } from './klinesByRest.ts'

/** Old trades, and what sets them apart from others. */
export interface OldTrades {
  /** For people. */
  readonly text: string
  /** The same for the same trades: the end of a topic of their own. */
  readonly identity: string
  readonly market: Market
  readonly open: (onNotice: (line: string) => void) => FrameFeed
}

/** Trades by REST, from the time that the command line names. */
export async function tradesByRest(context: CommandContext, market: Market): Promise<OldTrades> {
  if (market === 'usdm') {
    throw new UsageError(
      'Futures give old trades by REST with a key only: take an archive, such as --trades --url https://data.binance.vision/data/futures/um/daily/trades/BTCUSDT/BTCUSDT-trades-2024-08-08.zip.',
    )
  }
  const { symbols, from } = asked(context)
  const history = historyFor(context, market, new AbortController().signal)
  requireKnown(symbols, await history.listing(), history.name)
  const to = context.settings.to ?? (await history.now())
  return {
    text: `trades of ${symbols.join(', ')} from ${formatTime(from)} to ${formatTime(to)}`,
    identity: hashOf([market, String(from), ...[...symbols].sort()]),
    market,
    open: () =>
      tradesFeed({
        symbols,
        range: { from, to },
        name: market === 'coinbase' ? market : `binance ${market}`,
        ...(market === 'coinbase' ? { peek: peekCoinbase } : {}),
        isSimulated: market === 'simulated',
        historyOf: (signal) => {
          const { api, trades, name } = historyFor(context, market, signal)
          if (trades === null) throw new UsageError(`${name} gives old trades by REST with a key only.`)
          return { api, trades }
        },
      }),
  }
}

/** The first digits of a SHA-256 of words. */
export function hashOf(words: readonly string[]): string {
  return createHash('sha256').update(words.join('\n')).digest('hex').slice(0, 12)
}

/** Brings old trades into a topic of their own, or the one that is named. */
export function tradesJob(context: CommandContext, trades: OldTrades): IngestJob {
  const { settings } = context
  const { market, text, identity } = trades
  const own = `crypto.trades.backfill.${market === 'simulated' ? 'simulated.' : ''}${identity}`
  const topic = settings.logTopic ?? own
  const producer = `backfill.${identity}`
  const candles = commandFor(
    context,
    `run realtime --source none --topic ${topic}${market === 'spot' ? '' : ` --market ${market}`} --until-end --close-open`,
  )
  return {
    topic: { name: topic, isTable: false, isOfThePast: true },
    schema: planRun('none', settings).schema,
    producer,
    folder: ingestFolder(settings.dataDir, `${topic}.${producer}`),
    title: `backfill of ${text}`,
    banner: ({ location, records }) => [
      `millrace ${version()} · backfill`,
      `  source       ${text}`,
      `  topic        ${topic}`,
      `  log          ${location}`,
      ...(topic !== own && records > 0
        ? [
            `warning: ${topic} holds ${records} records. Trades that are older than those become late; without --topic they have a topic of their own.`,
          ]
        : []),
    ],
    openFeed: async (onNotice) => marketFeed(trades.open(onNotice), { timeUnit: 'ms' }),
    summary: (report) => [
      report.end === 'feed-ended'
        ? `All of it is in ${topic}: ${countText(report.records)} records appended in this run.`
        : `Stopped cleanly: ${countText(report.records)} records appended to ${topic}. The same command goes on from here.`,
      `Candles of them: ${candles}`,
    ],
    problem: () => null,
    explain: () => null,
  }
}

import { backfillKlines, type KlineJob } from '../../backfill/backfillKlines.ts'
import { StoppedAsking } from '../../backfill/exchangeApi.ts'
import { closedThrough } from '../../backfill/klinePages.ts'
import type { KlineStore } from '../../backfill/klineStore.ts'
import type { Market } from '../../market/trade.ts'
import { suggest } from '../../runtime/suggest.ts'
import type { CommandContext } from '../commandContext.ts'
import { exitOk, UsageError } from '../exit.ts'
import { formatTime } from '../time.ts'
import { historyFor } from './historyFor.ts'
import { ProgressLine } from './progressLine.ts'
import { writtenText } from './writtenText.ts'

/** Which symbols and from where on; throws `UsageError` where the command line does not say. */
export function asked({ settings }: CommandContext): { readonly symbols: readonly string[]; readonly from: number } {
  const { symbols, from, to } = settings
  if (symbols === undefined)
    throw new UsageError('--symbols is missing: name one or several, such as --symbols BTCUSDT,ETHUSDT.')
  if (from === undefined) throw new UsageError('--from is missing: say where to begin, such as --from 2024-08-01.')
  if (to !== undefined && from >= to) {
    throw new UsageError(`--from ${formatTime(from)} is not before --to ${formatTime(to)}; swap them.`)
  }
  return { symbols, from }
}

/** Throws `UsageError` for a symbol that the exchange does not have, with the one that is nearly it. */
export function requireKnown(symbols: readonly string[], listing: ReadonlyMap<string, string>, market: string): void {
  const unknown = symbols.filter((symbol) => !listing.has(symbol))
  if (unknown.length === 0) return
  const words = unknown.map((symbol) => `${symbol}${suggest(symbol, [...listing.keys()])}`)
  throw new UsageError(`The exchange has no ${words.join(', ')} on ${market}.`)
}

/** Candles from the exchange into raw_klines. */
export async function klinesByRest(
  context: CommandContext,
  market: Market,
  store: KlineStore,
  signal: AbortSignal,
): Promise<number> {
  const { settings, output } = context
  const { symbols, from } = asked(context)
  const history = historyFor(context, market, signal)
  const { intervals, name } = history
  const other = settings.klineIntervals.find((interval) => !intervals.includes(interval))
  if (other !== undefined)
    throw new UsageError(`--interval ${other}: ${name} has no such candles; it has ${intervals.join(', ')}.`)
  try {
    requireKnown(symbols, await history.listing(), name)
    const now = await history.now()
    const jobs = symbols.flatMap((symbol) =>
      settings.klineIntervals.flatMap((interval): readonly KlineJob[] => {
        const to = Math.min(settings.to ?? Number.POSITIVE_INFINITY, closedThrough(interval, now))
        return from < to ? [{ series: { market, symbol, interval }, range: { from, to } }] : []
      }),
    )
    if (jobs.length === 0) {
      await output.out(
        `There is no closed candle from ${formatTime(from)} on yet: it is ${formatTime(now)} at the exchange.\n`,
      )
      return exitOk
    }
    const line = new ProgressLine(output.err, history.api)
    const written = await backfillKlines({
      history,
      store,
      jobs,
      isAgain: settings.again,
      onProgress: (progress) => line.show(progress),
    })
    await output.out(`${symbols.join(', ')} ${settings.klineIntervals.join(', ')}: ${writtenText(written)}\n`)
    return exitOk
  } catch (error) {
    if (!(error instanceof StoppedAsking)) throw error
    await output.out('Stopped. What was fetched is stored; the same command goes on from there.\n')
    return exitOk
  }
}

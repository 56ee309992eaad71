import { resolve } from 'node:path'
import { countText } from '../../console/text.ts'
import { prepareDatabase } from '../../host/prepareDatabase.ts'
import { type CandleDifference, reconcile as compare, explainDifferences } from '../../queries/reconcile.ts'
import type { CommandContext } from '../commandContext.ts'
import { commandFor } from '../commandFor.ts'
import { databaseExists, withDatabase } from '../database.ts'
import { exitFailure, exitOk, UsageError } from '../exit.ts'
import { followCandles } from '../reconcile/followCandles.ts'
import { textTable } from '../textTable.ts'
import { formatTime } from '../time.ts'

/** Compares our closed candles with the exchange's; exit code 1 while there are differences that nobody has explained. */
export async function reconcile(context: CommandContext): Promise<number> {
  const { settings, origins, output } = context
  const range = {
    ...(origins.market === 'default' ? {} : { market: settings.market }),
    symbols: settings.symbol === undefined ? null : [settings.symbol],
    from: settings.from ?? null,
    to: settings.to ?? null,
  }
  if (settings.explain !== undefined && settings.symbol === undefined) {
    throw new UsageError('--explain needs --symbol: say of which candles it is the reason.')
  }
  if (settings.follow) requireFollow(context)
  if (!databaseExists(settings)) {
    output.err(
      `There is no data in ${resolve(settings.dataDir)} yet: start \`millrace run realtime\` there, or name another --data-dir.`,
    )
    return exitOk
  }
  if (settings.follow) return followCandles(context)
  return withDatabase(settings, output.err, async (database) => {
    await prepareDatabase(database.address, settings.schema)
    const client = await database.connect(settings.schema)
    const found = await compare(client, range)
    if (found.compared === 0) {
      output.err(
        `There is nothing to compare: no closed candle is in raw_klines as well. Fetch the exchange's: ${commandFor(context, 'backfill --symbols SYMBOL --from TIME')}.`,
      )
    }
    if (settings.explain !== undefined) {
      const count = await explainDifferences(client, range, settings.explain)
      await output.out(`${countText(count)} differences explained.\n`)
      return exitOk
    }
    if (settings.json) await output.out(`${JSON.stringify(found, null, 2)}\n`)
    else {
      if (found.open.length > 0) await output.out(`${textTable(headings, found.open.flatMap(rowsOf)).join('\n')}\n`)
      for (const { symbol, interval, openTime, verdict } of found.open) {
        if (verdict !== null) await output.out(`${symbol} ${interval} ${formatTime(openTime)}: ${verdict}.\n`)
      }
      await output.out(
        `${countText(found.compared)} candles compared, ${countText(found.openCount)} differ, ${countText(found.ended)} differences are gone.\n`,
      )
    }
    return found.openCount === 0 ? exitOk : exitFailure
  })
}

/** What would be passed over in silence. */
function requireFollow({ settings }: CommandContext): void {
  const given = [
    settings.from === undefined ? null : '--from',
    settings.to === undefined ? null : '--to',
    settings.explain === undefined ? null : '--explain',
    settings.json ? '--json' : null,
  ].find((flag) => flag !== null)
  if (given !== undefined)
    throw new UsageError(`${given} is not for --follow, which compares what closes from now on: leave it out.`)
}

const headings = ['market', 'symbol', 'interval', 'open time', 'column', 'ours', "the exchange's"]

function rowsOf({ market, symbol, interval, openTime, differences }: CandleDifference): readonly string[][] {
  return Object.entries(differences).map(([column, [ours, theirs]]) => [
    market,
    symbol,
    interval,
    formatTime(openTime),
    column,
    ours,
    theirs,
  ])
}

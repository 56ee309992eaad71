import { type Fixed8, formatFixed, parseFixed8 } from '../../exact/decimal.ts'
import { Portfolio, type PortfolioMinute } from '../../market/portfolio.ts'
import { readCloses, realtimeWatermark } from '../../queries/closes.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { CommandContext } from '../commandContext.ts'
import { databaseExists, simulatedSchemaOf, withDatabase } from '../database.ts'
import { exitOk, UsageError } from '../exit.ts'
import { readPortfolio } from '../portfolioFile.ts'
import { eachSchema } from '../schemas.ts'
import { textTable } from '../textTable.ts'
import { formatTime } from '../time.ts'

const minuteMs = 60_000
const dayMs = 86_400_000
/** How many minutes are shown where no range is named. */
const shownMinutes = 60

const headings = ['minute', 'value', 'cost', 'realised', 'unrealised', 'drawdown', 'largest %', 'complete']

/** Prints how a portfolio stood at the end of each minute, up to where all partitions are. */
export async function portfolio({ settings, output }: CommandContext): Promise<number> {
  const file = readPortfolio(settings.portfolioFile)
  const [first] = file.trades
  if (first === undefined) throw new Error('bug: a portfolio without trades')
  if (settings.from !== undefined && settings.to !== undefined && settings.from > settings.to)
    throw new UsageError(`--from ${formatTime(settings.from)} is after --to ${formatTime(settings.to)}; swap them.`)
  if (!databaseExists(settings)) {
    output.err('There are no candles yet: start `millrace run realtime`.')
    return exitOk
  }
  const schema = file.market === 'simulated' ? simulatedSchemaOf(settings.schema) : settings.schema
  const minutes: PortfolioMinute[] = []
  await withDatabase(settings, output.err, (database) =>
    eachSchema(database, schema, async (client) => {
      const watermark = await realtimeWatermark(client)
      if (watermark === null) return
      const end = Math.min(settings.to ?? Number.POSITIVE_INFINITY, Math.floor(watermark / minuteMs) * minuteMs)
      const shownFrom = settings.from ?? end - shownMinutes * minuteMs
      const symbols = [...new Set(file.trades.map(({ symbol }) => symbol))]
      const standing = new Portfolio(file.trades, file.staleAfterMs)
      // From the first trade on, because what is realised and how high it once stood come of all of it.
      const begin = Math.floor(first.at / minuteMs) * minuteMs
      for (let day = begin; day < end; day += dayMs) {
        const upTo = Math.min(day + dayMs, end)
        const byMinute = new Map<number, Map<string, Fixed8>>()
        for (const { symbol, openTime, close } of await readCloses(client, file.market, symbols, day, upTo)) {
          const closes = byMinute.get(openTime) ?? new Map<string, Fixed8>()
          closes.set(symbol, parseFixed8(close) as Fixed8)
          byMinute.set(openTime, closes)
        }
        for (let minute = day; minute < upTo; minute += minuteMs) {
          const stood = minuteOf(standing, minute, byMinute.get(minute) ?? new Map())
          if (minute >= shownFrom) minutes.push(stood)
        }
      }
    }),
  )
  if (minutes.length === 0)
    output.err(
      'No minute of the portfolio is over yet: event time of the realtime pipeline has not passed its first trade, or the range is empty.',
    )
  await output.out(textOf(minutes, settings.format))
  return exitOk
}

function minuteOf(standing: Portfolio, minute: number, closes: ReadonlyMap<string, Fixed8>): PortfolioMinute {
  try {
    return standing.minute(minute, closes)
  } catch (error) {
    if (error instanceof RangeError) throw new ConfigurationError(`the portfolio: ${error.message}.`, { cause: error })
    throw error
  }
}

function textOf(minutes: readonly PortfolioMinute[], format: 'table' | 'csv' | 'json'): string {
  if (format === 'json') {
    return `${JSON.stringify(
      minutes.map(({ openTime, exposure, isComplete, ...amounts }) => ({
        minute: new Date(openTime).toISOString(),
        ...Object.fromEntries(Object.entries(amounts).map(([name, amount]) => [name, formatFixed(amount, 16, 8)])),
        largestPercent: formatFixed(exposure, 2, 2),
        isComplete,
      })),
      null,
      2,
    )}\n`
  }
  const rows = minutes.map((one) => [
    format === 'csv' ? new Date(one.openTime).toISOString() : formatTime(one.openTime),
    ...[one.value, one.cost, one.realised, one.unrealised, one.drawdown].map((amount) =>
      formatFixed(amount, 16, format === 'csv' ? 8 : 2),
    ),
    formatFixed(one.exposure, 2, 2),
    one.isComplete ? 'yes' : 'no',
  ])
  if (format === 'csv') {
    const names = 'minute,value,cost,realised,unrealised,drawdown,largest_percent,is_complete'
    return `${[names, ...rows.map((row) => row.join(','))].join('\n')}\n`
  }
  return rows.length === 0 ? '' : `${textTable(headings, rows).join('\n')}\n`
}

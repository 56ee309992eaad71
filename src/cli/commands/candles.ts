import { resolve } from 'node:path'
import type { Client } from 'pg'
import type { Interval } from '../../market/interval.ts'
import type { CandleRange, StoredSeries } from '../../queries/candles.ts'
import { hasCandleTables, readCandles, readSeries } from '../../queries/candles.ts'
import type { CandleFormat, FormatName } from '../candleFormat.ts'
import { candleFormat } from '../candleFormat.ts'
import type { CommandContext } from '../commandContext.ts'
import type { Database } from '../database.ts'
import { databaseExists, simulatedSchemaOf, withDatabase } from '../database.ts'
import { exitOk, UsageError } from '../exit.ts'
import type { Output } from '../output.ts'
import { formatTime } from '../time.ts'

/** Prints candles of one symbol. An empty result says on stderr where was looked and what there is. */
export async function candles(context: CommandContext): Promise<number> {
  const { settings, output } = context
  const { symbol, interval, from, to } = settings
  if (symbol === undefined) throw new UsageError('--symbol is missing; name one, such as --symbol BTCUSDT.')
  if (from !== undefined && to !== undefined && from > to) {
    throw new UsageError(`--from ${formatTime(from)} is after --to ${formatTime(to)}; swap them.`)
  }
  const range = { symbol, interval, from: from ?? null, to: to ?? null }
  if (!databaseExists(settings)) {
    output.err(
      `There is no data in ${resolve(settings.dataDir)} yet: start \`millrace run realtime\` there, or name another --data-dir.`,
    )
    await printNothing(settings.format, output)
    return exitOk
  }
  return withDatabase(settings, output.err, async (database) => {
    const [real, invented] = await Promise.all([
      openSchema(database, settings.schema, interval),
      openSchema(database, simulatedSchemaOf(settings.schema), interval),
    ])
    const series = [...real.series, ...invented.series]
    const market = settings.candleMarket ?? chooseMarket(series, symbol, output)
    const schema = market === 'simulated' ? invented : real
    const count = await print({ ...range, market }, schema, candleFormat(settings.format), output)
    if (count === 0) explainNothing({ ...range, market }, series, folderOf(context, database), output)
    return exitOk
  })
}

/** The only market that holds the symbol, or spot. Says so where the prices are invented or there was a choice. */
function chooseMarket(series: readonly StoredSeries[], symbol: string, output: Output): string {
  const markets = [...new Set(series.filter((one) => one.symbol === symbol).map((one) => one.market))]
  const [only] = markets
  if (markets.length === 1 && only !== undefined) {
    if (only === 'simulated')
      output.err('note: SIMULATED prices; only the simulator has made candles of this symbol here.')
    return only
  }
  if (markets.length > 1) output.err(`note: ${symbol} is in ${markets.join(', ')}; taking spot, choose with --market.`)
  return 'spot'
}

/** A schema that candles may be in. */
interface OpenedSchema {
  readonly client: Client
  readonly hasCandles: boolean
  readonly series: readonly StoredSeries[]
}

async function openSchema(database: Database, schema: string, interval: Interval): Promise<OpenedSchema> {
  const client = await database.connect(schema)
  const hasCandles = await hasCandleTables(client)
  return { client, hasCandles, series: hasCandles ? await readSeries(client, interval) : [] }
}

async function print(
  range: CandleRange,
  { client, hasCandles }: OpenedSchema,
  format: CandleFormat,
  output: Output,
): Promise<number> {
  let count = 0
  if (!(await output.out(format.head))) return -1
  if (hasCandles) {
    for await (const page of readCandles(client, range)) {
      if (!(await output.out(format.page(page, count === 0)))) return -1
      count += page.length
    }
  }
  await output.out(format.tail)
  return count
}

async function printNothing(name: FormatName, output: Output): Promise<void> {
  const format = candleFormat(name)
  await output.out(format.head + format.tail)
}

function folderOf(context: CommandContext, database: Database): string {
  return context.settings.databaseUrl === undefined ? resolve(context.settings.dataDir) : database.location
}

function explainNothing(range: CandleRange, series: readonly StoredSeries[], place: string, output: Output): void {
  const from = range.from === null ? 'the beginning' : formatTime(range.from)
  const to = range.to === null ? 'the end' : formatTime(range.to)
  const known = series.map((one) => `${one.symbol} (${one.market})`)
  const shown = known.slice(0, 20).join(', ')
  const more = known.length > 20 ? ` and ${known.length - 20} more` : ''
  output.err(
    `No ${range.interval} candle of ${range.symbol}, market ${range.market}, from ${from} to ${to} in ${place}. ` +
      (known.length === 0 ? 'There are no candles of this interval yet.' : `There are candles of ${shown}${more}.`),
  )
}

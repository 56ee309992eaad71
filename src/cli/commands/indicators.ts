import { newestIndicators } from '../../queries/indicators.ts'
import type { CommandContext } from '../commandContext.ts'
import { databaseExists, withDatabase } from '../database.ts'
import { exitOk } from '../exit.ts'
import { eachSchema } from '../schemas.ts'
import { textTable } from '../textTable.ts'
import { formatTime } from '../time.ts'

/** Prints the newest values of a symbol's indicators. */
export async function indicators({ settings, output, args }: CommandContext): Promise<number> {
  const [symbol = ''] = args
  const found = databaseExists(settings)
    ? await withDatabase(settings, output.err, (database) =>
        eachSchema(database, settings.onlySchema, async (client, schema) =>
          (await newestIndicators(client, symbol, settings.interval, settings.limit)).map((row) => ({
            schema,
            ...row,
          })),
        ),
      )
    : []
  const rows = found.flat().slice(0, settings.limit)
  if (settings.json) {
    const shown = rows.map(({ openTime, ...row }) => ({ openTime: new Date(openTime).toISOString(), ...row }))
    await output.out(`${JSON.stringify(shown, null, 2)}\n`)
    return exitOk
  }
  if (rows.length === 0) {
    output.err(
      `No indicator of ${symbol} at ${settings.interval} is stored. \`millrace run realtime --indicators sma:20,rsi:14\` makes them from then on.`,
    )
    return exitOk
  }
  const cells = rows.map(({ openTime, market, indicator, line, value, isComplete, revision }) => [
    formatTime(openTime),
    market,
    indicator,
    line,
    String(value),
    isComplete ? 'yes' : 'no',
    String(revision),
  ])
  await output.out(
    `${textTable(['candle', 'market', 'indicator', 'line', 'value', 'complete', 'revision'], cells).join('\n')}\n`,
  )
  return exitOk
}

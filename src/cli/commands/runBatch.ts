import { randomUUID } from 'node:crypto'
import { resolve } from 'node:path'
import { type BatchCounts, batchPass } from '../../batch/batchPass.ts'
import { countText } from '../../console/text.ts'
import { openArchive } from '../../host/openArchive.ts'
import { openLake } from '../../host/openLake.ts'
import { prepareDatabase } from '../../host/prepareDatabase.ts'
import { s3Access } from '../../host/s3Access.ts'
import { Shutdown } from '../../host/shutdown.ts'
import { tradeCodec } from '../../market/tradeCodec.ts'
import type { CommandContext } from '../commandContext.ts'
import { databaseExists, simulatedSchemaOf, withDatabase } from '../database.ts'
import { exitOk, UsageError } from '../exit.ts'

/** One pass: what has come since the last one, as silver, gold and tables of the lake. */
export async function runBatch(context: CommandContext): Promise<number> {
  const { settings, output, env } = context
  const { market, timeUnit } = settings
  if (timeUnit === 's') throw new UsageError('--time-unit s is for JSON lines; frames of trades tell ms or us.')
  if (!databaseExists(settings)) {
    output.err(
      `There is no data in ${resolve(settings.dataDir)} yet: start \`millrace run realtime\` there, or name another --data-dir.`,
    )
    return exitOk
  }
  const schema = market === 'simulated' ? simulatedSchemaOf(settings.schema) : settings.schema
  const warn = (message: string) => output.err(`warning: ${message}`)
  const s3 = s3Access(env, settings.s3PathStyle)
  const stop = new AbortController()
  const shutdown = new Shutdown(() => undefined)
  shutdown.whenStopping(() => stop.abort())
  try {
    const counts = await withDatabase(settings, output.err, async ({ address }) => {
      await prepareDatabase(address, schema)
      const archive = await openArchive({ place: settings.archive, s3 }, settings.dataDir, schema, warn)
      const lake = await openLake({ place: settings.lake, s3 }, settings.dataDir, schema, warn)
      try {
        return await batchPass(
          {
            trades: tradeCodec({ market, timeUnit }),
            archive: archive?.store ?? null,
            lake,
            isFull: settings.full,
          },
          { database: { address, schema }, runId: randomUUID(), signal: stop.signal },
        )
      } finally {
        await lake.store.close()
        await archive?.store.close()
      }
    })
    await output.out(settings.json ? `${JSON.stringify(counts)}\n` : `${countsText(counts)}\n`)
    return exitOk
  } finally {
    shutdown.dispose()
  }
}

function countsText({ records, minutes, candles, blocked, commits }: BatchCounts): string {
  if (records + minutes + candles + blocked + commits === 0) return 'Nothing has changed since the last pass.'
  const held = blocked === 0 ? '' : ` Of ${countText(blocked)} hours no candle was made, because of their quality.`
  return `${countText(records)} records read, ${countText(minutes)} minutes and ${countText(candles)} longer candles changed, ${countText(commits)} tables of the lake have a new commit.${held}`
}

import { resolve } from 'node:path'
import { type BatchCounts, type BatchRun, batchPass } from '../../batch/batchPass.ts'
import { countText } from '../../console/text.ts'
import { openArchive } from '../../host/openArchive.ts'
import { openLake } from '../../host/openLake.ts'
import { prepareDatabase } from '../../host/prepareDatabase.ts'
import { s3Access } from '../../host/s3Access.ts'
import { Shutdown } from '../../host/shutdown.ts'
import { Spans } from '../../host/spans.ts'
import type { MarketEvent } from '../../market/trade.ts'
import { tradeCodec } from '../../market/tradeCodec.ts'
import { silverBoundary } from '../../pipelines/silverBoundary.ts'
import { systemClock } from '../../runtime/clock.ts'
import type { Codec } from '../../runtime/log/codec.ts'
import type { CommandContext } from '../commandContext.ts'
import { commandFor } from '../commandFor.ts'
import { type Database, databaseExists, simulatedSchemaOf, withDatabase } from '../database.ts'
import { exitOk, UsageError } from '../exit.ts'

const hourMs = 3_600_000

type Pass = (run: BatchRun) => Promise<BatchCounts>

/** One pass: what has come since the last one, as silver, gold and tables of the lake; with `--schedule` one every five minutes. */
export async function runBatch(context: CommandContext): Promise<number> {
  const { settings, output } = context
  const { market, timeUnit } = settings
  if (timeUnit === 's') throw new UsageError('--time-unit s is for JSON lines; frames of trades tell ms or us.')
  if (settings.schedule && settings.full) {
    throw new UsageError('--full makes everything anew, which is no work for every five minutes: leave out --schedule.')
  }
  if (!databaseExists(settings)) {
    output.err(
      `There is no data in ${resolve(settings.dataDir)} yet: start \`millrace run realtime\` there, or name another --data-dir.`,
    )
    return exitOk
  }
  const schema = market === 'simulated' ? simulatedSchemaOf(settings.schema) : settings.schema
  return withDatabase(settings, output.err, (database) =>
    withPass(context, database, { schema, trades: tradeCodec({ market, timeUnit }) }, (pass) =>
      settings.schedule ? scheduled(context, database, schema, pass) : once(context, database, schema, pass),
    ),
  )
}

async function once(context: CommandContext, { address }: Database, schema: string, pass: Pass): Promise<number> {
  const { settings, output } = context
  const stop = new AbortController()
  const shutdown = new Shutdown(() => undefined)
  shutdown.whenStopping(() => stop.abort())
  try {
    const runId = `pass/${new Date(systemClock.now()).toISOString()}`
    const counts = await pass({ database: { address, schema }, runId, signal: stop.signal })
    await output.out(settings.json ? `${JSON.stringify(counts)}\n` : `${countsText(counts)}\n`)
    if (counts.blocked > 0) output.err(`What is wrong with them: ${commandFor(context, 'quality report')}`)
    if (counts.refused > 0) output.err(`Why: ${commandFor(context, 'lake tables')}`)
    return exitOk
  } finally {
    shutdown.dispose()
  }
}

async function scheduled(context: CommandContext, database: Database, schema: string, pass: Pass): Promise<number> {
  const { batchJob } = await import('../schedule/batchJob.ts')
  const { runJobOn } = await import('../schedule/runJob.ts')
  return runJobOn(context, batchJob(pass), database, schema)
}

/** Opens what a pass reads and writes besides the database. */
async function withPass<T>(
  { settings, output, env }: CommandContext,
  { address }: Database,
  { schema, trades }: { readonly schema: string; readonly trades: Codec<MarketEvent> },
  use: (pass: Pass) => Promise<T>,
): Promise<T> {
  const warn = (message: string) => output.err(`warning: ${message}`)
  const s3 = s3Access(env, settings.s3PathStyle)
  await prepareDatabase(address, schema)
  const archive = await openArchive({ place: settings.archive, s3 }, settings.dataDir, schema, warn)
  const lake = await openLake({ place: settings.lake, s3 }, settings.dataDir, schema, warn)
  try {
    const keep = { keepSnapshots: settings.keepSnapshots, keepMs: settings.keepHours * hourMs }
    const job = { trades, archive: archive?.store ?? null, lake, keep, isFull: settings.full, quality: silverBoundary }
    return await use((run) => tracedPass(run.runId, () => batchPass(job, run)))
  } finally {
    await lake.store.close()
    await archive?.store.close()
  }
}

/** With a span, where somebody has registered an SDK of OpenTelemetry. */
async function tracedPass(runId: string, pass: () => Promise<BatchCounts>): Promise<BatchCounts> {
  const spans = await Spans.find()
  if (spans === null) return pass()
  const attributes = { 'millrace.run': runId }
  return spans.during({ name: 'batch pass', kind: 'internal', attributes }, pass, (counts) =>
    Object.fromEntries(Object.entries(counts).map(([name, count]) => [`millrace.${name}`, count])),
  )
}

function countsText({ records, minutes, candles, blocked, commits, refused }: BatchCounts): string {
  if (records + minutes + candles + blocked + commits + refused === 0) return 'Nothing has changed since the last pass.'
  const held = blocked === 0 ? '' : ` Of ${countText(blocked)} hours no candle was made, because of their quality.`
  const kept =
    refused === 0
      ? ''
      : ` ${countText(refused)} ${refused === 1 ? 'table' : 'tables'} of the lake had to be left as before.`
  return `${countText(records)} records read, ${countText(minutes)} minutes and ${countText(candles)} longer candles changed, ${countText(commits)} new commits in the lake.${held}${kept}`
}

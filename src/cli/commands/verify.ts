import { resolve } from 'node:path'
import type pg from 'pg'
import { openArchive } from '../../host/openArchive.ts'
import { type OutletPlan, outletPlanOf } from '../../host/outletPlan.ts'
import { prepareDatabase } from '../../host/prepareDatabase.ts'
import { topicsOf } from '../../host/runTopic.ts'
import { s3Access } from '../../host/s3Access.ts'
import { Shutdown } from '../../host/shutdown.ts'
import { tradeCodec } from '../../market/tradeCodec.ts'
import { realtime } from '../../pipelines/realtime.ts'
import type { RecordedRun } from '../../replay/replayStore.ts'
import type { ObjectStore } from '../../runtime/objectStore.ts'
import { inputsOf } from '../../runtime/pipeline/pipeline.ts'
import type { WorkerLimitOptions } from '../../runtime/task/workerLimits.ts'
import { PostgresCheckpointStore } from '../../sinks/postgres/checkpointStore.ts'
import { openPool } from '../../sinks/postgres/connection.ts'
import { verify as verifyCandles } from '../../verify/verify.ts'
import { verifyPipeline } from '../../verify/verifyPipeline.ts'
import type { CommandContext } from '../commandContext.ts'
import { databaseExists, simulatedSchemaOf, withDatabase } from '../database.ts'
import { exitFailure, exitOk, UsageError } from '../exit.ts'
import { loadPipeline } from '../loadPipeline.ts'
import { formatTime } from '../time.ts'
import { candleReport, isAnyCandle, isAnyRow, pipelineReport } from '../verifyTexts.ts'

const shipped = 'realtime'

/** Reads a range of the archive again and says what of the stored rows is not as it makes them; exit code 1 where something is not. */
export async function verify(context: CommandContext): Promise<number> {
  const [name = shipped] = context.args
  const { from, to } = context.settings
  if (from !== undefined && to !== undefined && from >= to)
    throw new UsageError(`--from ${formatTime(from)} is not before --to ${formatTime(to)}.`)
  if (context.settings.archive === 'none')
    throw new UsageError('There is no archive to read: MILLRACE_ARCHIVE is none.')
  return name === shipped ? ofCandles(context) : ofFile(context, name)
}

async function ofCandles(context: CommandContext): Promise<number> {
  const { market, timeUnit, from, to, schema, topic: named } = context.settings
  if (from === undefined || to === undefined) {
    throw new UsageError('verify needs --from TIME and --to TIME: which range of the archive is to be read again.')
  }
  if (timeUnit === 's') throw new UsageError('--time-unit s is for JSON lines; frames of trades tell ms or us.')
  const pipeline = realtime(tradeCodec({ market, timeUnit }))
  const found = await inArchive(
    context,
    { schema: market === 'simulated' ? simulatedSchemaOf(schema) : schema, start: 'millrace run realtime' },
    async ({ pool, store, recorded, limits, signal }) => {
      const topic = named ?? (await onlyTopic(pool, pipeline.name))
      return await verifyCandles(pool, { pipeline, topic, store, recorded, limits, from, to, signal })
    },
  )
  if (found === null) return exitOk
  await context.output.out(context.settings.json ? `${JSON.stringify(found, null, 2)}\n` : candleReport(found, to))
  return found.differences.length === 0 && isAnyCandle(found) ? exitOk : exitFailure
}

async function ofFile(context: CommandContext, file: string): Promise<number> {
  const { from, to, schema, topic: named, json } = context.settings
  if ((from === undefined) !== (to === undefined))
    throw new UsageError('verify of a pipeline takes --from TIME and --to TIME, or none of them and compares all.')
  const pipeline = await loadPipeline(file, [shipped])
  const ends = outletPlanOf(pipeline)
  const range = from === undefined || to === undefined ? null : { from, to }
  const found = await inArchive(context, { schema, start: `millrace run ${file}` }, async (place) => {
    const namesNone = inputsOf(pipeline).every(({ topic }) => topic === null)
    const topic = named ?? (namesNone ? await onlyTopic(place.pool, pipeline.name) : undefined)
    const topics = topicsOf(pipeline, topic).map(({ name }) => name)
    return await verifyPipeline(place.pool, { ...place, ...{ pipeline, ends, topics, range } })
  })
  if (found === null) return exitOk
  const notCompared = sentOf(ends)
  await context.output.out(
    json ? `${JSON.stringify({ ...found, notCompared }, null, 2)}\n` : pipelineReport(found, notCompared),
  )
  return found.differences.length === 0 && isAnyRow(found) ? exitOk : exitFailure
}

/** What is no row cannot be looked at again. */
function sentOf({ ends }: OutletPlan): readonly string[] {
  return ends
    .filter(({ kind }) => kind === 'messages')
    .map(({ outlet, to }) => `${outlet}: not compared, for its messages were sent to ${to}, and are not kept here.`)
}

interface ArchivePlace {
  readonly pool: pg.Pool
  readonly store: ObjectStore
  readonly recorded: RecordedRun
  readonly limits: WorkerLimitOptions
  readonly signal: AbortSignal
}

/**
 * Opens database and archive for the act, and ends it where the command is to stop. Null, and told, where there is no data yet.
 * @param start the command that makes some
 */
async function inArchive<T>(
  { settings, env, output }: CommandContext,
  { schema, start }: { readonly schema: string; readonly start: string },
  act: (place: ArchivePlace) => Promise<T>,
): Promise<T | null> {
  if (!databaseExists(settings)) {
    output.err(
      `There is no data in ${resolve(settings.dataDir)} yet: start \`${start}\` there, or name another --data-dir.`,
    )
    return null
  }
  const warn = (message: string) => output.err(`warning: ${message}`)
  const stop = new AbortController()
  const shutdown = new Shutdown(() => undefined)
  shutdown.whenStopping(() => stop.abort())
  try {
    return await withDatabase(settings, output.err, async ({ address }) => {
      await prepareDatabase(address, schema)
      const place = { place: settings.archive, s3: s3Access(env, settings.s3PathStyle) }
      const archive = await openArchive(place, settings.dataDir, schema, warn)
      const pool = openPool(address, { schema, applicationName: 'millrace verify', maxConnections: 2 })
      const recorded = new PostgresCheckpointStore(address, { schema })
      try {
        if (archive === null) throw new Error('bug: an archive that is none was opened')
        const { maxRecordBytes, maxRecordResults, maxRecordResultBytes } = settings
        const limits = { maxRecordBytes, maxRecordResults, maxRecordResultBytes }
        return await act({ pool, store: archive.store, recorded, limits, signal: stop.signal })
      } finally {
        await recorded.close()
        await pool.end()
        await archive?.store.close()
      }
    })
  } finally {
    shutdown.dispose()
  }
}

/** The only topic that is archived. */
async function onlyTopic(pool: pg.Pool, pipeline: string): Promise<string> {
  const { rows } = await pool.query<{ topic: string }>(
    'SELECT DISTINCT topic FROM archive_object WHERE pipeline = $1 ORDER BY topic',
    [pipeline],
  )
  const topics = rows.map(({ topic }) => topic)
  const [only] = topics
  if (only !== undefined && topics.length === 1) return only
  throw new UsageError(
    topics.length === 0
      ? `Nothing was archived by pipeline ${pipeline} yet: an object is in the archive once it is full, the hour is over or the run was stopped.`
      : `Several topics are archived (${topics.join(', ')}): name one with --topic.`,
  )
}

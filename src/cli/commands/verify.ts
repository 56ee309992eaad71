import { resolve } from 'node:path'
import type pg from 'pg'
import { countText } from '../../console/text.ts'
import { openArchive } from '../../host/openArchive.ts'
import { prepareDatabase } from '../../host/prepareDatabase.ts'
import { s3Access } from '../../host/s3Access.ts'
import { Shutdown } from '../../host/shutdown.ts'
import { tradeCodec } from '../../market/tradeCodec.ts'
import { realtime } from '../../pipelines/realtime.ts'
import { PostgresCheckpointStore } from '../../sinks/postgres/checkpointStore.ts'
import { openPool } from '../../sinks/postgres/connection.ts'
import type { Difference } from '../../verify/difference.ts'
import { verify as compare, type Verified } from '../../verify/verify.ts'
import type { CommandContext } from '../commandContext.ts'
import { databaseExists, simulatedSchemaOf, withDatabase } from '../database.ts'
import { exitFailure, exitOk, UsageError } from '../exit.ts'
import { textTable } from '../textTable.ts'
import { formatTime } from '../time.ts'

const mostShown = 100
const only = 'realtime'

/** Reads a range of the archive again and says what of the stored rows is not as it makes them; exit code 1 where something is not. */
export async function verify(context: CommandContext): Promise<number> {
  const { settings, args, output, env } = context
  const [name = only] = args
  if (name !== only) {
    throw new UsageError(
      `verify compares the candles and dead letters of ${only}, and cannot compare the rows of ${name}. Leave the name out. What a pipeline of your own makes of records is compared in a test: testPipeline of millrace/testing.`,
    )
  }
  const { market, timeUnit, from, to } = settings
  if (from === undefined || to === undefined) {
    throw new UsageError('verify needs --from TIME and --to TIME: which range of the archive is to be read again.')
  }
  if (from >= to) throw new UsageError(`--from ${formatTime(from)} is not before --to ${formatTime(to)}.`)
  if (timeUnit === 's') throw new UsageError('--time-unit s is for JSON lines; frames of trades tell ms or us.')
  if (settings.archive === 'none') throw new UsageError('There is no archive to read: MILLRACE_ARCHIVE is none.')
  if (!databaseExists(settings)) {
    output.err(
      `There is no data in ${resolve(settings.dataDir)} yet: start \`millrace run realtime\` there, or name another --data-dir.`,
    )
    return exitOk
  }
  const schema = market === 'simulated' ? simulatedSchemaOf(settings.schema) : settings.schema
  const warn = (message: string) => output.err(`warning: ${message}`)
  const stop = new AbortController()
  const shutdown = new Shutdown(() => undefined)
  shutdown.whenStopping(() => stop.abort())
  try {
    const found = await withDatabase(settings, output.err, async ({ address }) => {
      await prepareDatabase(address, schema)
      const place = { place: settings.archive, s3: s3Access(env, settings.s3PathStyle) }
      const archive = await openArchive(place, settings.dataDir, schema, warn)
      const pool = openPool(address, { schema, applicationName: 'millrace verify', maxConnections: 2 })
      const recorded = new PostgresCheckpointStore(address, { schema })
      try {
        const pipeline = realtime(tradeCodec({ market, timeUnit }))
        if (archive === null) throw new Error('bug: an archive that is none was opened')
        const { store } = archive
        const topic = await topicOf(pool, pipeline.name, settings.topic)
        return await compare(pool, { pipeline, topic, store, recorded, from, to, signal: stop.signal })
      } finally {
        await recorded.close()
        await pool.end()
        await archive?.store.close()
      }
    })
    if (settings.json) await output.out(`${JSON.stringify(found, null, 2)}\n`)
    else await output.out(report(found, to))
    // What has looked at nothing has found nothing out.
    return found.differences.length === 0 && isAnything(found) ? exitOk : exitFailure
  } finally {
    shutdown.dispose()
  }
}

/** The only topic that is archived, unless one is named. */
async function topicOf(pool: pg.Pool, pipeline: string, named: string | undefined): Promise<string> {
  if (named !== undefined) return named
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

const headings = ['what', 'table', 'row', 'column', 'stored', 'compared with']

function report(found: Verified, to: number): string {
  const { differences, records, candles, deadLetters, klines, until } = found
  const lines: string[] = []
  if (differences.length > 0) lines.push(...textTable(headings, differences.slice(0, mostShown).flatMap(rowsOf)), '')
  if (differences.length > mostShown)
    lines.push(`… and ${countText(differences.length - mostShown)} more; --json lists all.`, '')
  const kinds = Map.groupBy(differences, ({ kind }) => kind)
  for (const [kind, remedy] of remedies) {
    const count = kinds.get(kind)?.length ?? 0
    if (count > 0) lines.push(`${countText(count)} ${kind}: ${remedy}`)
  }
  if (until < to)
    lines.push(
      `Compared up to ${formatTime(until)}: the archive does not reach further yet. It does after a clean stop, or the next hour.`,
    )
  lines.push(
    `${countText(records)} records read again; ${countText(candles)} candles, ${countText(deadLetters)} dead letters and ${countText(klines)} klines of the exchange compared: ${resultText(found)}.`,
  )
  return `${lines.join('\n')}\n`
}

function isAnything({ candles, deadLetters, differences }: Verified): boolean {
  return candles + deadLetters + differences.length > 0
}

function resultText(found: Verified): string {
  if (found.differences.length > 0) return `${countText(found.differences.length)} differ`
  return isAnything(found)
    ? 'all the same'
    : 'nothing, for no closed candle lies wholly in the range. Name a longer one, or one in which there were trades'
}

const remedies: ReadonlyMap<Difference['kind'], string> = new Map([
  [
    'differs',
    'stored rows are not what the archive makes. Somebody has changed them, or other code has made them: compare with the time of the last release.',
  ],
  ['missing', 'the archive makes rows that are not stored. Somebody has deleted them, or they were never written.'],
  [
    'extra',
    'stored rows that the archive does not make. Another program has written them, or the archive lacks their records.',
  ],
  [
    'exchange',
    'stored and archived agree, and the exchange has something else: trades that the feed has missed (`millrace status` shows its gaps), or a kline that was corrected (`millrace backfill` fetches it again).',
  ],
])

function rowsOf({ kind, table, row, columns }: Difference): readonly string[][] {
  const cells = Object.entries(columns)
  if (cells.length === 0) return [[kind, table, row, '', '', '']]
  return cells.map(([column, [stored, other]]) => [kind, table, row, column, stored ?? '', other ?? ''])
}

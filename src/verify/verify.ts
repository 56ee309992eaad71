import type pg from 'pg'
import { intervals } from '../market/interval.ts'
import { candleTable } from '../pipelines/candleTable.ts'
import { ArchiveLog } from '../replay/archiveLog.ts'
import { postgresManifest } from '../replay/archiveManifest.ts'
import { type ReplayedPlace, replayRange } from '../replay/replayRange.ts'
import type { RecordedRun } from '../replay/replayStore.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import type { ObjectStore } from '../runtime/objectStore.ts'
import type { Pipeline } from '../runtime/pipeline/pipeline.ts'
import type { WorkerLimitOptions } from '../runtime/task/workerLimits.ts'
import { compareCandles, compareKlines, madeCandles, storedCandles } from './candles.ts'
import type { Difference } from './difference.ts'
import { compareLetters } from './letters.ts'
import { type KeepsRow, RowsMade } from './madeRows.ts'

/** What is verified: candles and dead letters of a time, as a pipeline has written them. */
export interface VerifyOptions {
  /** `realtime`, as it ran. */
  readonly pipeline: Pipeline
  readonly topic: string
  /** Where the archive is. */
  readonly store: ObjectStore
  /** What is read back of the live run. */
  readonly recorded: RecordedRun
  /** What bounded the live run, as far as that decides what is set aside. */
  readonly limits: WorkerLimitOptions
  /** First open time, and the time where the range ends, ms UTC: candles that lie wholly in it are compared. */
  readonly from: number
  readonly to: number
  readonly signal: AbortSignal
}

/** What a verification came to. */
export interface Verified {
  readonly differences: readonly Difference[]
  /** How many records were read again. */
  readonly records: number
  /** How many closed candles were compared. */
  readonly candles: number
  /** How many dead letters were compared. */
  readonly deadLetters: number
  /** How many were not, because the log has lost their records since. */
  readonly rewoundLetters: number
  /** How many klines of the exchange were compared. */
  readonly klines: number
  /** Candles that end behind it were not compared, for the archive does not reach further, ms UTC; `to`, where it does. */
  readonly until: number
}

/** Ids are kept for ten minutes, trades may be half a minute late and two seconds out of order, and time leaps by ten seconds at most: what is older than all of it does not show. */
const warmUpMs = 11 * 60_000
/** After so much more, nothing changes a candle but what is fetched for a gap. */
const settledMs = 2 * 60_000

/** What is fetched for a gap that is open still may have come until the end of the archive. */
const gapsText = `SELECT (extract(epoch FROM min(least(from_time, seen_at))) * 1000)::float8 AS "from",
  (extract(epoch FROM max(coalesce(filled_at, 'infinity')) FILTER (WHERE to_time >= timestamptz 'epoch' + $2 * interval '1 millisecond')) * 1000)::float8 AS "to"
FROM feed_gap
WHERE from_time < timestamptz 'epoch' + $3 * interval '1 millisecond'
  AND (filled_at IS NULL OR filled_at >= timestamptz 'epoch' + $1 * interval '1 millisecond')`

/** Up to which open time candles of a length were deleted because of their age, ms UTC. */
const deletedText = `SELECT kind, (extract(epoch FROM deleted_until) * 1000)::float8 AS until FROM retention WHERE deleted_until IS NOT NULL`

const unarchivedText = `SELECT task.partition
FROM stream_task AS task
WHERE task.pipeline = $1 AND task.topic = $2 AND task.next_offset > coalesce(
  (SELECT max(last_offset) + 1 FROM archive_object AS object WHERE object.pipeline = $1 AND object.topic = $2 AND object.partition = task.partition), 0)`

/**
 * Reads a range of the archive again and compares what comes of it with what is stored, byte for byte, and that with the exchange's klines, where they are. Writes nothing.
 *
 * Reading begins earlier than the range, by what could still show in it, and ends later, by what may still change it; gaps of the feed that were filled later, or are open still, included. Provisional candles are left out, and what was deleted because of its age.
 * Holds the candles and dead letters of the range.
 * @throws ConfigurationError where nothing of the range is archived
 */
export async function verify(pool: pg.Pool, options: VerifyOptions): Promise<Verified> {
  const { pipeline, topic, store, recorded, limits, from, to, signal } = options
  const { rows: gaps } = await pool.query<{ from: number | null; to: number | null }>(gapsText, [
    from - warmUpMs,
    from,
    to,
  ])
  const manifest = postgresManifest(pool, { pipeline: pipeline.name, topic })
  const end = Math.max(to, gaps[0]?.to ?? to)
  const replayFrom = async (fromTime: number) => {
    const rows = new RowsMade(isClosedFrom(from))
    const replayed = await replayRange({
      ...{ pipeline, manifests: [manifest], store, recorded, limits, signal, fromTime },
      until: Number.isFinite(end) ? { time: end, settleMs: settledMs } : null,
      take: ({ partition }, writes) => rows.take(partition, writes),
    })
    return { ...replayed, rows }
  }
  const scope = { pipeline, logs: [new ArchiveLog({ manifest, store })], range: { from, to } }
  const begin = Math.min(from, gaps[0]?.from ?? from) - warmUpMs
  let replayed = await replayFrom(begin)
  if (replayed.records === 0) {
    throw new ConfigurationError(
      `the archive of pipeline ${pipeline.name} has nothing of topic ${topic} from ${isoTime(from)} to ${isoTime(to)}; \`millrace candles\` shows of which time there are candles`,
    )
  }
  let letters = await compareLetters(pool, scope, replayed)
  if (letters.oldestMissing !== null && letters.oldestMissing < begin) {
    // A record that came again long after it first did was known to the live run, however long ago that was: ids are remembered as long as they go on without a hole. Read from there, it is known here too.
    replayed = await replayFrom(letters.oldestMissing - warmUpMs)
    letters = await compareLetters(pool, scope, replayed)
  }
  const until = await settledUntil(pool, pipeline.name, topic, replayed.places, to)
  const { rows: deletions } = await pool.query<{ kind: string; until: number }>(deletedText)
  const deletedUntil = new Map(deletions.map(({ kind, until }) => [kind, until]))
  const differences: Difference[] = []
  let candles = 0
  let klines = 0
  for (const interval of intervals) {
    const kept = Math.max(from, (deletedUntil.get(`candles-${interval}`) ?? from - 1) + 1)
    const candleScope = { pipeline: pipeline.name, topic, interval, range: { from: kept, to: until } }
    const texts = [...replayed.rows.upserts(candleTable(interval)).values()].map(({ text }) => text)
    const made = madeCandles(candleScope, texts)
    const stored = await storedCandles(pool, candleScope)
    const ours = compareCandles(interval, stored, made)
    const known = new Set(ours.differences.map(({ row }) => row))
    const theirs = await compareKlines(pool, candleScope, stored, known)
    candles += ours.compared
    klines += theirs.compared
    for (const one of [...ours.differences, ...theirs.differences]) differences.push(one)
  }
  for (const one of letters.differences) differences.push(one)
  const { compared: deadLetters, rewound: rewoundLetters } = letters
  return { differences, records: replayed.records, candles, deadLetters, rewoundLetters, klines, until }
}

/** Open candles are not meant to be the same twice, and those that began before the range are not whole. */
function isClosedFrom(from: number): KeepsRow {
  return (table, row) => {
    const cell = (name: string) => row[table.columns.findIndex((column) => column.name === name)] ?? null
    const isClosed = cell('is_closed')
    return (isClosed === 't' || isClosed === 'true') && Date.parse(cell('open_time') ?? '') >= from
  }
}

/** Where a live run is ahead of its archive, candles near the end may have more in them than was read. */
async function settledUntil(
  pool: pg.Pool,
  pipeline: string,
  topic: string,
  places: readonly ReplayedPlace[],
  to: number,
): Promise<number> {
  const { rows } = await pool.query<{ partition: number }>(unarchivedText, [pipeline, topic])
  const behind = new Set(rows.map(({ partition }) => partition))
  const reached = places
    .filter(({ partition, watermark }) => behind.has(partition) && watermark !== null)
    .map(({ watermark }) => (watermark as number) - settledMs)
  return Math.min(to, ...reached)
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}

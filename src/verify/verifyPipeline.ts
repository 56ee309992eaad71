import type pg from 'pg'
import { ArchiveLog } from '../replay/archiveLog.ts'
import { type ArchiveManifest, postgresManifest } from '../replay/archiveManifest.ts'
import { type Replayed, type ReplayedPlace, replayRange } from '../replay/replayRange.ts'
import type { RecordedRun } from '../replay/replayStore.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import type { ObjectStore } from '../runtime/objectStore.ts'
import { inputsOf, type Pipeline } from '../runtime/pipeline/pipeline.ts'
import { type InputPlace, placeName } from '../runtime/store/inputPlace.ts'
import type { Table } from '../runtime/store/table.ts'
import type { WorkerLimitOptions } from '../runtime/task/workerLimits.ts'
import { withClient } from '../sinks/postgres/withClient.ts'
import { type ComparedTable, compareTable, timeColumn } from './comparedTable.ts'
import type { Difference, TimeRange } from './difference.ts'
import { compareLetters } from './letters.ts'
import { type KeepsRow, RowsMade } from './madeRows.ts'

/** What a pipeline ends in, as far as it decides about what can be compared. */
export interface VerifiedEnds {
  /** Descriptors of its tables, as often as they are named. */
  readonly tables: readonly Table<never>[]
  /** Those of its inputs that are archived, by their place. */
  readonly archivedInputs: readonly number[]
  /** Its operators that ask somebody outside. */
  readonly asking: readonly { readonly operator: string; readonly isRecorded: boolean }[]
}

/** What is verified: all that a pipeline has written, or what it has of a time. */
export interface PipelineVerifyOptions {
  /** As it ran. */
  readonly pipeline: Pipeline
  readonly ends: VerifiedEnds
  /** The topics that it reads, in the order of its inputs. */
  readonly topics: readonly string[]
  /** Where the archive is. */
  readonly store: ObjectStore
  /** What is read back of the live run. */
  readonly recorded: RecordedRun
  /** What bounded the live run, as far as that decides what is set aside. */
  readonly limits: WorkerLimitOptions
  /** Rows and dead letters of that time are compared; null for all. */
  readonly range: TimeRange | null
  readonly signal: AbortSignal
}

/** A table, and how it was compared. */
export type VerifiedTable = { readonly table: string } & (
  | Omit<ComparedTable, 'differences'>
  /** Why it was not. */
  | { readonly leftOut: string }
)

/** What the verification of a pipeline came to. */
export interface VerifiedPipeline {
  readonly differences: readonly Difference[]
  /** How many records were read again, the last time. */
  readonly records: number
  readonly tables: readonly VerifiedTable[]
  /** How many dead letters were compared. */
  readonly deadLetters: number
  /** How many were not, because the log has lost their records since. */
  readonly rewoundLetters: number
  /** Where the last reading began, ms UTC; null for the beginning of the archive. */
  readonly readFrom: number | null
  /** What differences may come of besides, where there are any: what the archive does not tell. Sentences. */
  readonly doubts: readonly string[]
}

/** The first reading begins so long before the range, or as long before it as the range is; each further one eight times as far. */
const leastWarmUpMs = 15 * 60_000
/** The first reading ends so long after the range; each further one eight times as far. */
const leastSettleMs = 2 * 60_000
const furtherBy = 8

/**
 * Reads the archive of a pipeline again and compares what comes of it with the tables and the dead letters that it has written, byte for byte. Writes nothing, sends nothing, and asks outside only what
 * the live run has recorded no answer to.
 *
 * Without a range all of the archive is read, and every row compared. With one, reading begins some time before it and ends some time after it; where rows differ then, it begins earlier and ends later, until they
 * are the same or all of the archive was read: so a difference is none that a state of before the range, or records after it, would explain.
 * Of pipelines with several inputs all of the archive before the range is read. Holds the rows that are made: those of the range, where the time is part of the key.
 * @throws ConfigurationError where it cannot be compared: an input is not archived, an operator asks outside and records no answers, or the live run is ahead of the archive and no range was given
 */
export async function verifyPipeline(pool: pg.Pool, options: PipelineVerifyOptions): Promise<VerifiedPipeline> {
  const { pipeline, ends, topics, store, range } = options
  refuseUnarchived(pipeline, topics, ends)
  refuseUnrecorded(pipeline, ends)
  const manifests = topics.map((topic) => postgresManifest(pool, { pipeline: pipeline.name, topic }))
  if (range === null) refuseAhead(pipeline, await aheadOf(pool, pipeline, topics))
  const logs = manifests.map((manifest) => new ArchiveLog({ manifest, store }))
  const length = range === null ? 0 : range.to - range.from
  for (let factor = 1; ; factor *= furtherBy) {
    const reading = range === null ? null : readingOf(range, length, factor, topics.length > 1)
    const { rows, replayed } = await readAgain(options, manifests, reading)
    if (replayed.records === 0 && isEmpty(replayed)) throw nothingArchived(pipeline, topics)
    const found = await withClient(pool, `compare the rows of pipeline ${pipeline.name}`, {}, async (client) => {
      await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL TIME ZONE 'UTC'")
      const ahead = await aheadOf(client, pipeline, topics, replayed.places)
      if (range === null) refuseAhead(pipeline, ahead)
      const rewound = await rewoundOf(client, pipeline)
      const compared = await compareAll(client, options, rows, replayed, logs)
      await client.query('COMMIT')
      return { ...compared, ahead, rewound }
    })
    const isAll = reading === null || isAllOf(replayed)
    if (found.differences.length > 0 && !isAll) continue
    const { ahead, rewound, ...compared } = found
    const readFrom = isFromBeginning(replayed) ? null : (reading?.fromTime ?? null)
    const doubts = compared.differences.length === 0 ? [] : doubtsOf(ends, replayed, ahead, rewound)
    return { ...compared, records: replayed.records, readFrom, doubts }
  }
}

interface Reading {
  /** ms UTC; null for the beginning. */
  readonly fromTime: number | null
  readonly until: { readonly time: number; readonly settleMs: number }
}

function readingOf(range: TimeRange, length: number, factor: number, hasOthers: boolean): Reading {
  const begin = range.from - factor * Math.max(leastWarmUpMs, length)
  return {
    // Where the inputs of a live run have stood at one time is not known before it is read.
    fromTime: hasOthers || begin <= 0 ? null : begin,
    until: { time: range.to, settleMs: factor * leastSettleMs },
  }
}

async function readAgain(
  { pipeline, store, recorded, limits, range, signal }: PipelineVerifyOptions,
  manifests: readonly ArchiveManifest[],
  reading: Reading | null,
): Promise<{ readonly rows: RowsMade; readonly replayed: Replayed }> {
  const rows = new RowsMade(range === null ? () => true : isOf(range))
  const replayed = await replayRange({
    ...{ pipeline, manifests, store, recorded, limits, signal },
    fromTime: reading?.fromTime ?? null,
    until: reading?.until ?? null,
    take: ({ partition }, writes) => rows.take(partition, writes),
  })
  return { rows, replayed }
}

/** Rows of the range, where all rows of a key are of one time, or none replaces another; else all. */
function isOf({ from, to }: TimeRange): KeepsRow {
  return (table, row) => {
    const by = timeColumn(table)
    if (by === null || (table.mode === 'upsert' && !table.key.includes(by))) return by !== null
    const time = Date.parse(row[table.columns.findIndex(({ name }) => name === by)] ?? '')
    return time >= from && time < to
  }
}

const isFromBeginning = ({ places }: Replayed) =>
  places.every(({ fromOffset, archived }) => fromOffset <= archived.fromOffset)

const isAllOf = (replayed: Replayed) =>
  isFromBeginning(replayed) && replayed.places.every(({ nextOffset, archived }) => nextOffset >= archived.nextOffset)

const isEmpty = ({ places }: Replayed) => places.every(({ archived }) => archived.nextOffset === 0)

async function compareAll(
  client: pg.ClientBase,
  { pipeline, ends, topics, range }: PipelineVerifyOptions,
  rows: RowsMade,
  replayed: Replayed,
  logs: readonly ArchiveLog[],
) {
  const scope = { pipeline: pipeline.name, topic: topics[0] as string, range }
  const tables: VerifiedTable[] = []
  const differences: Difference[] = []
  for (const table of new Map(ends.tables.map((table) => [table.name, table])).values()) {
    if (range !== null && timeColumn(table) === null) {
      tables.push({
        table: table.name,
        leftOut: 'its rows have no time; without --from and --to all of them are compared',
      })
      continue
    }
    const { differences: found, ...compared } = await compareTable(client, table, rows, scope)
    tables.push({ table: table.name, ...compared })
    for (const one of found) differences.push(one)
  }
  const letters = await compareLetters(client, { pipeline, logs, range }, replayed)
  for (const one of letters.differences) differences.push(one)
  return { differences, tables, deadLetters: letters.compared, rewoundLetters: letters.rewound }
}

/** Partitions of which the live run has processed records that are not archived yet, or that were archived behind what was read. */
const aheadText = `SELECT place.topic || '/' || place.partition AS place
FROM (
  SELECT topic, partition, next_offset, archive_next_offset FROM stream_task WHERE pipeline = $1 AND topic = $2
  UNION ALL
  SELECT input_topic, input_partition, max(next_offset), max(archive_next_offset) FROM task_input WHERE pipeline = $1 AND topic = $2 GROUP BY 1, 2
) AS place LEFT JOIN unnest($4::text[], $5::integer[], $6::float8[]) AS read (topic, partition, next_offset) USING (topic, partition)
WHERE place.topic = ANY ($3) AND (place.next_offset > coalesce(place.archive_next_offset, 0) OR EXISTS (
  SELECT FROM archive_object AS object
  WHERE object.pipeline = $1 AND object.topic = place.topic AND object.partition = place.partition AND object.last_offset >= read.next_offset
))
ORDER BY place.topic, place.partition`

async function aheadOf(
  db: Pick<pg.Pool, 'query'>,
  { name }: Pipeline,
  topics: readonly string[],
  read: readonly ReplayedPlace[] = [],
): Promise<readonly string[]> {
  const { rows } = await db.query<{ place: string }>(aheadText, [
    ...[name, topics[0], topics],
    ...[read.map(({ topic }) => topic), read.map(({ partition }) => partition), read.map((one) => one.nextOffset)],
  ])
  return rows.map(({ place }) => place)
}

const rewoundText = `SELECT input_topic AS topic, input_partition AS partition, min(from_offset)::float8 AS "fromOffset"
FROM skipped_range WHERE pipeline = $1 AND kind = 'rewind' GROUP BY 1, 2 ORDER BY 1, 2`

/** Where the pipeline went back because the log had lost its end. */
async function rewoundOf(db: pg.ClientBase, { name }: Pipeline): Promise<readonly RewoundPlace[]> {
  return (await db.query<RewoundPlace>(rewoundText, [name])).rows
}

interface RewoundPlace extends InputPlace {
  readonly fromOffset: number
}

function refuseAhead({ name }: Pipeline, ahead: readonly string[]): void {
  if (ahead.length === 0) return
  throw new ConfigurationError(
    `pipeline ${name} has processed records of ${ahead.join(', ')} that are not archived yet, or were not when the archive was read, so its tables have more in them than the archive: stop it (\`millrace stop\`), which archives what is open, ` +
      'or name a range that is over with --from and --to.',
    { pipeline: name },
  )
}

function refuseUnarchived(pipeline: Pipeline, topics: readonly string[], { archivedInputs }: VerifiedEnds): void {
  const archived = new Set(archivedInputs.map((input) => topics[input]))
  const missing = inputsOf(pipeline).flatMap(({ name }, i) =>
    archived.has(topics[i]) ? [] : [{ name, topic: topics[i] }],
  )
  if (missing.length === 0) return
  throw new ConfigurationError(
    `pipeline ${pipeline.name} does not archive ${missing.map(({ name, topic }) => `${name} (topic ${topic})`).join(', ')}, so what it has made of it cannot be made again: give it an outlet toArchive(…) of that input. ` +
      'What it makes of given records is compared in a test: testPipeline of millrace/testing.',
    { pipeline: pipeline.name },
  )
}

function refuseUnrecorded({ name }: Pipeline, { asking }: VerifiedEnds): void {
  const unrecorded = asking.filter(({ isRecorded }) => !isRecorded).map(({ operator }) => operator)
  if (unrecorded.length === 0) return
  throw new ConfigurationError(
    `pipeline ${name} asks somebody outside in ${unrecorded.join(', ')} and keeps no answers: to read its records again would be to ask again, and rows would be those of today. ` +
      'lookup with `record: true` keeps them.',
    { pipeline: name },
  )
}

function nothingArchived({ name }: Pipeline, topics: readonly string[]): ConfigurationError {
  return new ConfigurationError(
    `the archive of pipeline ${name} has nothing of ${topics.join(', ')} yet: an object is in it once it is full, its hour is over or the run was stopped cleanly`,
    { pipeline: name },
  )
}

function doubtsOf(
  { asking }: VerifiedEnds,
  { places }: Replayed,
  ahead: readonly string[],
  rewound: readonly RewoundPlace[],
): readonly string[] {
  const inside = places.filter(({ archived }) => archived.fromOffset > 0)
  const recorded = asking.map(({ operator }) => operator)
  return [
    ...(inside.length === 0
      ? []
      : [
          `The archive begins at ${inside.map((place) => `offset ${place.archived.fromOffset} of ${placeName(place)}`).join(', ')}. Where the pipeline has processed records of before, what it made of them is not known here.`,
        ]),
    ...(ahead.length === 0
      ? []
      : [
          `Records of ${ahead.join(', ')} were processed that are not archived yet, or were not when the archive was read, and may have changed rows of the range.`,
        ]),
    ...(rewound.length === 0
      ? []
      : [
          `The log has lost its end from ${rewound.map((place) => `offset ${place.fromOffset} of ${placeName(place)}`).join(', ')} on, and the pipeline went back: what it had made of the records that were there is stored still, and not known here.`,
        ]),
    ...(recorded.length === 0
      ? []
      : [
          `What ${recorded.join(', ')} was answered is taken from lookup_answer; where somebody has deleted answers, they were asked for again.`,
        ]),
  ]
}

import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import type pg from 'pg'
import { startOrJoin } from '../../src/embedded/embeddedPostgres.ts'
import { intervals } from '../../src/market/interval.ts'
import type { StateFrame } from '../../src/runtime/store/checkpoint.ts'
import { type ArchivedRecord, readArchiveObject } from '../../src/sinks/archive/readArchiveObject.ts'
import { openPool } from '../../src/sinks/postgres/connection.ts'
import { type Outcome, stateLines } from '../../src/testing/simulation/outcome.ts'

/** Statements by the name of what they read, one line a row. */
export type Statements = Readonly<Record<string, string>>

// Columns that tell the time of day, or count the starts or the claims, are left out.
const ofRealtime: Statements = {
  ...Object.fromEntries(
    intervals.map((interval) => [
      `table fact_realtime_trades_${interval}`,
      `SELECT jsonb_build_array(to_jsonb(t) - 'row_owner', o.partition)::text AS line FROM fact_realtime_trades_${interval} t
        JOIN row_owner o ON o.id = t.row_owner ORDER BY market, symbol, open_time`,
    ]),
  ),
  log: `SELECT jsonb_build_array(topic, partition, next_offset)::text AS line FROM log_partition ORDER BY topic, partition`,
  'tape position': `SELECT jsonb_build_array(topic, producer, position)::text AS line FROM log_producer ORDER BY topic, producer`,
}

const ofEveryPipeline: Statements = {
  'dead letters': `SELECT jsonb_build_array(pipeline, topic, partition, "offset", operator, ordinal, reason, detail, record_time,
      encode(key, 'hex'), headers, encode(payload, 'hex'), redriven_at)::text AS line
    FROM dead_letter ORDER BY topic, partition, "offset", operator, ordinal`,
  // A clean stop ends objects early, so where they end is no part of it.
  manifest: `SELECT jsonb_build_array(pipeline, topic, partition, min(first_offset), max(last_offset), sum(record_count),
      min(min_timestamp), max(max_timestamp))::text AS line
    FROM archive_object GROUP BY pipeline, topic, partition ORDER BY pipeline, topic, partition`,
  'idle advances': `SELECT i::text AS line FROM idle_advance i ORDER BY i::text`,
  'merge notes': `SELECT n::text AS line FROM merge_note n ORDER BY n::text`,
  answers: `SELECT a::text AS line FROM lookup_answer a ORDER BY a::text`,
  'other inputs': `SELECT jsonb_build_array(pipeline, topic, partition, input_topic, next_offset, archive_next_offset)::text AS line
    FROM task_input ORDER BY topic, partition, input_topic, input_partition`,
}

/** All that a run has left in a data folder: tables, saved state, and every file of the archive. */
export async function dumpOf(dataDir: string): Promise<Outcome> {
  const server = await startOrJoin(dataDir)
  const pool = openPool(server.connection, { schema: 'public', applicationName: 'chaos', maxConnections: 1 })
  try {
    const objects = archiveObjects(join(dataDir, 'archive'))
    return new Map([...(await tablesOf(pool)), ['archived records', await archivedLines(pool, objects)]])
  } finally {
    await pool.end()
    await server.stop()
  }
}

/** All that a run has left in a database: its own tables, dead letters, notes and saved state. */
export async function tablesOf(pool: pg.Pool, own: Statements = ofRealtime): Promise<Outcome> {
  const outcome = new Map<string, readonly string[]>()
  for (const [name, statement] of Object.entries({ ...own, ...ofEveryPipeline })) {
    const { rows } = await pool.query<{ line: string }>(statement)
    outcome.set(
      name,
      rows.map(({ line }) => line),
    )
  }
  outcome.set('state', await savedState(pool))
  return outcome
}

interface TaskRow {
  readonly topic: string
  readonly partition: number
  readonly next_offset: string
  readonly watermark: string | null
  readonly archive_next_offset: string | null
}

async function savedState(pool: pg.Pool): Promise<string[]> {
  const tasks = await pool.query<TaskRow>('SELECT * FROM stream_task ORDER BY topic, partition')
  const lines: string[] = []
  for (const { topic, partition, next_offset, watermark, archive_next_offset } of tasks.rows) {
    const frames = await pool.query<StateFrame>(
      'SELECT kind, body FROM task_state WHERE topic = $1 AND partition = $2 ORDER BY sequence',
      [topic, partition],
    )
    const saved = {
      nextOffset: Number(next_offset),
      watermark: watermark === null ? null : Number(watermark),
      archiveNextOffset: archive_next_offset === null ? null : Number(archive_next_offset),
      state: frames.rows,
    }
    lines.push(...stateLines(`${topic}/${partition}`, saved))
  }
  return lines
}

/** A line for each record of the objects that the manifest names, in its order: where it was, and the digest of what it held. */
export async function archivedLines(pool: pg.Pool, objects: ReadonlyMap<string, Buffer>): Promise<string[]> {
  const { rows } = await pool.query<{ topic: string; partition: number; key: string }>(
    'SELECT topic, partition, key FROM archive_object ORDER BY pipeline, topic, partition, first_offset',
  )
  return rows.flatMap(({ topic, partition, key }) => {
    const body = objects.get(key)
    if (body === undefined) return [`${topic}/${partition}: there is no ${key}`]
    return [...readArchiveObject(body)].map((record) => `${topic}/${partition}/${record.offset} ${digestOf(record)}`)
  })
}

function digestOf({ timestamp, key, value }: ArchivedRecord): string {
  const hash = createHash('sha256').update(String(timestamp))
  for (const bytes of [key, value]) hash.update(bytes === null ? '-' : `${bytes.length}:`).update(bytes ?? '')
  return hash.digest('hex')
}

/** Every object by its key; a file that a killed upload has left unfinished is none, and its name begins with a dot. */
export function archiveObjects(folder: string): ReadonlyMap<string, Buffer> {
  if (!existsSync(folder)) return new Map()
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map(
    files
      .map(({ parentPath, name }) => join(parentPath, name))
      .filter((path) => !relative(folder, path).startsWith('.'))
      .map((path) => [relative(folder, path), readFileSync(path)]),
  )
}

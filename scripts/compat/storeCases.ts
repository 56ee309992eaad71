import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { GetObjectCommand } from '@aws-sdk/client-s3'
import { readArchiveObject } from '../../src/sinks/archive/readArchiveObject.ts'
import type { CompatCase } from './compatCase.ts'
import { type Gateway, moto, s3Client, s3Environment, versitygw } from './gateways.ts'
import {
  keepOverAKill,
  keepRefused,
  keepToTheEnd,
  keptRecords,
  lastLines,
  millrace,
  type RunPlace,
} from './millrace.ts'
import { pgbouncer } from './pgbouncer.ts'
import { type Database, database, debianMajors, withClient } from './postgres.ts'
import { type PlainRecord, requireSame } from './records.ts'
import type { Stage } from './stage.ts'

/** PostgreSQL of several majors, and poolers before it, on the embedded log. */
export function postgresCases(): readonly CompatCase[] {
  const majors = debianMajors()
  return [
    postgresCase('embedded', false, (stage) => database(stage, null)),
    ...(majors.length === 0 ? ['15'] : majors).map((major) =>
      postgresCase(major, true, (stage) => database(stage, major)),
    ),
    poolerCase('session'),
    poolerCase('transaction'),
  ]
}

/** Object stores that others have written. */
export function s3Cases(): readonly CompatCase[] {
  return [s3Case('versitygw', true, versitygw), s3Case('moto', false, moto)]
}

function postgresCase(version: string, isShort: boolean, open: (stage: Stage) => Promise<Database>): CompatCase {
  const run = async (stage: Stage) => {
    const place = placeOn(stage, await open(stage))
    const lines = linesFrom(0, 300)
    await ingest(stage, place, lines)
    const all = [...lines, ...linesFrom(300, 300)]
    await keepOverAKill(stage, place, () => ingest(stage, place, all))
    requireSame('rows', all.map(recordOf), await keptRecords(place))
  }
  return { part: 'postgres', version, client: '-', name: 'rows over a kill, on the embedded log', isShort, run }
}

/** A pooler that cannot be right says so at the start, with its own name; one that is right is as good as the server. */
function poolerCase(mode: 'session' | 'transaction'): CompatCase {
  const run = async (stage: Stage) => {
    const behind = await database(stage, null)
    const pooled = await pgbouncer(stage, behind, mode)
    // What the database holds is looked at without the pooler.
    const place = placeOn(stage, pooled)
    const lines = linesFrom(0, 300)
    const refused = await millrace(stage, place, ['migrate'])
    if (refused.code === 2 && /pool|pgbouncer/i.test(refused.output)) return
    if (refused.code !== 0)
      throw new Error(`is refused with ${refused.code} and no word on the pooler: ${lastLines(refused.output)}`)
    await ingest(stage, place, lines)
    const ended = await keepRefused(stage, place)
    if (ended.code === 2 && /pool|pgbouncer/i.test(ended.output)) return
    if (ended.code !== 0) throw new Error(`the run ended with ${ended.code}: ${lastLines(ended.output)}`)
    requireSame('rows', lines.map(recordOf), await keptRecords({ ...place, database: behind }))
  }
  return {
    part: 'pgbouncer',
    version: mode,
    client: '-',
    name: 'rows, or a refusal that names it',
    isShort: false,
    run,
  }
}

function s3Case(
  version: string,
  isShort: boolean,
  open: (stage: Stage, mayInstall: boolean) => Promise<Gateway>,
): CompatCase {
  const run = async (stage: Stage) => {
    const gateway = await open(stage, stage.mayInstall)
    const prefix = stage.unique('archive')
    const place = {
      ...placeOn(stage, await database(stage, null)),
      env: { ...s3Environment(gateway), MILLRACE_ARCHIVE: `s3://${gateway.bucket}/${prefix}`, COMPAT_ARCHIVE: 'yes' },
    }
    const lines = linesFrom(0, 300)
    await ingest(stage, place, lines)
    const all = [...lines, ...linesFrom(300, 300)]
    await keepOverAKill(stage, place, () => ingest(stage, place, all))
    await keepToTheEnd(stage, place)
    requireSame('rows', all.map(recordOf), await keptRecords(place))
    requireSame('objects', all.map(recordOf), await archivedRecords(gateway, prefix, place))
  }
  return { part: 's3', version, client: '-', name: 'rows and objects over a kill', isShort, run }
}

function placeOn(stage: Stage, at: Database): RunPlace {
  return {
    database: at,
    schema: stage.unique('schema'),
    topic: stage.unique('topic'),
    dataDir: stage.newFolder('data'),
    env: {},
  }
}

const linesFrom = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) =>
    JSON.stringify({ sensor: `s${(from + i) % 5}`, n: from + i, text: 'grün 株' }),
  )

const recordOf = (line: string): PlainRecord => ({
  key: Buffer.from((JSON.parse(line) as { sensor: string }).sensor).toString('hex'),
  value: Buffer.from(line).toString('hex'),
  headers: [],
})

/** The whole file each time; the position in the log leaves out what is there already. */
async function ingest(stage: Stage, place: RunPlace, lines: readonly string[]): Promise<void> {
  const file = join(place.dataDir, 'lines.jsonl')
  writeFileSync(file, `${lines.join('\n')}\n`)
  const args = ['ingest', file, '--topic', place.topic, '--key', 'sensor', '--producer', 'compat', '--until-end']
  const { code, output } = await millrace(stage, { ...place, dataDir: stage.newFolder('ingest') }, args)
  if (code !== 0) throw new Error(`the ingest ended with ${code}: ${lastLines(output)}`)
}

interface ManifestRow {
  readonly key: string
  readonly sha256: string
}

/** By the manifest, as a reader is meant to. */
async function archivedRecords(
  gateway: Gateway,
  prefix: string,
  { database: at, schema }: RunPlace,
): Promise<PlainRecord[]> {
  const objects = await withClient(at, async (client) => {
    const { rows } = await client.query<ManifestRow>(
      `SELECT key, sha256 FROM ${client.escapeIdentifier(schema)}.archive_object ORDER BY partition, first_offset`,
    )
    return rows
  })
  const s3 = s3Client(gateway)
  const found: PlainRecord[] = []
  for (const { key, sha256 } of objects) {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: gateway.bucket, Key: `${prefix}/${key}` }))
    const bytes = Buffer.from((await Body?.transformToByteArray()) ?? [])
    const actual = createHash('sha256').update(bytes).digest('hex')
    if (actual !== sha256) throw new Error(`object ${key} has sha256 ${actual}, and the manifest says ${sha256}`)
    for (const record of readArchiveObject(bytes))
      found.push({ key: hex(record.key), value: hex(record.value), headers: [] })
  }
  s3.destroy()
  return found
}

const hex = (bytes: Buffer | null) => (bytes === null ? null : bytes.toString('hex'))

import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { columns, storedRows } from '../../../bench/nexmark/digest.ts'
import { eventAt, kinds, type NexmarkEvent } from '../../../bench/nexmark/events.ts'
import { fill, type NexmarkTopics } from '../../../bench/nexmark/fill.ts'
import { digestOf, type Events, eventsOf, oracle, type Query, queries } from '../../../bench/nexmark/oracle.ts'
import { openEmbeddedTopics } from '../../../src/host/embeddedTopics.ts'
import { readStatus } from '../../../src/queries/status.ts'
import type { Inputs } from '../../../src/runtime/pipeline/input.ts'
import type { InputsPipeline, Outlets } from '../../../src/runtime/pipeline/pipeline.ts'
import type { Table } from '../../../src/runtime/store/table.ts'
import { testPipeline } from '../../../src/testing/index.ts'
import { onSources } from '../../docs/pagePrograms.ts'
import { runCommand } from '../../support/commandLine.ts'
import { type TestDatabase, testDatabase } from '../../support/postgres.ts'

const source = resolve(import.meta.dirname, '../../../bench/nexmark')
const folder = mkdtempSync(join(tmpdir(), 'millrace-nexmark-'))
symlinkSync(join(source, '../../node_modules'), join(folder, 'node_modules'))
writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
for (const name of readdirSync(source).filter((one) => /^(q\d+|tables|topics)\.ts$/.test(one))) {
  writeFileSync(join(folder, name), onSources(readFileSync(join(source, name), 'utf8')))
}
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/**
 * The first events at a fiftieth of their pace, so that a few thousand of them fill several windows and end sessions. The first bid at the start of a window costs as much as the highest one of the window
 * before, whose end it is.
 */
function slowed(count: number): readonly NexmarkEvent[] {
  const { dateTime: epoch } = eventAt(0).value
  const slow = (time: number) => epoch + (time - epoch) * 50
  const highest = new Map<number, number>()
  return Array.from({ length: count }, (_, k): NexmarkEvent => {
    const event = eventAt(k)
    const dateTime = slow(event.value.dateTime)
    if (event.kind === 'person') return { kind: 'person', value: { ...event.value, dateTime } }
    if (event.kind === 'auction') {
      return { kind: 'auction', value: { ...event.value, dateTime, expires: slow(event.value.expires) } }
    }
    const start = dateTime - (dateTime % 10_000)
    const price = (highest.has(start) ? undefined : highest.get(start - 10_000)) ?? event.value.price
    highest.set(start, Math.max(price, highest.get(start) ?? 0))
    return { kind: 'bid', value: { ...event.value, dateTime, price } }
  })
}

/** Each up to two seconds behind a newer one. */
function shuffled(events: readonly NexmarkEvent[]): readonly NexmarkEvent[] {
  const place = ({ value }: NexmarkEvent, i: number) => value.dateTime + ((i * 7_919) % 2_000)
  return events
    .map((event, i) => ({ event, at: place(event, i) }))
    .sort((a, b) => a.at - b.at)
    .map(({ event }) => event)
}

const streams = { person: 'people', auction: 'auctions', bid: 'bids' } as const

async function pipelineOf(query: Query): Promise<InputsPipeline<Inputs, Outlets>> {
  const module = (await import(join(folder, `${query}.ts`))) as Record<string, InputsPipeline<Inputs, Outlets>>
  return module[query] as InputsPipeline<Inputs, Outlets>
}

describe('in memory, out of order, restored and crashed, each query is what its definition says', () => {
  const events = slowed(6_000)
  const expected: Events = eventsOf(events)

  test.each(queries)('%s', async (query) => {
    const pipeline = await pipelineOf(query)
    const read = shuffled(events).filter(({ kind }) => streams[kind] in pipeline.inputs)
    const crashAt = [read.length >> 2, read.length >> 1]
    const run = testPipeline(pipeline, { restoreEvery: read.length >> 3, crashAt })
    for (const { kind, value } of read) {
      run.push(streams[kind], { value: JSON.stringify(value), timestamp: value.dateTime })
    }
    run.closeOpen()
    const tables: Readonly<Record<string, Table<unknown>>> = await import(join(folder, 'tables.ts'))
    const table = Object.values(tables).find(({ name }) => name === `nexmark_${query}`)
    const texts = (row: unknown) =>
      columns[query].map((name) => String(table?.columns.find((column) => column.name === name)?.of(row)))
    const rows = run.rows('rows').map((row) => texts(row))
    expect(oracle[query](expected).length).toBeGreaterThan(2)
    expect(rows.map(String).sort()).toEqual(oracle[query](expected).map(String).sort())
    run.finish()
  })

  test.each(queries)('%s is a file of 40 lines at most', (query) => {
    expect(readFileSync(join(source, `${query}.ts`), 'utf8').split('\n').length - 1).toBeLessThanOrEqual(40)
  })
})

describe('by the command, over topics of four partitions, into PostgreSQL', () => {
  const events = slowed(3_000)
  let db: TestDatabase
  beforeAll(async () => {
    db = await testDatabase()
    const topics = await openEmbeddedTopics({
      address: db.connection,
      schema: db.schema,
      topics: kinds.map((kind) => `nexmark-${kind}`),
      settings: { partitions: 4, logRetentionHours: 1e6, kafkaRetentionHours: 1e6, kafkaReplication: null },
      onWarning: (line) => console.warn(line),
    })
    const [person, auction, bid] = await Promise.all(kinds.map((kind) => topics.openTopic(`nexmark-${kind}`)))
    await fill({ person, auction, bid } as NexmarkTopics, events)
    await topics.close()
  })
  afterAll(() => db.close())

  async function ran(query: Query): Promise<string> {
    const { host, port, user, password, database } = db.connection
    const env = {
      DATABASE_URL: `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`,
      MILLRACE_SCHEMA: db.schema,
    }
    const args = ['run', join(folder, `${query}.ts`), '--until-end', '--close-open', '--data-dir', join(folder, 'data')]
    const ended = await runCommand(args, { cwd: folder, env })
    expect(ended, ended.stdout + ended.stderr).toMatchObject({ code: 0 })
    return ended.stdout
  }

  test.each(queries)('%s', { timeout: 60_000 }, async (query) => {
    expect(await ran(query)).toContain('0 dead letters')
    const expected = oracle[query](eventsOf(events))
    expect(await storedRows(db.pool, query)).toEqual({ rows: expected.length, digest: digestOf(expected) })
  })

  test('run again, one task that reads all partitions goes on in each of them', { timeout: 60_000 }, async () => {
    expect(await ran('q8')).toContain('All that the topics hold is committed: 0 records, 0 dead letters')
    const { rows } = await db.pool.query(
      `SELECT input_topic, input_partition FROM task_input WHERE pipeline = 'nexmark_q8' ORDER BY 1, 2`,
    )
    const read = [
      ...[0, 1, 2, 3].map((partition) => `nexmark-auction/${partition}`),
      ...[1, 2, 3].map((partition) => `nexmark-person/${partition}`),
    ]
    expect(rows.map((row) => `${row.input_topic}/${row.input_partition}`)).toEqual(read)
    const client = await db.pool.connect()
    const { tasks } = await readStatus(client as unknown as pg.Client)
    client.release()
    const [task] = tasks.filter(({ pipeline }) => pipeline === 'nexmark_q8')
    expect(task?.inputs.map(({ topic, partition }) => `${topic}/${partition}`)).toEqual(read)
    expect([task?.lagRecords, ...(task?.inputs ?? []).map(({ lagRecords }) => lagRecords)]).toEqual(Array(8).fill(0))
  })
})

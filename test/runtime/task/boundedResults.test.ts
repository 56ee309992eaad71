import { createHash } from 'node:crypto'
import { map, mergeMap, range } from 'rxjs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decode } from '../../../src/operators/decode.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { stateful } from '../../../src/runtime/operator/stateful.ts'
import { definePipeline, type Pipeline, type PipelineOptions } from '../../../src/runtime/pipeline/pipeline.ts'
import type { WorkerLimitOptions } from '../../../src/runtime/task/workerLimits.ts'
import { Worker } from '../../../src/runtime/worker/worker.ts'
import { PostgresCheckpointStore } from '../../../src/sinks/postgres/checkpointStore.ts'
import { table } from '../../../src/sinks/table.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { type TestDatabase, testDatabase } from '../../support/postgres.ts'

const lines = table('bounded_line', { columns: { line: 'text', number: 'bigint' } })

const text = { decode: (record: { valueText(): string | null }) => record.valueText() ?? '' }

let db: TestDatabase

beforeAll(async () => {
  db = await testDatabase()
  await db.pool.query('CREATE TABLE bounded_line (line text, number bigint)')
})
afterAll(() => db.close())

/** Sets every value aside as often as it says at its start. */
function refusing(name: string): Pipeline {
  const refuse = stateful<string, never>({ name: 'refuse' }, (_, out) => ({
    onValue(value) {
      const times = Number.parseInt(value, 10)
      for (let i = 0; i < times; i++) out.reject('bad', `number ${i}`)
    },
  }))
  return definePipeline({
    name,
    build: (records) => ({ lines: toPostgres(records.pipe(decode(text), refuse), lines) }),
  })
}

/** Makes as many rows of a value as it says at its start. */
function spreading(name: string, onError: PipelineOptions['onError'] = 'dead-letter'): Pipeline {
  return definePipeline({
    name,
    onError,
    build: (records) => ({
      lines: toPostgres(
        records.pipe(
          decode(text),
          mergeMap((value) => range(Number.parseInt(value, 10)).pipe(map((number) => ({ line: name, number })))),
        ),
        lines,
      ),
    }),
  })
}

async function runAll(pipeline: Pipeline, log: MemoryLog, limits: WorkerLimitOptions = {}): Promise<number> {
  const store = new PostgresCheckpointStore(db.connection, { schema: db.schema })
  const worker = new Worker({ pipeline, source: log, store, archive: null, clock: systemClock, limits })
  worker.stop('drain')
  try {
    await worker.run()
    return worker.status().reduce((sum, { commits }) => sum + commits, 0)
  } finally {
    await store.close()
  }
}

async function letters(pipeline: string) {
  const { rows } = await db.pool.query<{
    offset: string
    ordinal: number
    reason: string
    detail: string
    key: Buffer
    payload: Buffer
    cut: object
  }>(
    'SELECT "offset", ordinal, operator, reason, detail, key, headers, payload, cut FROM dead_letter WHERE pipeline = $1 ORDER BY "offset", operator, ordinal',
    [pipeline],
  )
  return rows
}

async function countOf(line: string): Promise<number> {
  const { rows } = await db.pool.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM bounded_line WHERE line = $1',
    [line],
  )
  return rows[0]?.count ?? 0
}

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex')

describe('results that are large', () => {
  test('a letter keeps the beginning of its record, with the length and the digest of the whole', async () => {
    const log = new MemoryLog()
    const value = `1${'x'.repeat(106_000)}`
    const key = Buffer.alloc(80_000, 7)
    const headers = [
      { key: 'small', value: Buffer.from('kept') },
      { key: 'large', value: Buffer.alloc(70_000) },
    ]
    log.add({ value, key, headers }, { value: '1' })
    await runAll(refusing('cut'), log)
    const [large, small] = await letters('cut')
    expect(large).toMatchObject({
      key: key.subarray(0, 65_536),
      payload: Buffer.from(value).subarray(0, 65_536),
      headers: [['small', Buffer.from('kept').toString('base64')]],
      cut: {
        key: { bytes: 80_000, sha256: sha256(key) },
        payload: { bytes: 106_001, sha256: sha256(value) },
        headers: { bytes: expect.any(Number), sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      },
    })
    expect(small).toMatchObject({ payload: Buffer.from('1'), cut: null })
  })

  test('letters of one record share what is kept of it, and the last stands for all that follow', async () => {
    const log = new MemoryLog()
    log.add({ value: `5000 ${'y'.repeat(100_000)}` }, { value: '1' })
    await runAll(refusing('many'), log)
    const found = await letters('many')
    expect(found).toHaveLength(1_001)
    expect(found[999]).toMatchObject({ offset: '0', ordinal: 999, reason: 'too-many-letters' })
    expect(found[999]?.detail).toContain('number 999')
    expect(found[1_000]).toMatchObject({ offset: '1', reason: 'bad' })
    const kept = found.reduce((sum, { payload }) => sum + payload.length, 0)
    expect(kept).toBeLessThan(9 << 20)
    expect(new Set(found.slice(0, 1_000).map(({ cut }) => JSON.stringify(cut))).size).toBe(1)
  })

  test('what waits for the next checkpoint is bounded by bytes', async () => {
    const log = new MemoryLog()
    for (let i = 0; i < 60; i++) log.add({ value: `1${'z'.repeat(50_000)}` })
    const limits = { checkpointIntervalMs: 60_000, maxUncommittedResultBytes: 500_000 }
    expect(await runAll(refusing('cut-early'), log, limits)).toBeGreaterThanOrEqual(6)
    expect(
      await runAll(spreading('read-early'), log, { checkpointIntervalMs: 60_000, maxUncommittedBytes: 500_000 }),
    ).toBeGreaterThanOrEqual(6)
  })

  test('a letter that is stored whole, and then again by a run that keeps less, is the same letter', async () => {
    const log = new MemoryLog()
    log.add({ value: `1${'w'.repeat(5_000)}`, key: 'k'.repeat(3_000) })
    await runAll(refusing('again'), log)
    await db.pool.query(`DELETE FROM stream_task WHERE pipeline = 'again'`)
    await db.pool.query(`DELETE FROM task_state WHERE pipeline = 'again'`)
    await runAll(refusing('again'), log, { maxLetterBytes: 100 })
    expect(await letters('again')).toMatchObject([{ cut: null }])
  })
})

describe('a record that is too much by itself', () => {
  test('is set aside unread where it is larger than allowed', async () => {
    const log = new MemoryLog()
    log.add({ value: '2' }, { value: `3${'x'.repeat(2_000)}` }, { value: '4' })
    await runAll(spreading('large'), log, { maxRecordBytes: 1_000 })
    expect(await countOf('large')).toBe(6)
    expect(await letters('large')).toMatchObject([
      { offset: '1', reason: 'too-large', detail: expect.stringContaining('MILLRACE_MAX_RECORD_BYTES') },
    ])
  })

  test('is set aside where it brings about more than fits into a checkpoint, and those around it are not', async () => {
    const log = new MemoryLog()
    log.add({ value: '2' }, { value: '1000000' }, { value: '4' })
    await runAll(spreading('spread'), log)
    expect(await countOf('spread')).toBe(6)
    expect(await letters('spread')).toMatchObject([
      { offset: '1', reason: 'too-many-results', detail: expect.stringContaining('MILLRACE_MAX_RECORD_RESULTS') },
    ])
  })

  test('stops a pipeline that is to stop, with the limit', async () => {
    const log = new MemoryLog()
    log.add({ value: '1000000' })
    await expect(runAll(spreading('stopping', 'stop'), log)).rejects.toThrow('limits.maxRecordResults')
  })
})

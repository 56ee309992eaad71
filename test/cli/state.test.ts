import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { share } from 'rxjs'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { runProgram } from '../../src/cli/program.ts'
import { textCodec } from '../../src/codecs/textCodec.ts'
import { EmbeddedLog } from '../../src/embedded/log/embeddedLog.ts'
import { decode } from '../../src/operators/decode.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { ConfigurationError, TaskFencedError } from '../../src/runtime/errors.ts'
import type { LogWriter } from '../../src/runtime/log/log.ts'
import { stateful } from '../../src/runtime/operator/stateful.ts'
import { definePipeline } from '../../src/runtime/pipeline/pipeline.ts'
import { plainState } from '../../src/runtime/state/plainState.ts'
import { Worker, type WorkerOptions } from '../../src/runtime/worker/worker.ts'
import { PostgresCheckpointStore } from '../../src/sinks/postgres/checkpointStore.ts'
import { requireFirstStart } from '../../src/sinks/postgres/firstStart.ts'
import { copyState } from '../../src/sinks/postgres/stateCopies.ts'
import { dropState } from '../../src/sinks/postgres/stateDrops.ts'
import { toPostgres } from '../../src/sinks/toPostgres.ts'
import { databaseUrl } from '../support/databaseUrl.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-state-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const counting = (name: string) =>
  stateful<string, { readonly key: string; readonly count: number }>({ name }, (restored, out) => {
    const counts = restored.keyed(plainState<number>())
    return {
      onValue(key) {
        const count = (counts.get(key) ?? 0) + 1
        counts.set(key, count)
        out.emit({ key, count })
      },
    }
  })

/** Counts the keys twice, each count with a state and a table of its own. */
const counter = (name: string) => {
  const table = (of: string) => ({
    mode: 'append' as const,
    name: `${of}_of_${name}`,
    columns: [
      { name: 'key', type: 'text' as const, of: (row: { key: string }) => row.key.replaceAll('\0', '0') },
      { name: 'count', type: 'bigint' as const, of: (row: { count: number }) => row.count },
    ],
  })
  return definePipeline({
    name,
    build: (records) => {
      const keys = records.pipe(decode(textCodec()), share())
      return {
        lefts: toPostgres(keys.pipe(counting('left')), table('left')),
        rights: toPostgres(keys.pipe(counting('right')), table('right')),
      }
    },
  })
}

// Keys that text of PostgreSQL cannot hold, or that mean something to JSON or to an object.
const keys = ['plain', 'nul\0inside', 'symbol ␛0000', '__proto__', '"quoted\\']

let database: TestDatabase
let log: EmbeddedLog
let writer: LogWriter
let store: PostgresCheckpointStore
let appended: number
const running: { readonly worker: Worker; readonly ended: Promise<void> }[] = []

beforeEach(async () => {
  database = await testDatabase()
  log = await EmbeddedLog.open({ pool: database.pool, topic: 'letters', partitions: 2 })
  writer = log.writer()
  await writer.claim('test')
  store = new PostgresCheckpointStore(database.connection, { schema: database.schema })
  appended = 0
})

afterEach(async () => {
  for (const { worker, ended } of running.splice(0)) {
    worker.stop('now')
    await ended
  }
  await store.close()
  await log.close()
  await database.close()
})

/** Each key once more in each of both partitions. */
async function append(times = 1): Promise<void> {
  for (let i = 0; i < times; i++) {
    const records = keys.flatMap((key) =>
      [0, 1].map((partition) => ({
        partition,
        timestamp: appended,
        key: null,
        value: Buffer.from(`${partition}${key}`),
      })),
    )
    appended += 1
    await writer.append(records, String(appended))
  }
}

async function start(name: string, more: Partial<WorkerOptions> = {}): Promise<Worker> {
  for (const of of ['left', 'right']) {
    await database.pool.query(
      `CREATE TABLE IF NOT EXISTS "${of}_of_${name}" (id bigint GENERATED ALWAYS AS IDENTITY, key text NOT NULL, count bigint NOT NULL)`,
    )
  }
  const options = { pipeline: counter(name), source: log, store, archive: null, clock: systemClock }
  const worker = new Worker({ ...options, limits: { checkpointIntervalMs: 20, fetchMaxWaitMs: 20 }, ...more })
  running.push({ worker, ended: worker.run() })
  return worker
}

async function drain(worker: Worker): Promise<void> {
  worker.stop('drain')
  await running.find((one) => one.worker === worker)?.ended
}

/** The newest count of each key. */
async function counts(of: string, name: string): Promise<readonly number[]> {
  const { rows } = await database.pool.query<{ count: string }>(
    `SELECT DISTINCT ON (key) count FROM "${of}_of_${name}" ORDER BY key, id DESC`,
  )
  return rows.map(({ count }) => Number(count))
}

const all = (count: number) => keys.flatMap(() => [count, count])

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (await isSo()) return
    await systemClock.sleep(20)
  }
  throw new Error('it did not come to it')
}

const hasCounted = (count: number, name: string) => async () => {
  const [left, right] = [await counts('left', name), await counts('right', name)]
  return left.length === keys.length * 2 && [...left, ...right].every((one) => one >= count)
}

async function millrace(...args: readonly string[]) {
  let out = ''
  const err: string[] = []
  const code = await runProgram([...args, '--data-dir', folder, '--schema', database.schema], {
    output: {
      out: async (text) => {
        out += text
        return true
      },
      onClosed: () => {},
      err: (line) => void err.push(line),
    },
    env: { DATABASE_URL: databaseUrl(database.connection) },
    envFile: join(folder, '.env'),
    isTerminal: false,
  })
  return { code, out, err: err.join('\n') }
}

describe('state list', () => {
  test('tells of each operator its keys, whatever they are, after deltas and deletions too', async () => {
    expect(await millrace('state', 'list')).toMatchObject({
      code: 0,
      out: '',
      err: `No pipeline has a checkpoint (looked at schema ${database.schema}).`,
    })
    const worker = await start('counts')
    for (let i = 0; i < 5; i++) {
      await append()
      await until(hasCounted(i + 1, 'counts'))
    }
    await drain(worker)
    const listed = JSON.parse((await millrace('state', 'list', '--json')).out)
    const operator = { version: 1, shape: null, keys: keys.length }
    const task = { schema: database.schema, pipeline: 'counts', topic: 'letters', nextOffset: keys.length * 5 }
    expect(listed).toMatchObject(
      [0, 1].map((partition) => ({
        ...{ ...task, partition },
        operators: [
          { ...operator, name: 'left' },
          { ...operator, name: 'right' },
        ],
      })),
    )
    expect(listed[0].operators[0].bytes).toBeGreaterThan(100)
    expect((await millrace('state', 'list')).out).toMatch(/counts +letters +0 +25 +left +1 +5 .*\n +right +1 +5 /)
    expect((await millrace('state', 'list', '--pipeline', 'other')).err).toMatch(/^No pipeline other has a checkpoint/)
  })
})

describe('state copy', () => {
  test('of a pipeline that runs: both go on, and each has counted every record once', async () => {
    const worker = await start('old')
    await append(3)
    await until(hasCounted(3, 'old'))
    const feeding = append(60)
    await until(hasCounted(10, 'old'))
    const copied = await millrace('state', 'copy', '--from-pipeline', 'old', '--to-pipeline', 'new')
    expect(copied).toMatchObject({ code: 0, err: '' })
    expect(copied.out).toMatch(/^old is copied to new in schema .*: 2 tasks, .* of state\.\n$/)
    const next = await start('new')
    await feeding
    await append()
    await Promise.all([drain(worker), drain(next)])
    for (const name of ['old', 'new']) {
      expect(await counts('left', name), name).toEqual(all(64))
      expect(await counts('right', name), name).toEqual(all(64))
    }
  })

  test('is refused where there is nothing to copy, or the name is taken, and copies nothing then', async () => {
    for (const name of ['one', 'two']) await drain(await start(name))
    await append()
    for (const name of ['one', 'two']) await drain(await start(name))
    const copy = (from: string, to: string) => millrace('state', 'copy', '--from-pipeline', from, '--to-pipeline', to)
    expect(await copy('none', 'three')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^Pipeline none has no checkpoint/),
    })
    expect(await copy('one', 'two')).toMatchObject({
      code: 2,
      err: expect.stringMatching(
        /pipeline two has a checkpoint of its own \(letters\/0 at offset 5\): choose another name/,
      ),
    })
    expect(await millrace('state', 'copy', '--from-pipeline', 'one')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--to-pipeline is missing'),
    })
    await append()
    await drain(await start('two'))
    expect(await counts('left', 'two')).toEqual(all(2))
  })

  test('has what belongs to a checkpoint, and leaves messages and letters with the old one', async () => {
    const task = { pipeline: 'from', topic: 'orders', partition: 0, otherTopics: ['payments'] }
    const claim = await store.claim(task, 1)
    const letter = { ordinal: 0, operator: 'x', reason: 'y', detail: 'z', recordTime: null, key: null, headers: [] }
    const answer = {
      operator: 'tier',
      key: 'k',
      at: 1,
      answer: '"gold"',
      isFailure: false,
      input: 0,
      offset: 1,
      ordinal: 0,
    }
    await store.commit(claim, {
      ...{ nextOffset: 7, watermark: 100, archiveNextOffset: 5, logId: 'log', writes: [], objects: [] },
      state: { kind: 'base', body: '{"version":2,"operators":[]}' },
      others: [{ nextOffset: 9, archiveNextOffset: null, logId: 'other log' }],
      idleAdvances: [{ offset: 3, otherOffsets: [4], watermark: 50 }],
      mergeNotes: [{ input: 1, offsets: [2, 3] }],
      answers: [answer],
      deadLetters: [{ ...letter, offset: 1, payload: null }],
      messages: [{ outlet: 'out', messages: [{ sequence: 1, time: 0, key: null, value: null }] }],
    })
    const client = await database.pool.connect()
    expect(await copyState(client, 'from', 'to')).toMatchObject({ tasks: 1, unsent: 1 })
    client.release()
    const copy = { ...task, pipeline: 'to' }
    const copied = await store.claim(copy, 1)
    expect(copied).toMatchObject({ generation: 1, restored: (await store.claim(task, 1)).restored })
    expect(copied.restored).toMatchObject({ nextOffset: 7, archiveNextOffset: 5, others: [{ nextOffset: 9 }] })
    const first = { offset: 0, watermark: 0, isEnd: false }
    expect(await store.recordedSteps(copy, first, 10)).toEqual(await store.recordedSteps(task, first, 10))
    expect(await store.mergeNotes(copy, 1, 0, 10)).toEqual([{ input: 1, offsets: [2, 3] }])
    expect(await store.answers(copy, 0, 0, 10)).toEqual([answer])
    const page = { after: 0, maxMessages: 10, maxBytes: 1_000 }
    expect(await store.outbox.read(copied, 'out', page)).toEqual([])
    expect(await store.outbox.read(await store.claim(task, 1), 'out', page)).toHaveLength(1)
    // The number of partitions that the state was made under goes with it.
    await expect(store.claim(copy, 2)).rejects.toThrow(/1 partition, and now it has 2/)
  })
})

describe('the copy of a state', () => {
  test('is of one moment, whatever is committed while it is made', async () => {
    const task = { pipeline: 'from', topic: 'orders', partition: 0 }
    const claim = await store.claim(task)
    const commit = (nextOffset: number) =>
      store.commit(claim, {
        ...{ nextOffset, watermark: null, archiveNextOffset: null, writes: [], objects: [], idleAdvances: [] },
        ...{ deadLetters: [], state: { kind: 'base', body: `{"version":2,"operators":[],"of":${nextOffset}}` } },
      })
    await commit(1)
    const client = await database.pool.connect()
    const query = client.query.bind(client) as (...asked: unknown[]) => Promise<unknown>
    const interrupted = Object.create(client, {
      query: {
        value: async (...asked: unknown[]) => {
          if (String(asked[0]).includes('INSERT INTO task_state')) await commit(2)
          return query(...asked)
        },
      },
    }) as typeof client
    await copyState(interrupted, 'from', 'to')
    client.release()
    const { restored } = await store.claim({ ...task, pipeline: 'to' })
    expect(restored).toMatchObject({ nextOffset: 1, state: [{ body: '{"version":2,"operators":[],"of":1}' }] })
    expect((await store.claim(task)).restored?.nextOffset).toBe(2)
  })
})

describe('state drop', () => {
  test('says what would go and drops nothing without --yes', async () => {
    await append(2)
    await drain(await start('counts'))
    const plan = await millrace('state', 'drop', '--pipeline', 'counts')
    expect(plan).toMatchObject({ code: 0, err: 'Nothing was dropped; --yes drops it.' })
    expect(plan.out).toMatch(
      /where it stands in 2 tasks\n +drop +operator left: 10 keys, .*\n +drop +operator right: 10 keys/,
    )
    expect(await millrace('state', 'drop', '--pipeline', 'counts', '--operator', 'middle', '--yes')).toMatchObject({
      code: 1,
      err: 'Operator middle of pipeline counts has no saved state; these have: left, right.',
    })
    await append()
    await drain(await start('counts'))
    expect(await counts('left', 'counts')).toEqual(all(3))
  })

  test('of a pipeline that runs: the worker is fenced, commits nothing more, and the next start is a first one', async () => {
    await append(3)
    const worker = await start('counts')
    await until(hasCounted(3, 'counts'))
    const before = await store.claim({ pipeline: 'other', topic: 'letters', partition: 0 })
    expect(before.generation).toBe(1)
    await expect(requireFirstStart(database.pool, 'counts')).rejects.toThrow(
      /has a checkpoint .*state drop --pipeline counts/,
    )
    const feeding = append(40)
    const dropped = await millrace('state', 'drop', '--pipeline', 'counts', '--yes')
    expect(dropped.out).toContain('Dropped in 2 tasks. A worker that runs it still is fenced.')
    await feeding
    // Every task is fenced, so it ends by itself.
    await running.find((one) => one.worker === worker)?.ended
    expect(worker.status().map(({ phase }) => phase)).toEqual(['fenced', 'fenced'])
    await requireFirstStart(database.pool, 'counts')
    expect((await millrace('state', 'list', '--pipeline', 'counts')).out).toBe('')
    expect(
      JSON.parse((await millrace('status', '--json')).out).dataSets[0].tasks.map(
        ({ pipeline }: { pipeline: string }) => pipeline,
      ),
    ).toEqual(['other'])
    await database.pool.query('TRUNCATE left_of_counts, right_of_counts')
    await drain(await start('counts'))
    expect(await counts('left', 'counts')).toEqual(all(43))
  })

  test('keeps the generation, so that a claim of before is never the newest again', async () => {
    const task = { pipeline: 'zombie', topic: 'letters', partition: 0 }
    const checkpoint = {
      ...{ nextOffset: 1, watermark: null, archiveNextOffset: null, writes: [], objects: [], idleAdvances: [] },
      ...{ deadLetters: [], state: { kind: 'base' as const, body: '{"version":2,"operators":[]}' } },
    }
    const old = await store.claim(task)
    await store.commit(old, checkpoint)
    const client = await database.pool.connect()
    expect(await dropState(client, 'zombie')).toBe(1)
    expect(await dropState(client, 'zombie')).toBe(0)
    client.release()
    const next = await store.claim(task)
    expect(next).toMatchObject({ restored: null })
    expect(next.generation).toBeGreaterThan(old.generation)
    await expect(store.commit(old, checkpoint)).rejects.toBeInstanceOf(TaskFencedError)
    await store.commit(next, checkpoint)
  })

  test('leaves the manifest of the archive, which the next start goes on behind', async () => {
    const task = { pipeline: 'archiving', topic: 'orders', partition: 0, otherTopics: ['payments'] }
    const object = { firstOffset: 0, recordCount: 5, sizeBytes: 1, minTimestamp: 0, maxTimestamp: 0, symbols: [] }
    await store.commit(await store.claim(task, 1), {
      ...{ nextOffset: 7, watermark: null, archiveNextOffset: 5, writes: [], deadLetters: [], idleAdvances: [] },
      state: { kind: 'base', body: '{"version":2,"operators":[]}' },
      others: [{ nextOffset: 9, archiveNextOffset: null }],
      objects: [{ ...object, key: 'first', lastOffset: 4, sha256: 'a' }],
    })
    const client = await database.pool.connect()
    await dropState(client, 'archiving')
    client.release()
    expect(await store.claim(task, 1)).toMatchObject({ restored: null, archivedUntilOffsets: [5, null] })
  })

  test('keeps recorded answers, which are dropped with their operator', async () => {
    const task = { pipeline: 'asking', topic: 'orders', partition: 0 }
    const answer = { key: 'k', at: 1, answer: '"gold"', isFailure: false, input: 0, offset: 1, ordinal: 0 }
    const answers = ['tier', 'rate'].map((operator) => ({ operator, ...answer }))
    const operator = { version: 1, shape: null, snapshot: 1, keyed: [] }
    await store.commit(await store.claim(task, 1), {
      ...{ nextOffset: 7, watermark: null, archiveNextOffset: null, writes: [], deadLetters: [], idleAdvances: [] },
      state: { kind: 'base', body: JSON.stringify({ version: 2, operators: [{ name: 'tier', ...operator }] }) },
      ...{ objects: [], answers },
    })
    const plan = await millrace('state', 'drop', '--pipeline', 'asking')
    expect(plan.out).toMatch(/keep +2 recorded answers, which the next run takes instead of asking/)
    const dropped = await millrace('state', 'drop', '--pipeline', 'asking', '--operator', 'tier', '--yes')
    expect(dropped).toMatchObject({ code: 0 })
    const left = answers.filter(({ operator: name }) => name === 'rate')
    expect(await store.answers(task, 0, 0, 10)).toEqual(left)
    expect(await millrace('state', 'drop', '--pipeline', 'asking', '--yes')).toMatchObject({ code: 0 })
    expect(await store.answers(task, 0, 0, 10)).toEqual(left)
  })

  test('frees the name for a copy, and a worker that had claimed it is fenced by that', async () => {
    await append(2)
    await drain(await start('counts'))
    const waiting = await store.claim({ pipeline: 'target', topic: 'letters', partition: 1 })
    const client = await database.pool.connect()
    await copyState(client, 'counts', 'target')
    const claim = await store.claim({ pipeline: 'target', topic: 'letters', partition: 1 })
    expect(claim.generation).toBeGreaterThan(waiting.generation + 1)
    await expect(copyState(client, 'counts', 'target')).rejects.toBeInstanceOf(ConfigurationError)
    await dropState(client, 'target')
    await copyState(client, 'counts', 'target')
    client.release()
    await append()
    await drain(await start('target'))
    expect(await counts('left', 'target')).toEqual(all(3))
  })

  test('of one operator while it runs: that one begins anew, the other goes on, nothing is lost', async () => {
    await append(3)
    const worker = await start('counts', { reclaimAfterMs: 50 })
    await until(hasCounted(3, 'counts'))
    const dropped = await millrace('state', 'drop', '--pipeline', 'counts', '--operator', 'right', '--yes')
    expect(dropped.out).toMatch(/drop +operator right: 10 keys/)
    // It comes to know with the next checkpoint that has something to store.
    await append(2)
    await until(async () => worker.status().every(({ phase, generation }) => phase === 'running' && generation === 3))
    await until(hasCounted(2, 'counts'))
    await until(async () => (await counts('left', 'counts')).every((count) => count === 5))
    await drain(worker)
    expect(await counts('left', 'counts')).toEqual(all(5))
    expect(await counts('right', 'counts')).toEqual(all(2))
  })
})

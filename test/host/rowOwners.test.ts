import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { map } from 'rxjs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { textCodec } from '../../src/codecs/textCodec.ts'
import { EmbeddedLog } from '../../src/embedded/log/embeddedLog.ts'
import { runPipeline } from '../../src/host/runPipeline.ts'
import { aggregateWindow } from '../../src/operators/aggregateWindow.ts'
import { decode } from '../../src/operators/decode.ts'
import { eventTime } from '../../src/operators/eventTime.ts'
import { tumblingWindow } from '../../src/operators/tumblingWindow.ts'
import { definePipeline } from '../../src/runtime/pipeline/pipeline.ts'
import type { UpsertTable } from '../../src/runtime/store/table.ts'
import { openPool } from '../../src/sinks/postgres/connection.ts'
import { toPostgres } from '../../src/sinks/toPostgres.ts'
import { runCommand } from '../support/commandLine.ts'
import { databaseUrl } from '../support/databaseUrl.ts'
import { listFeed } from '../support/listFeed.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

let folder: string
let database: TestDatabase
let schema: string
let url: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-rows-'))
  database = await testDatabase({ isMigrated: false })
  schema = `${database.schema}_rows`
  url = databaseUrl(database.connection)
})
afterAll(async () => {
  await database.pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`)
  await database.close()
  rmSync(folder, { recursive: true, force: true })
})

interface Sum {
  readonly minute: number
  readonly sum: number
  readonly revision: number
}

interface Row {
  readonly word: string
  readonly by: string
}

/** One row a word, the last pipeline that had it beside it. */
const words = (name: string, isShared = false) => {
  const table: UpsertTable<Row> = {
    mode: 'upsert',
    name: 'words',
    key: ['word'],
    revision: 'revision',
    isShared,
    columns: [
      { name: 'word', type: 'text', of: (row) => row.word },
      { name: 'by', type: 'text', of: (row) => row.by },
      { name: 'revision', type: 'integer', of: () => 0 },
    ],
  }
  return definePipeline({
    name,
    build: (records) => ({
      words: toPostgres(
        records.pipe(
          decode(textCodec()),
          map((word) => ({ word: word.trim(), by: name })),
        ),
        table,
      ),
    }),
  })
}

const run = (pipeline: ReturnType<typeof words>, topic: string, ...list: readonly string[]) =>
  runPipeline(pipeline, {
    dataDir: join(folder, 'data'),
    databaseUrl: url,
    archive: 'none',
    untilEnd: true,
    schema,
    topic,
    feed: { feed: listFeed(`of-${topic}`, list), topic },
  })

const command = (...args: string[]) => runCommand(args, { cwd: folder, env: { DATABASE_URL: url } })

const stored = async () => {
  const { rows } = await database.pool.query<Row>(`SELECT word, by FROM ${schema}.words ORDER BY word`)
  return rows.map(({ word, by }) => `${word} ${by}`)
}

test('a table with rows of another pipeline is refused with whose they are and what to do, until they are handed over', async () => {
  await run(words('first'), 'one', 'a', 'b')
  const before = await stored()
  expect(before).toHaveLength(2)
  const refused = run(words('second'), 'one')
  await expect(refused).rejects.toThrow(/table words has 2 rows of pipeline first/)
  await expect(refused).rejects.toThrow(
    new RegExp(`isShared: true[^]*millrace state own words --of first --to second --schema ${schema}`),
  )
  const asked = await command('state', 'own', 'words', '--of', 'first', '--to', 'second', '--schema', schema)
  expect(asked, asked.stderr).toMatchObject({ code: 0, stderr: expect.stringContaining('Nothing was changed') })
  expect(asked.stdout).toMatch(/words: \d rows? of first one\/\d to second one\/\d/)
  const done = await command('state', 'own', 'words', '--of', 'first', '--to', 'second', '--schema', schema, '--yes')
  expect(done, done.stderr).toMatchObject({ code: 0 })
  await run(words('second'), 'one')
  expect((await stored()).every((row) => row.endsWith(' second'))).toBe(true)
  const { rows } = await database.pool.query(
    `SELECT from_pipeline, to_pipeline, row_count::integer FROM ${schema}.row_handover`,
  )
  expect(rows.reduce((sum, row) => sum + row.row_count, 0)).toBe(2)
  await expect(run(words('first'), 'one')).rejects.toThrow(/2 rows of pipeline second/)
})

test('a table that says it is shared takes several pipelines, and each row stays with who wrote it', async () => {
  const { deadLetters } = await run(words('third', true), 'one')
  expect(deadLetters).toBe(2)
  expect((await stored()).every((row) => row.endsWith(' second'))).toBe(true)
})

test('a pipeline that is renamed takes its rows along, where it is told to', async () => {
  const copied = await command(
    'state',
    'copy',
    '--from-pipeline',
    'second',
    '--to-pipeline',
    'renamed',
    '--schema',
    schema,
    '--with-rows',
  )
  expect(copied, copied.stderr).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('2 rows of its upsert tables'),
  })
  await run(words('renamed'), 'one', 'a', 'b', 'c')
  expect(await stored()).toContain('"c" renamed')
})

test('letters are applied when they are sent again, once the rows were handed over', async () => {
  const redriven = await command(
    'dead-letters',
    'redrive',
    '--all',
    '--pipeline',
    'third',
    '--topic',
    'one',
    '--schema',
    schema,
  )
  expect(redriven, redriven.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('2 appended again') })
  const own = ['state', 'own', 'words', '--of', 'renamed', '--to', 'third', '--schema', schema, '--yes']
  // It stands in the topic, and is no copy of who made the rows.
  expect(await command(...own)).toMatchObject({ code: 2, stderr: expect.stringContaining('holds nothing of what') })
  expect(await command(...own, '--replace')).toMatchObject({ code: 0 })
  const { deadLetters } = await run(words('third', true), 'one')
  expect(deadLetters).toBe(0)
  expect((await stored()).slice(0, 2)).toEqual(['"a" third', '"b" third'])
})

test('a start inside the log says that rows of before may become those of a part', async () => {
  const warnings: string[] = []
  const inside = () =>
    runPipeline(words('inside'), {
      dataDir: join(folder, 'data'),
      databaseUrl: url,
      archive: 'none',
      untilEnd: true,
      schema: `${schema}_inside`,
      topic: 'two',
      feed: { feed: listFeed('of-two', []), topic: 'two' },
      from: 'latest',
      onNotice: (line) => warnings.push(line),
    })
  await inside()
  expect(warnings.filter((line) => line.includes('words'))).toEqual([])
  const dropped = await command('state', 'drop', '--pipeline', 'inside', '--schema', `${schema}_inside`, '--yes')
  expect(dropped, dropped.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('is made of those alone') })
  await inside()
  expect(warnings).toContainEqual(expect.stringMatching(/words may hold rows that this pipeline has made before/))
  await database.pool.query(`DROP SCHEMA ${schema}_inside CASCADE`)
})

describe('a row that a window has made', () => {
  const sums: UpsertTable<Sum> = {
    mode: 'upsert',
    name: 'sums',
    key: ['minute'],
    revision: 'revision',
    columns: [
      { name: 'minute', type: 'timestamptz', of: (row) => row.minute },
      { name: 'sum', type: 'integer', of: (row) => row.sum },
      { name: 'revision', type: 'integer', of: (row) => row.revision },
    ],
  }
  const pipeline = definePipeline({
    name: 'sums',
    build: (records) => ({
      sums: toPostgres(
        records.pipe(
          decode(textCodec()),
          map((text) => JSON.parse(text) as { readonly at: number }),
          eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 0 }),
          tumblingWindow({ name: '1m', sizeMs: '1m', by: () => 'all', allowedLatenessMs: '1h' }),
          aggregateWindow({
            initial: () => 0,
            add: (sum) => sum + 1,
            result: (sum, { start }, { revision }) => ({ minute: start, sum, revision }),
          }),
        ),
        sums,
      ),
    }),
  })
  const minute = Date.UTC(2024, 7, 8)
  const place = () => ({ databaseUrl: url, schema: `${schema}_sums` })
  const runOn = (topic: string) =>
    runPipeline(pipeline, { ...place(), dataDir: join(folder, 'sums'), archive: 'none', untilEnd: true, topic })
  async function append(topic: string, partition: number, ...seconds: readonly number[]): Promise<void> {
    const pool = openPool(database.connection, { schema: place().schema, applicationName: 'millrace test' })
    try {
      const log = await EmbeddedLog.open({ pool, topic, partitions: 2 })
      const writer = log.writer()
      await writer.claim(`${topic} ${partition}`)
      const records = seconds.map((second) => ({
        partition,
        timestamp: minute + second * 1_000,
        key: null,
        value: Buffer.from(JSON.stringify({ at: minute + second * 1_000 })),
      }))
      await writer.append(records, String(seconds))
    } finally {
      await pool.end()
    }
  }
  const made = async () => {
    const text = `SELECT minute, sum FROM ${place().schema}.sums ORDER BY minute`
    const { rows } = await database.pool.query<{ minute: Date; sum: number }>(text)
    return rows.map(({ minute: at, sum }) => `${at.toISOString().slice(14, 16)}: ${sum}`)
  }
  const own = (...args: string[]) => command('state', 'own', 'sums', ...args, '--schema', place().schema, '--yes')
  const waiting = async () => {
    const { rows } = await database.pool.query<{ count: number }>(
      `SELECT count(*)::integer AS count FROM ${place().schema}.dead_letter WHERE reason = 'key-elsewhere' AND redriven_at IS NULL`,
    )
    return rows[0]?.count
  }

  test('is replaced by no part of itself, whoever is given it; made anew of all its records it is', async () => {
    await runPipeline(pipeline, {
      ...place(),
      dataDir: join(folder, 'sums'),
      archive: 'none',
      untilEnd: true,
      topic: 'halves',
      partitions: 2,
      feed: { feed: listFeed('none', []), topic: 'halves' },
    })
    await append('halves', 0, 1, 2, 3, 70)
    await runOn('halves')
    await append('halves', 1, 11, 12, 180)
    await runOn('halves')
    expect(await made()).toEqual(['00: 3'])
    expect(await waiting()).toBe(2)
    expect(await own('--of', 'sums/halves/0', '--to', 'sums/halves/1')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(
        'sums halves/1 stands at offset 3 and holds nothing of what these rows were made of',
      ),
    })
    const given = await own('--of', 'sums/halves', '--to', 'nobody')
    expect(given, given.stderr).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('to tasks that begin after this'),
    })
    // Neither what was set aside and comes again, nor what comes now: both tasks began before that.
    await command('dead-letters', 'redrive', '--all', '--schema', place().schema)
    await append('halves', 1, 13)
    await runOn('halves')
    expect((await made())[0]).toBe('00: 3')
    expect(await waiting()).toBe(3)
    const { stdout } = await command('dead-letters', 'list', '--json', '--schema', place().schema)
    expect(stdout).toContain('a task that begins after sums halves/0 has given it away')
    await append('whole', 1, 1, 2, 3, 11, 12, 13, 70, 180)
    await runOn('whole')
    expect((await made()).slice(0, 2)).toEqual(['00: 6', '01: 1'])
  })

  test('is that of a copy of who made it, which goes on with it', async () => {
    const copied = await command(
      'state',
      'copy',
      '--from-pipeline',
      'sums',
      '--to-pipeline',
      'sums-next',
      '--schema',
      place().schema,
    )
    expect(copied, copied.stderr).toMatchObject({ code: 0 })
    expect(await own('--of', 'sums/whole', '--to', 'sums-next')).toMatchObject({ code: 0 })
  })

  test('is asked for by the task that has it, and not by one that has none', async () => {
    const none = await own('--of', 'sums/whole/7', '--to', 'nobody')
    expect(none).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^sums\/whole\/7 has no rows here; .*sums\/halves\/0/),
    })
    await database.pool.query(`DROP SCHEMA ${place().schema} CASCADE`)
  })
})

test('rows, tables and owners that are not there are said so', async () => {
  const none = await command('state', 'own', 'nothing', '--of', 'renamed', '--to', 'nobody', '--schema', schema)
  expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('table nothing is not there') })
  const unknown = await command('state', 'own', '--of', 'unknown', '--to', 'nobody', '--schema', schema)
  expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('No rows of unknown are known') })
  expect(await command('state', 'own', '--to', 'nobody')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--of'),
  })
  expect(await command('state', 'own', '--of', 'a/b/c/d', '--to', 'nobody')).toMatchObject({ code: 2 })
})

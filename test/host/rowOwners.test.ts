import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { map } from 'rxjs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { textCodec } from '../../src/codecs/textCodec.ts'
import { runPipeline } from '../../src/host/runPipeline.ts'
import { decode } from '../../src/operators/decode.ts'
import { definePipeline } from '../../src/runtime/pipeline.ts'
import type { UpsertTable } from '../../src/runtime/table.ts'
import { toPostgres } from '../../src/sinks/toPostgres.ts'
import { runCommand } from '../support/commandLine.ts'
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
  const { user, password, host, port, database: name } = database.connection
  url = `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${name}`
})
afterAll(async () => {
  await database.pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`)
  await database.close()
  rmSync(folder, { recursive: true, force: true })
})

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
    new RegExp(`isShared: true[^]*millrace state own words --of first --to second --schema ${schema} --yes`),
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
  await command('state', 'own', 'words', '--of', 'renamed', '--to', 'third', '--schema', schema, '--yes')
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

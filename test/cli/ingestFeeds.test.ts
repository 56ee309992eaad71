import { execFile } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EmbeddedPostgres, startOrJoin } from '../../src/embedded/embeddedPostgres.ts'
import { EmbeddedLog } from '../../src/embedded/log/embeddedLog.ts'
import { openPool } from '../../src/sinks/postgres/connection.ts'
import { partitionOf } from '../../src/sources/ingest/murmur2.ts'
import { kafkaSettings } from '../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaLog } from '../../src/sources/kafka/openKafkaLog.ts'
import { runCommand } from '../support/commandLine.ts'
import { databaseUrl } from '../support/databaseUrl.ts'
import { hasKafka, kafkaTitle, type SharedBroker, sharedBroker, uniqueName } from '../support/kafkaBroker.ts'
import { startedCommands } from '../support/startedCommands.ts'
import { type TopicRecord, topicContents } from '../support/topicContents.ts'

if (!hasKafka) console.warn('SKIPPED: JSON lines and feeds in Kafka: there is no broker')

const start = Date.UTC(2024, 7, 9)
const partitions = 4
const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const library = new URL('../../src/index.ts', import.meta.url).href
const zod = pathToFileURL(createRequire(import.meta.url).resolve('zod')).href

let folder: string
let server: EmbeddedPostgres
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-feeds-'))
  // PostgreSQL under another account than root must reach it.
  chmodSync(folder, 0o755)
  server = await startOrJoin(join(folder, 'server'))
}, 60_000)
afterAll(async () => {
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
})

const starting = startedCommands()

function placeOf(dataDir: string, env?: Readonly<Record<string, string>>) {
  const log = env ?? { DATABASE_URL: databaseUrl(server.connection) }
  return { cwd: folder, env: { MILLRACE_DATA_DIR: join(folder, dataDir), ...log } }
}

async function embeddedTopic(topic: string): Promise<TopicRecord[]> {
  const pool = openPool(server.connection, { schema: 'public', applicationName: 'millrace test' })
  const log = await EmbeddedLog.open({ pool, topic })
  try {
    return await topicContents(log)
  } finally {
    await log.close()
    await pool.end()
  }
}

/** Waits until the topic holds so many records. */
async function storedIn(pool: pg.Pool, topic: string, records: number): Promise<void> {
  for (;;) {
    const { rows } = await pool.query<{ stored: number }>(
      'SELECT coalesce(sum(next_offset), 0)::float8 AS stored FROM log_partition WHERE topic = $1',
      [topic],
    )
    if ((rows[0]?.stored ?? 0) >= records) return
    await sleep(2)
  }
}

function line(n: number): string {
  return `{"sensor":"s${n % 7}","at":"${new Date(start + n).toISOString()}","n":${n}}`
}
function lines(count: number): string {
  return Array.from({ length: count }, (_, n) => `${line(n)}\n`).join('')
}
function fileOf(name: string, content: string): string {
  writeFileSync(join(folder, name), content)
  return name
}

/** Each number once, in the partition of its key, in order, with its time. */
function expectExactly(records: readonly TopicRecord[], count: number): void {
  const newest = new Map<number, number>()
  const seen = new Set<number>()
  for (const { partition, key, value, timestamp } of records) {
    const n = JSON.parse(value ?? '').n as number
    if (seen.has(n)) throw new Error(`${n} is there twice`)
    seen.add(n)
    expect([key, value, timestamp]).toEqual([`s${n % 7}`, line(n), start + n])
    expect(partition).toBe(partitionOf(Buffer.from(key ?? ''), partitions))
    expect(n).toBeGreaterThan(newest.get(partition) ?? -1)
    newest.set(partition, n)
  }
  expect(seen.size).toBe(count)
}

const fields = ['--key', 'sensor', '--time', 'at']

test('a file killed with -9 in its middle, again and again, is in the embedded log exactly once', {
  timeout: 120_000,
}, async () => {
  const count = 120_000
  const file = fileOf('killed.jsonl', lines(count))
  const args = ['ingest', file, '--topic', 'killed', ...fields]
  const pool = openPool(server.connection, { schema: 'public', applicationName: 'millrace test' })
  try {
    for (const share of [0.1, 0.3, 0.5, 0.7]) {
      const command = starting(args, placeOf('killed'))
      await command.seen(/^ {2}log /m)
      await storedIn(pool, 'killed', share * count)
      command.process.kill('SIGKILL')
      await command.ended
      // A kill behind the last record would show nothing.
      expect((await embeddedTopic('killed')).length).toBeLessThan(count)
    }
  } finally {
    await pool.end()
  }
  const ended = await runCommand(args, placeOf('killed'))
  expect(ended, ended.stdout + ended.stderr).toMatchObject({ code: 0 })
  expectExactly(await embeddedTopic('killed'), count)
  expect((await runCommand(args, placeOf('killed'))).stdout).toContain('All of killed.jsonl is in killed: 0 records')
})

test('standard input goes into the topic, and given again from its beginning, only what is new', async () => {
  const piped = (count: number) =>
    promisify(execFile)(
      'sh',
      [
        '-c',
        `head -n ${count} input.jsonl | "${process.execPath}" "${main}" ingest - --topic piped ${fields.join(' ')}`,
      ],
      { cwd: folder, env: { ...process.env, ...placeOf('piped').env } },
    )
  fileOf('input.jsonl', lines(1_000))
  expect((await piped(600)).stdout).toContain('All of standard input is in piped: 600 records appended')
  expect((await piped(1_000)).stdout).toContain('All of standard input is in piped: 400 records appended')
  expectExactly(await embeddedTopic('piped'), 1_000)
})

const liveFeed = `
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from '${zod}'
import { defineFeed, jsonCodec, topic } from '${library}'

const ticks = topic('ticks', { value: jsonCodec(z.strictObject({ n: z.int() })) })

export default defineFeed({
  name: 'ticking',
  topic: ticks,
  time: ({ n }: { n: number }) => ${start} + n,
  async *read(position, signal) {
    try {
      for (let n = Number(position ?? 0); ; n++) {
        yield { values: [{ n }], position: String(n + 1) }
        await sleep(5, undefined, { signal })
      }
    } finally {
      writeFileSync('finished', '')
    }
  },
})
`

describe('a feed of one’s own', () => {
  beforeAll(() => {
    fileOf('ticking.ts', liveFeed)
  })
  const args = ['ingest', '--feed', './ticking.ts']

  test('goes into the topic that it names; Ctrl-C finishes it, and the next start goes on behind', async () => {
    for (let run = 0; run < 2; run++) {
      rmSync(join(folder, 'finished'), { force: true })
      const command = starting(args, placeOf('live'))
      await command.seen(/^ {2}log /m)
      await sleep(400)
      command.process.kill('SIGINT')
      const ended = await command.ended
      expect(ended, ended.stdout + ended.stderr).toMatchObject({ code: 0 })
      expect(ended.stdout).toMatch(/Stopped cleanly: [1-9]\d* records appended to ticks/)
      expect(existsSync(join(folder, 'finished'))).toBe(true)
    }
    const found = (await embeddedTopic('ticks')).map(({ value }) => JSON.parse(value ?? '').n as number)
    expect(found).toEqual(found.map((_, index) => index))
    expect(found.length).toBeGreaterThan(20)
  })

  test('two of one name: the second takes over and the first says what to do; each with a name of its own, both run', async () => {
    const to = ['--topic', 'shared-ticks']
    const first = starting([...args, ...to], placeOf('one'))
    await first.seen(/^ {2}log /m)
    const second = starting([...args, ...to], placeOf('two'))
    const fenced = await first.ended
    expect(fenced.code).toBe(1)
    expect(fenced.stderr).toMatch(
      /another process feeds shared-ticks as producer ticking now.*give each a name of its own \(`npx millrace ingest --producer`, or producer beside the feed\)/,
    )
    const third = starting([...args, ...to, '--producer', 'third'], placeOf('two'))
    await third.seen(/^ {2}log /m)
    await sleep(300)
    for (const command of [second, third]) {
      command.process.kill('SIGINT')
      expect((await command.ended).code).toBe(0)
    }
    const found = (await embeddedTopic('shared-ticks')).map(({ value }) => JSON.parse(value ?? '').n as number)
    expect(found.filter((n) => n === 0)).toHaveLength(2)
  })

  test('what its code throws is told with its place', async () => {
    fileOf(
      'broken.ts',
      liveFeed.replace('await sleep(5', "if (n === 2) throw new Error('boom')\n        await sleep(5"),
    )
    const { code, stderr, stdout } = await runCommand(
      ['ingest', '--feed', 'broken.ts', '--topic', 'broken'],
      placeOf('broken'),
    )
    expect(code, stdout + stderr).toBe(1)
    expect(stderr).toMatch(
      /^error: feed ticking: Error: boom \(broken\.ts:\d+:\d+\)\. What it yielded before is in the log\.$/m,
    )
    expect(await embeddedTopic('broken')).toHaveLength(3)
  })

  test('a file without one says how to make one', async () => {
    fileOf('none.mjs', 'export const feed = { name: "x", read() {} }\n')
    const { code, stderr } = await runCommand(['ingest', '--feed', 'none.mjs'], placeOf('none'))
    expect(code).toBe(2)
    expect(stderr).toBe(
      'error: none.mjs exports no feed. It exports feed (not made by defineFeed). Make one with defineFeed, and make it the default export.\n',
    )
  })
})

describe.skipIf(!hasKafka)(kafkaTitle('in Kafka'), { timeout: 120_000 }, () => {
  let broker: SharedBroker
  beforeAll(async () => {
    broker = await sharedBroker()
  }, 120_000)
  afterAll(() => broker.close())

  async function kafkaTopic(topic: string): Promise<TopicRecord[]> {
    const settings = kafkaSettings({ brokers: [...broker.brokers], client: 'wire' })
    const log = await openKafkaLog(settings, { topic, group: uniqueName('reader') })
    try {
      return await topicContents(log)
    } finally {
      await log.close()
    }
  }

  test('a file killed with -9 in its middle is in its topic exactly once, and one without times as well', async () => {
    const count = 60_000
    const topic = uniqueName('readings')
    const file = fileOf('kafka.jsonl', lines(count))
    const place = placeOf('kafka', { KAFKA_BROKERS: broker.brokers.join(',') })
    const args = ['ingest', file, '--topic', topic, ...fields]
    for (const afterMs of [150, 300]) {
      const command = starting(args, place)
      await command.seen(/^ {2}log /m)
      await sleep(afterMs)
      command.process.kill('SIGKILL')
      await command.ended
    }
    const ended = await runCommand(args, place)
    expect(ended, ended.stdout + ended.stderr).toMatchObject({ code: 0 })
    expectExactly(await kafkaTopic(topic), count)
    const untimed = uniqueName('untimed')
    const plain = await runCommand(['ingest', file, '--topic', untimed], place)
    expect(plain, plain.stdout + plain.stderr).toMatchObject({ code: 0 })
    const records = await kafkaTopic(untimed)
    expect(records).toHaveLength(count)
    expect(records.every(({ timestamp, partition, key }) => timestamp === -1 && partition === 0 && key === null)).toBe(
      true,
    )
  })
})

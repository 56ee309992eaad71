import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCommand } from '../support/commandLine.ts'
import { hasKafka, kafkaTitle, type SharedBroker, sharedBroker, uniqueName } from '../support/kafkaBroker.ts'

if (!hasKafka) console.warn('SKIPPED: millrace topics: there is no broker')

describe('millrace topics without brokers', () => {
  test('says what to set', async () => {
    const ended = await runCommand(['topics', 'describe'], { cwd: tmpdir() })
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('KAFKA_BROKERS is not set') })
  })

  test('an incomplete login is named, and a password is never shown', async () => {
    const env = { KAFKA_BROKERS: '127.0.0.1:1', KAFKA_SASL_PASSWORD: 'hunter2' }
    const ended = await runCommand(['topics', 'describe'], { cwd: tmpdir(), env })
    expect(ended).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('KAFKA_SASL_MECHANISM and KAFKA_SASL_USERNAME are missing'),
    })
    expect(ended.stderr).not.toContain('hunter2')
  })

  test('brokers that do not answer are named', async () => {
    const env = { KAFKA_BROKERS: '127.0.0.1:1' }
    const ended = await runCommand(['topics', 'describe'], { cwd: tmpdir(), env })
    expect(ended).toMatchObject({ code: 1, stderr: expect.stringContaining('127.0.0.1:1') })
    expect(ended.stderr).toContain('MILLRACE_RETRYABLE')
  })
})

describe.skipIf(!hasKafka)(kafkaTitle('millrace topics'), { timeout: 60_000 }, () => {
  let broker: SharedBroker
  let folder: string
  beforeAll(async () => {
    broker = await sharedBroker()
    folder = mkdtempSync(join(tmpdir(), 'millrace-topics-'))
  }, 120_000)
  afterAll(async () => {
    await broker.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const millrace = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    runCommand(args, { cwd: folder, env: { KAFKA_BROKERS: broker.brokers.join(','), ...env } })

  test('makes a topic once, and describes it', async () => {
    const topic = uniqueName('crypto.trades.made')
    const env = { MILLRACE_PARTITIONS: '3', KAFKA_RETENTION_HOURS: '48' }
    const made = await millrace(['topics', 'create', topic], env)
    expect(made, made.stderr).toMatchObject({ code: 0, stdout: `topic ${topic}: made with 3 partitions\n`, stderr: '' })
    expect((await millrace(['topics', 'create', topic])).stdout).toBe(`topic ${topic}: is there already\n`)
    const described = await millrace(['topics', 'describe', topic, '--json'])
    const partition = { earliest: 0, next: 0, replicas: 1, inSyncReplicas: 1 }
    expect(JSON.parse(described.stdout)).toMatchObject([
      {
        topic,
        partitions: [0, 1, 2].map((number) => ({ partition: number, ...partition })),
        retentionMs: 48 * 3_600_000,
        retentionBytes: null,
        isCompacted: false,
      },
    ])
    const all = await millrace(['topics', 'describe'])
    expect(all).toMatchObject({ code: 0, stdout: expect.stringContaining(`${topic}: 3 partitions, kept 2`) })
  })

  test('a topic for records of the past is made by a setting; an ingest into another says that they may go', async () => {
    const kept = uniqueName('kept')
    const short = uniqueName('short')
    await millrace(['topics', 'create', kept], { KAFKA_RETENTION_HOURS: 'forever' })
    await millrace(['topics', 'create', short], { KAFKA_RETENTION_HOURS: '48' })
    const index = join(import.meta.dirname, '../../src/index.ts')
    writeFileSync(
      join(folder, 'old.ts'),
      `import { defineFeed, jsonCodec, topic } from '${index}'
      import { z } from '${import.meta.resolve('zod')}'
      export default defineFeed({
        name: 'old',
        topic: topic('old', { value: jsonCodec(z.object({ at: z.int() })) }),
        time: ({ at }) => at,
        async *read(position) {
          if (position === null) yield { values: [{ at: Date.UTC(2020, 0, 1) }], position: 'end' }
        },
      })`,
    )
    const warning = 'warning: the newest of the records is of 2020-01-01T00:00:00.000Z'
    const intoKept = await millrace(['ingest', '--feed', './old.ts', '--topic', kept])
    expect(intoKept, intoKept.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('1 records appended') })
    expect(intoKept.stdout).not.toContain(warning)
    const intoShort = await millrace(['ingest', '--feed', './old.ts', '--topic', short])
    expect(intoShort).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`${warning}, and topic ${short} keeps`),
    })
    expect((await millrace(['topics', 'describe', kept])).stdout).toContain('kept for ever')
  })

  test('a topic that does not exist is named, with the command that makes it', async () => {
    const topic = uniqueName('nowhere')
    expect(await millrace(['topics', 'describe', topic])).toMatchObject({
      code: 1,
      stderr: `There is no topic ${topic}: \`npx millrace topics create ${topic}\` makes it.\n`,
    })
  })
})

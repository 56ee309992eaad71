import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type KafkaAdmin, openKafkaAdmin } from '../../src/sources/kafka/admin.ts'
import { kafkaSettings } from '../../src/sources/kafka/kafkaSettings.ts'
import { type Broker, removeBrokerData, startBroker } from '../support/brokerProcess.ts'
import { runCommand } from '../support/commandLine.ts'
import {
  canStartBroker,
  hasKafka,
  kafkaTitle,
  type SharedBroker,
  sharedBroker,
  startTitle,
  uniqueName,
} from '../support/kafkaBroker.ts'

if (!hasKafka) console.warn('SKIPPED: who makes topics of Kafka: there is no broker')

const folder = mkdtempSync(join(tmpdir(), 'millrace-made-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function tape(): string {
  const frame = (id: number) =>
    `{"stream":"abusdt@trade","data":{"e":"trade","E":${1_723_161_255_343 + id},"s":"ABUSDT","t":${id},"p":"1","q":"1","T":${1_723_161_255_342 + id},"m":true,"M":true}}`
  const file = join(folder, 'tape.jsonl.gz')
  writeFileSync(file, gzipSync(Array.from({ length: 20 }, (_, i) => frame(i)).join('\n')))
  return file
}

describe.skipIf(!hasKafka)(kafkaTitle('a topic that is missing'), { timeout: 120_000 }, () => {
  let broker: SharedBroker
  let admin: KafkaAdmin
  beforeAll(async () => {
    broker = await sharedBroker()
    admin = await openKafkaAdmin(kafkaSettings({ brokers: [...broker.brokers] }))
  }, 120_000)
  afterAll(async () => {
    await admin.close()
    await broker.close()
  })
  const millrace = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    runCommand(args, {
      cwd: folder,
      env: { KAFKA_BROKERS: broker.brokers.join(','), MILLRACE_ARCHIVE: 'none', ...env },
    })

  test('is not made by who was told to read it, and the one that was meant is named', async () => {
    const there = uniqueName('crypto.trades.there')
    await admin.createTopic({ topic: there, partitions: 1, retentionMs: null, replication: null })
    const typo = there.replace('trades', 'trdaes')
    const refused = await millrace(['run', 'realtime', '--source', 'none', '--topic', typo, '--until-end'])
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain(`has no topic ${typo} (did you mean ${there}?)`)
    expect(refused.stderr).toContain(`millrace topics create ${typo}`)
    expect(await admin.describeTopic(typo)).toBeNull()
  })

  test('is not made for a pipeline that names it', async () => {
    const name = uniqueName('orders')
    const file = join(folder, 'orders.ts')
    const index = new URL('../../src/index.ts', import.meta.url).href
    writeFileSync(
      file,
      `import { definePipeline, toArchive, topic } from '${index}'
export default definePipeline({ name: 'orders', inputs: { orders: topic('${name}', {}) }, build: ({ orders }) => ({ raw: toArchive(orders) }) })
`,
    )
    const refused = await millrace(['run', file, '--until-end'])
    expect(refused.stderr).toContain(name)
    expect(refused.code).toBe(2)
    expect(await admin.describeTopic(name)).toBeNull()
  })

  test('is made by what brings records into it', async () => {
    const [run, ingest] = [uniqueName('crypto.trades.run'), uniqueName('crypto.trades.ingest')]
    const fed = await millrace(['run', 'realtime', '--source', 'tape', '--tape', tape(), '--topic', run, '--until-end'])
    expect(fed, fed.stderr).toMatchObject({ code: 0 })
    const brought = await millrace(['ingest', '--source', 'tape', '--tape', tape(), '--topic', ingest, '--until-end'])
    expect(brought, brought.stderr).toMatchObject({ code: 0 })
    for (const topic of [run, ingest]) expect(await admin.describeTopic(topic)).toMatchObject({ retentionMs: null })
  })
})

describe.skipIf(!canStartBroker)(startTitle('a broker before 3.6'), { timeout: 300_000 }, () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'millrace-old-'))
  let broker: Broker
  beforeAll(async () => {
    broker = await startBroker({ dataDir, version: '3.5.2' })
  }, 400_000)
  afterAll(async () => {
    await broker?.kill()
    removeBrokerData(dataDir)
  })

  test('makes a topic without the settings that it does not know', async () => {
    const admin = await openKafkaAdmin(kafkaSettings({ brokers: [...broker.brokers] }))
    const topic = { topic: 'made', partitions: 2, retentionMs: 172_800_000, replication: null }
    expect(await admin.createTopic(topic)).toBe(true)
    expect(await admin.createTopic(topic)).toBe(false)
    // Its leaders are chosen behind the answer.
    await expect
      .poll(() => admin.describeTopic('made').catch(String), { timeout: 20_000 })
      .toMatchObject({ retentionMs: 172_800_000, retentionBytes: null })
    await admin.close()
    const env = { KAFKA_BROKERS: broker.brokers.join(','), MILLRACE_ARCHIVE: 'none' }
    const run = ['run', 'realtime', '--source', 'tape', '--tape', tape(), '--until-end', '--close-open']
    const ended = await runCommand(run, { cwd: folder, env: { ...env, MILLRACE_DATA_DIR: join(folder, 'old') } })
    expect(ended, ended.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('20 records') })
  })
})

import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RecordView } from '../../../src/runtime/log/record.ts'
import { kafkaSettings } from '../../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaWriter } from '../../../src/sources/kafka/producer/openKafkaWriter.ts'
import { openWireLog } from '../../../src/sources/kafka/wire/wireLog.ts'
import { type Broker, removeBrokerData, saslUser, startBroker } from '../../support/brokerProcess.ts'
import { canStartBroker, startTitle, uniqueName } from '../../support/kafkaBroker.ts'
import { KafkaTopic } from '../../support/kafkaTopic.ts'

const sessionMs = 1_500
const lastsMs = 6_000

describe.skipIf(!canStartBroker)(startTitle('logins that end'), () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'millrace-sessions-'))
  let broker: Broker
  let topic: KafkaTopic
  beforeAll(async () => {
    broker = await startBroker({ dataDir, properties: { 'connections.max.reauth.ms': String(sessionMs) } })
    topic = await KafkaTopic.create(broker.brokers)
  }, 180_000)
  afterAll(async () => {
    await topic?.close()
    await broker?.kill()
    removeBrokerData(dataDir)
  })

  test('are made anew in time: nothing is lost, nothing comes twice, and nobody leaves the group', async () => {
    const { username, password } = saslUser
    const settings = kafkaSettings({
      brokers: [...broker.saslBrokers],
      sasl: { mechanism: 'scram-sha-256', username, password },
      heartbeatIntervalMs: 100,
    })
    const writer = await openKafkaWriter(settings, { topic: topic.name })
    const source = await openWireLog(settings, { topic: topic.name, group: uniqueName('group') })
    let assignments = 0
    const assigned = Promise.withResolvers<void>()
    await source.join({
      onAssign: () => {
        assignments += 1
        assigned.resolve()
      },
      onRevoke: async () => undefined,
    })
    await assigned.promise
    await writer.claim('ingest')
    const reader = source.reader(0)
    reader.seek(0)
    const view = new RecordView()
    const seen: string[] = []
    let sent = 0
    const until = performance.now() + lastsMs
    while (performance.now() < until || seen.length < sent) {
      if (performance.now() < until) {
        sent += 1
        await writer.append([{ partition: 0, timestamp: 1, key: null, value: Buffer.from(`${sent}`) }], `${sent}`)
      }
      const batch = await reader.fetch({ maxBytes: 1 << 20, maxWaitMs: 200 })
      while (batch?.read(view)) seen.push(view.valueText() ?? '')
    }
    expect(seen).toEqual(Array.from({ length: sent }, (_, index) => `${index + 1}`))
    expect(assignments).toBe(1)
    await source.close()
    await writer.close()
  }, 60_000)
})

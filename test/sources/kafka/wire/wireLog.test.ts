import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { kafkaSettings } from '../../../../src/sources/kafka/kafkaSettings.ts'
import { openWireLog } from '../../../../src/sources/kafka/wire/wireLog.ts'
import { encodeRecordBatch } from '../../../../src/sources/recordBatch/encode.ts'
import { describeLog } from '../../../contract/log.ts'
import { describeMergedInputs } from '../../../contract/mergedInputs.ts'
import { hasKafka, kafkaTitle, type SharedBroker, sharedBroker, uniqueName } from '../../../support/kafkaBroker.ts'
import { KafkaTopic } from '../../../support/kafkaTopic.ts'
import { readAll } from '../../../support/recordBatches.ts'

let kafka: SharedBroker

beforeAll(async () => {
  if (hasKafka) kafka = await sharedBroker()
}, 180_000)
afterAll(() => kafka?.close())

describe.skipIf(!hasKafka)(kafkaTitle('wire'), () => {
  describeLog('Kafka log at wire speed', async () => {
    const topic = await KafkaTopic.create(kafka.brokers, { partitions: 3 })
    const opened: { close(): Promise<void> }[] = [topic]
    const open = async () => {
      const settings = kafkaSettings({ brokers: [...kafka.brokers] })
      const source = await openWireLog(settings, { topic: topic.name, group: uniqueName('group') })
      opened.unshift(source)
      return { source, writer: () => topic.writer() }
    }
    return {
      ...(await open()),
      trim: (partition, beforeOffset) => topic.trim(partition, beforeOffset),
      reopen: open,
      dispose: async () => {
        for (const each of opened) await each.close()
      },
    }
  })

  describeMergedInputs(
    'Kafka log',
    async () => {
      const topic = await KafkaTopic.create(kafka.brokers, { partitions: 3 })
      const place = { topic: topic.name, group: uniqueName('group') }
      const source = await openWireLog(kafkaSettings({ brokers: [...kafka.brokers] }), place)
      const writer = topic.writer()
      const dispose = async () => {
        await writer.close()
        await source.close()
        await topic.close()
      }
      return { source, writer, dispose }
    },
    3,
  )

  test('a topic whose broker stamps the time gives that time, whatever the producer said', async () => {
    const before = Date.now()
    const topic = await KafkaTopic.create(kafka.brokers, { configs: { 'message.timestamp.type': 'LogAppendTime' } })
    const records = [1, 2, 3].map((timestamp) => ({ timestamp, key: null, value: Buffer.from('v') }))
    await topic.produce(0, encodeRecordBatch(0, records))
    const source = await openWireLog(kafkaSettings({ brokers: [...kafka.brokers] }), {
      topic: topic.name,
      group: 'any',
    })
    const batch = await source.reader(0).fetch({ maxBytes: 1 << 20, maxWaitMs: 1_000 })
    const stamps = readAll(batch!).map(({ timestamp }) => timestamp)
    expect(stamps).toHaveLength(3)
    for (const stamp of stamps) expect(stamp >= before && stamp <= Date.now()).toBe(true)
    await source.close()
    await topic.close()
  })
})

import { afterAll, beforeAll, describe } from 'vitest'
import { openKafkajsLog } from '../../../../src/sources/kafka/kafkajs/kafkajsLog.ts'
import { kafkaSettings } from '../../../../src/sources/kafka/kafkaSettings.ts'
import { describeLog } from '../../../contract/log.ts'
import { describeMergedInputs } from '../../../contract/mergedInputs.ts'
import { hasKafka, kafkaTitle, type SharedBroker, sharedBroker, uniqueName } from '../../../support/kafkaBroker.ts'
import { KafkaTopic } from '../../../support/kafkaTopic.ts'

let kafka: SharedBroker

beforeAll(async () => {
  if (hasKafka) kafka = await sharedBroker()
}, 180_000)
afterAll(() => kafka?.close())

describe.skipIf(!hasKafka)(kafkaTitle('kafkajs'), () => {
  describeLog('Kafka log through kafkajs', async () => {
    const topic = await KafkaTopic.create(kafka.brokers, { partitions: 3 })
    const opened: { close(): Promise<void> }[] = [topic]
    const open = async () => {
      const settings = kafkaSettings({ brokers: [...kafka.brokers], client: 'kafkajs' })
      const source = await openKafkajsLog(settings, { topic: topic.name, group: uniqueName('group') })
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
      const source = await openKafkajsLog(kafkaSettings({ brokers: [...kafka.brokers], client: 'kafkajs' }), place)
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
})

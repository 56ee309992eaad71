import { kafkaSettings } from '../../../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaWriter } from '../../../../src/sources/kafka/producer/openKafkaWriter.ts'

/** Appends numbers from where the position says, ten at a time over three partitions, until it is killed. */
const [address, topic] = process.argv.slice(2) as [string, string]
const writer = await openKafkaWriter(kafkaSettings({ brokers: [address] }), { topic })
const { position } = await writer.claim('ingest')
console.log(position)
for (let next = Number(position ?? 0); ; next += 10) {
  const numbers = Array.from({ length: 10 }, (_, index) => next + index)
  const records = numbers.map((number) => ({
    partition: number % 3,
    timestamp: number,
    key: null,
    value: Buffer.from(String(number)),
  }))
  await writer.append(records, String(next + 10))
}

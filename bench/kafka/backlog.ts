import type { OutgoingRecord } from '../../src/runtime/log/log.ts'
import { kafkaSettings } from '../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaWriter } from '../../src/sources/kafka/producer/openKafkaWriter.ts'
import { simulatedFrames, simulatedSymbols } from '../../src/sources/simulator/simulatedFrames.ts'

export const backlogPartitions = 4

const from = 1_723_161_600_000
const appendedAtOnce = 5_000

export interface Backlog {
  readonly records: number
  /** Of a record's value, on average. */
  readonly valueBytes: number
}

/** Fills the topic with trades of four symbols, each in a partition of its own, an hour of event time. */
export async function fillBacklog(brokers: readonly string[], topic: string, records: number): Promise<Backlog> {
  const writer = await openKafkaWriter(kafkaSettings({ brokers: [...brokers], clientId: 'bench' }), {
    topic,
    compression: 'none',
  })
  try {
    await writer.claim('bench')
    const symbols = simulatedSymbols(backlogPartitions)
    const keys = symbols.map((symbol) => Buffer.from(symbol))
    const options = { seed: 1, symbols, from, count: records, tradesPerSecond: records / 3_600, bare: true }
    let pending: OutgoingRecord[] = []
    let made = 0
    let valueBytes = 0
    for (const value of simulatedFrames(options)) {
      // SIM00000USDT to SIM00003USDT: the digit is the partition.
      const partition = (value[value.indexOf('SIM0') + 7] as number) - 48
      pending.push({ partition, timestamp: from, key: keys[partition] as Buffer, value })
      valueBytes += value.length
      made += 1
      if (pending.length < appendedAtOnce && made < records) continue
      await writer.append(pending, String(made))
      pending = []
    }
    return { records, valueBytes: Math.round(valueBytes / records) }
  } finally {
    await writer.close()
  }
}

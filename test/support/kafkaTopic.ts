import {
  Connection,
  createAPI,
  createPartitionsV3,
  createTopicsV7,
  deleteRecordsV2,
  deleteTopicsV6,
  listOffsetsV7,
  produceV9,
  Writer,
} from '@platformatic/kafka'
import { ConfigurationError, TaskFencedError } from '../../src/runtime/errors.ts'
import type { LogWriter } from '../../src/runtime/log/log.ts'
import { OneAppend } from '../../src/runtime/oneAppend.ts'
import { encodeRecordBatch } from '../../src/sources/recordBatch/encode.ts'
import { groupIntoBatches } from '../../src/sources/recordBatch/group.ts'
import { uniqueName } from './kafkaBroker.ts'

/** Takes what the contract suite writes, a record of a megabyte and times of long ago and far ahead, and keeps it. */
const TOLERANT = {
  'retention.ms': '-1',
  'max.message.bytes': '8388608',
  'message.timestamp.before.max.ms': '9223372036854775807',
  'message.timestamp.after.max.ms': '9223372036854775807',
}
const TIMEOUT_MS = 15_000

/** A topic of a real broker, in a test's hands: bytes go in as they are given, so any batch that a producer could write can be written. */
export class KafkaTopic {
  readonly name: string
  readonly connection: Connection
  #partitions: number
  readonly #producers = new Map<string, { generation: number; position: string | null }>()

  private constructor(name: string, partitions: number, connection: Connection) {
    this.name = name
    this.#partitions = partitions
    this.connection = connection
  }

  static async create(
    brokers: readonly string[],
    { name = uniqueName('topic'), partitions = 1, configs = {} as Readonly<Record<string, string>> } = {},
  ): Promise<KafkaTopic> {
    const topic = await KafkaTopic.attach(brokers, name, partitions)
    await topic.create(partitions, configs)
    return topic
  }

  /** A topic that exists. */
  static async attach(brokers: readonly string[], name: string, partitions = 1): Promise<KafkaTopic> {
    const [host, port] = brokers[0]!.split(':')
    const connection = new Connection('millrace-test')
    connection.on('error', () => undefined)
    await connection.connect(host!, Number(port))
    return new KafkaTopic(name, partitions, connection)
  }

  /** Makes the topic, perhaps anew after `delete`. */
  async create(partitions: number, configs: Readonly<Record<string, string>> = {}): Promise<void> {
    const list = Object.entries({ ...TOLERANT, ...configs }).map(([name, value]) => ({ name, value }))
    const wanted = { name: this.name, numPartitions: partitions, replicationFactor: 1, assignments: [], configs: list }
    await createTopicsV7.api.async(this.connection, [wanted], TIMEOUT_MS, false)
    this.#partitions = partitions
    await this.#untilLed(partitions)
  }

  async delete(): Promise<void> {
    await deleteTopicsV6.api.async(this.connection, [{ name: this.name }], TIMEOUT_MS)
  }

  async growTo(partitions: number): Promise<void> {
    await createPartitionsV3.api.async(this.connection, [{ name: this.name, count: partitions }], TIMEOUT_MS, false)
    this.#partitions = partitions
    await this.#untilLed(partitions)
  }

  /** Appends record batches as they are; the broker sets their base offsets. */
  async produce(partition: number, batches: Buffer): Promise<void> {
    await produceApi.async(this.connection, this.name, partition, batches)
  }

  async trim(partition: number, beforeOffset: number): Promise<void> {
    const next = await this.#offset(partition, -1n)
    const offset = BigInt(Math.min(beforeOffset, next))
    const topics = [{ name: this.name, partitions: [{ partitionIndex: partition, offset }] }]
    await deleteRecordsV2.api.async(this.connection, topics, TIMEOUT_MS)
  }

  /** Positions and fences live in this object only: for tests of what reads. */
  writer(): LogWriter {
    let held: { producer: { generation: number; position: string | null }; generation: number } | null = null
    const appends = new OneAppend(this.name)
    return {
      claim: async (name) => {
        const producer = this.#producers.get(name) ?? { generation: 0, position: null }
        this.#producers.set(name, producer)
        held = { producer, generation: ++producer.generation }
        return { position: producer.position }
      },
      append: (records, position) =>
        appends.run(async () => {
          if (held === null) throw new ConfigurationError('An append before a claim.')
          if (held.producer.generation !== held.generation) throw new TaskFencedError('Claimed by another.')
          const bounds = { maxRecords: 1000, maxBytes: 1 << 20 }
          const grouped = groupIntoBatches(this.name, this.#partitions, records, bounds)
          const encoded = [...grouped].flatMap(([partition, lists]) =>
            lists.map((list) => [partition, encodeRecordBatch(0, list)] as const),
          )
          for (const [partition, batch] of encoded) await this.produce(partition, batch)
          held.producer.position = position
        }),
      close: async () => undefined,
    }
  }

  async close(): Promise<void> {
    await this.connection.close()
  }

  async #untilLed(partitions: number): Promise<void> {
    const deadline = performance.now() + TIMEOUT_MS
    for (let partition = 0; partition < partitions; ) {
      try {
        await this.#offset(partition, -1n)
        partition++
      } catch (error) {
        if (performance.now() > deadline) throw error
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
  }

  async #offset(partitionIndex: number, timestamp: bigint): Promise<number> {
    const partitions = [{ partitionIndex, currentLeaderEpoch: -1, timestamp }]
    const { topics } = await listOffsetsV7.api.async(this.connection, -1, 0, [{ name: this.name, partitions }])
    return Number(topics[0]!.partitions[0]!.offset)
  }
}

const produceApi = createAPI<[topic: string, partition: number, batches: Buffer], produceV9.ProduceResponse>(
  produceV9.api.key,
  produceV9.api.version,
  (topic: string, partition: number, batches: Buffer) =>
    Writer.create()
      .appendString(null)
      .appendInt16(-1)
      .appendInt32(TIMEOUT_MS)
      .appendArray([topic], (w) => {
        w.appendString(topic).appendArray([partition], (inner) => {
          inner.appendInt32(partition).appendBytes(batches)
        })
      })
      .appendTaggedFields(),
  produceV9.parseResponse,
)

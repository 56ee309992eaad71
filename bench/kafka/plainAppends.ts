import { systemClock } from '../../src/runtime/clock.ts'
import type { OutgoingRecord } from '../../src/runtime/log/log.ts'
import type { KafkaSettings } from '../../src/sources/kafka/kafkaSettings.ts'
import type { Connection } from '../../src/sources/kafka/protocol/connection.ts'
import { produce } from '../../src/sources/kafka/protocol/transactionExchanges.ts'
import type { Broker } from '../../src/sources/kafka/wire/address.ts'
import { Cluster } from '../../src/sources/kafka/wire/cluster.ts'
import { encodeRecordBatch } from '../../src/sources/recordBatch/encode.ts'
import { type Append, type Appends, type Produced, wallClock } from './schedule.ts'

/** As producers of Kafka do unless told otherwise. */
const mostUnderWay = 5

/** Appends as most producers do: confirmed by all replicas, without transactions, and without waiting for the append before. The first that fails ends it. */
export class PlainAppends implements Appends {
  readonly #cluster: Cluster
  readonly #connections = new Map<string, Promise<Connection>>()
  readonly #underWay = new Set<Promise<void>>()
  readonly #done: Append[] = []

  private constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  static async open(settings: KafkaSettings, topic: string): Promise<PlainAppends> {
    const cluster = new Cluster(settings, topic, systemClock, 'append')
    await cluster.refresh()
    return new PlainAppends(cluster)
  }

  async append(records: readonly OutgoingRecord[], until: number): Promise<number> {
    const sentAt = wallClock()
    while (this.#underWay.size >= mostUnderWay) await Promise.race(this.#underWay)
    const append = this.#append(records).then(() => {
      this.#done.push({ until, sentAt, storedAt: wallClock() })
      this.#underWay.delete(append)
    })
    this.#underWay.add(append)
    return until
  }

  async end(): Promise<Produced> {
    await Promise.all(this.#underWay)
    this.#cluster.close()
    return { appends: this.#done.sort((a, b) => a.until - b.until), hasMarkers: false }
  }

  async #append(records: readonly OutgoingRecord[]): Promise<void> {
    const { topic, settings } = this.#cluster
    const byBroker = new Map<Broker, { topic: string; partition: number; batch: Buffer }[]>()
    for (const [partition, list] of Map.groupBy(records, (record) => record.partition)) {
      const { broker } = await this.#cluster.leader(partition)
      const batches = byBroker.get(broker) ?? []
      byBroker.set(broker, batches)
      batches.push({ topic, partition, batch: encodeRecordBatch(0, list) })
    }
    const question = { transactionalId: null, timeoutMs: settings.requestTimeoutMs }
    await Promise.all(
      [...byBroker].map(async ([broker, batches]) =>
        (await this.#connection(broker)).ask(produce, { ...question, batches }),
      ),
    )
  }

  #connection(broker: Broker): Promise<Connection> {
    const address = `${broker.host}:${broker.port}`
    const known = this.#connections.get(address) ?? this.#cluster.connect(broker)
    this.#connections.set(address, known)
    return known
  }
}

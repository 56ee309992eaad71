import { type Exchange, flexible } from './exchange.ts'
import { requireAllPartitions } from './partitionRefusals.ts'
import { Refusals, requireNone } from './refusal.ts'

/** A producer as the transaction coordinator knows it. */
export interface ProducerIdentity {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly epoch: number
}

const UNKNOWN_PRODUCER = -1n
const UNKNOWN_EPOCH = -1

/** InitProducerId, since Kafka 2.7: an identity with a higher epoch than all before. */
export const initProducer: Exchange<
  { readonly transactionalId: string; readonly timeoutMs: number },
  Omit<ProducerIdentity, 'transactionalId'>
> = {
  key: 22,
  version: 4,
  tagged: flexible,
  write: (writer, { transactionalId, timeoutMs }) =>
    writer.text(transactionalId).int32(timeoutMs).int64(UNKNOWN_PRODUCER).int16(UNKNOWN_EPOCH).end(),
  read(reader) {
    reader.int32()
    requireNone(reader.int16())
    const identity = { producerId: reader.int64(), epoch: reader.int16() }
    reader.end()
    return identity
  },
}

/** AddPartitionsToTxn, since Kafka 2.8: takes partitions into the transaction. */
export const addPartitions: Exchange<
  {
    readonly identity: ProducerIdentity
    readonly topics: readonly { readonly name: string; readonly partitions: readonly number[] }[]
  },
  void
> = {
  key: 24,
  version: 3,
  tagged: flexible,
  write: (writer, { identity, topics }) =>
    writer
      .text(identity.transactionalId)
      .int64(identity.producerId)
      .int16(identity.epoch)
      .list(topics, ({ name, partitions }) =>
        writer
          .text(name)
          .list(partitions, (partition) => writer.int32(partition))
          .end(),
      )
      .end(),
  read: requireAllPartitions,
}

/** EndTxn, since Kafka 2.8. */
export const endTransaction: Exchange<{ readonly identity: ProducerIdentity; readonly isCommitted: boolean }, void> = {
  key: 26,
  version: 3,
  tagged: flexible,
  write: (writer, { identity, isCommitted }) =>
    writer.text(identity.transactionalId).int64(identity.producerId).int16(identity.epoch).boolean(isCommitted).end(),
  read(reader) {
    reader.int32()
    requireNone(reader.int16())
    reader.end()
  },
}

/** One whole record batch for one partition. */
export interface PartitionBatch {
  readonly topic: string
  readonly partition: number
  readonly batch: Buffer
}

const ALL_REPLICAS = -1
const UNKNOWN_SERVER_ERROR = -1

/** Produce, since Kafka 2.8, with batches that are encoded already. */
export const produce: Exchange<
  {
    /** Null for batches of no transaction. */
    readonly transactionalId: string | null
    readonly timeoutMs: number
    readonly batches: readonly PartitionBatch[]
  },
  void
> = {
  key: 0,
  version: 9,
  tagged: flexible,
  write: (writer, { transactionalId, timeoutMs, batches }) =>
    writer
      .text(transactionalId)
      .int16(ALL_REPLICAS)
      .int32(timeoutMs)
      .list([...Map.groupBy(batches, ({ topic }) => topic)], ([topic, list]) =>
        writer
          .text(topic)
          .list(list, ({ partition, batch }) => writer.int32(partition).bytes(batch).end())
          .end(),
      )
      .end(),
  read(reader) {
    const refusals = new Refusals()
    reader.list(() => {
      reader.text()
      reader.list(() => {
        reader.int32()
        const errorCode = reader.int16()
        for (let place = 0; place < 3; place++) reader.int64()
        reader.list(() => {
          reader.int32()
          const said = reader.textOrNull()
          if (said !== null && said !== '') refusals.note(UNKNOWN_SERVER_ERROR, said)
          reader.end()
        })
        refusals.note(errorCode, reader.textOrNull())
        reader.end()
      })
      reader.end()
    })
    reader.int32()
    reader.end()
    refusals.check()
  },
}

import { createAPI, produceV9, Writer } from '@platformatic/kafka'

/** One whole record batch for one partition. */
export interface PartitionBatch {
  readonly topic: string
  readonly partition: number
  readonly batch: Buffer
}

const ALL_REPLICAS = -1

/**
 * Produce v9 (Kafka 2.8) with batches that are encoded already. The library's own would encode them from an object a record, which costs
 * more than all the rest of an append.
 */
export const produceApi = createAPI<
  [transactionalId: string | null, timeoutMs: number, batches: readonly PartitionBatch[]],
  produceV9.ProduceResponse
>(
  produceV9.api.key,
  produceV9.api.version,
  (transactionalId: string | null, timeoutMs: number, batches: readonly PartitionBatch[]) =>
    Writer.create()
      .appendString(transactionalId)
      .appendInt16(ALL_REPLICAS)
      .appendInt32(timeoutMs)
      .appendArray([...Map.groupBy(batches, ({ topic }) => topic)], (writer, [topic, list]) => {
        writer.appendString(topic).appendArray(list, (inner, { partition, batch }) => {
          inner.appendInt32(partition).appendBytes(batch)
        })
      })
      .appendTaggedFields(),
  produceV9.parseResponse,
)

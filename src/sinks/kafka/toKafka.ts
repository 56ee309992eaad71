import type { Observable } from 'rxjs'
import type { Batch } from '../../runtime/batch.ts'
import type { RowsOutlet } from '../../runtime/outlet.ts'
import { toPostgres } from '../toPostgres.ts'

/** How a value becomes a record. Texts are written as UTF-8. */
export interface KafkaRecordOf<Value> {
  readonly topic: string
  /** Decides the partition; null goes to partition 0. */
  readonly key: (value: Value) => string | null
  readonly value: (value: Value) => string | null
  /** ms UTC, by event time: a replay has to give the same. */
  readonly eventTime: (value: Value) => number
}

/**
 * Ends a stream of a pipeline in a topic of Kafka, by way of the table `kafka_outbox`: its records are stored in the transaction of the checkpoint,
 * and a relay sends them, beside the worker (`withRelay`) or on its own (`relayOutbox`).
 *
 * Exactly once for consumers that read committed, in the order in which a task emitted them: the table is part of the checkpoint, and the relay's
 * position part of the Kafka transaction that carries the records, so no crash of either side repeats or loses one. Records of one key keep their order where
 * they come from one task and the topic keeps its number of partitions. Consumers that read uncommitted see what was aborted as well. Nothing is sent
 * while no relay runs; the table holds it.
 */
export function toKafka<Value>(
  values: Observable<Value | Batch<Value>>,
  { topic, key, value, eventTime }: KafkaRecordOf<Value>,
): RowsOutlet<Value> {
  return toPostgres(values, {
    mode: 'append',
    name: 'kafka_outbox',
    columns: [
      { name: 'topic', type: 'text', of: () => topic },
      { name: 'event_time', type: 'bigint', of: eventTime },
      { name: 'key', type: 'text', of: key },
      { name: 'value', type: 'text', of: value },
    ],
  })
}

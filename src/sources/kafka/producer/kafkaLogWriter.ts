import { randomUUID } from 'node:crypto'
import { ConfigurationError, type MillraceError, RetryableError, TaskFencedError } from '../../../runtime/errors.ts'
import type { OutgoingRecord } from '../../../runtime/log/log.ts'
import { RecordTooLargeError } from '../../../runtime/log/recordTooLarge.ts'
import { OneAppend } from '../../../runtime/oneAppend.ts'
import { partitionOf } from '../../ingest/murmur2.ts'
import { groupIntoBatches } from '../../recordBatch/group.ts'
import type { Connection } from '../protocol/connection.ts'
import { type PartitionBatch, type ProducerIdentity, produce } from '../protocol/transactionExchanges.ts'
import type { Broker } from '../wire/address.ts'
import type { Cluster } from '../wire/cluster.ts'
import { protocolErrorIn, protocolErrorsIn } from '../wire/trouble.ts'
import { type Compression, compressedBatch, stampBatch } from './compressedBatch.ts'
import type { KafkaWriter } from './kafkaWriter.ts'
import { messageLimitOf } from './messageLimit.ts'
import { encodePosition, POSITIONS_PARTITION, readPosition } from './positions.ts'
import { TransactionCoordinator } from './transactions.ts'

/** What `openKafkaWriter` puts a writer together from: `data` and `positions` are the connections to the topic and to its compacted companion. */
export interface KafkaLogWriterOptions {
  readonly data: Cluster
  readonly positions: Cluster
  /** Of record batches. */
  readonly compression: Compression
  /** After this the broker gives up a transaction whose writer is gone. */
  readonly transactionTimeoutMs: number
}

interface Held {
  readonly producer: string
  /** Of this claim alone. */
  readonly owner: string
  readonly identity: ProducerIdentity
  readonly coordinator: TransactionCoordinator
  /** The next sequence number of each partition written to, by topic and partition. */
  readonly sequences: Map<string, number>
}

/** A batch on its way, and how many sequence numbers it takes. */
interface Prepared extends PartitionBatch {
  readonly records: number
}

/** Well below the megabyte that brokers take by default, also where nothing can be compressed. */
const LIMITS = { maxRecords: 16_384, maxBytes: 900 * 1024 }
/** What a batch has besides its records, in round numbers. */
const BATCH_HEAD_BYTES = 128
const SEQUENCES = 2 ** 31

/** How a broker says that a later holder of the producer's name has come, or that it has itself given the transaction up. */
const FENCED = new Set([
  'INVALID_PRODUCER_EPOCH',
  'PRODUCER_FENCED',
  'INVALID_PRODUCER_ID_MAPPING',
  'INVALID_TXN_STATE',
  'TRANSACTIONAL_ID_NOT_FOUND',
  'UNKNOWN_PRODUCER_ID',
])
/** A successor is heard of at once by the broker, and a moment later by its first record. */
const SUCCESSOR_PAUSES_MS = [0, 50, 200, 750]

const TOO_LARGE = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'])
const REMEDIES: Readonly<Record<string, string>> = {
  MESSAGE_TOO_LARGE: 'Raise max.message.bytes of the topic.',
  RECORD_LIST_TOO_LARGE: 'Raise max.message.bytes of the topic.',
  INVALID_TIMESTAMP:
    'Set message.timestamp.before.max.ms and message.timestamp.after.max.ms of the topic to 9223372036854775807: its records carry the time of their event.',
  UNSUPPORTED_FOR_MESSAGE_FORMAT: 'The topic keeps an old message format; make a new one.',
  INVALID_RECORD: 'The topic refuses records without a key: set cleanup.policy to delete.',
}

/**
 * Appends to a topic of Kafka exactly once: an append is one transaction of an idempotent producer, with its records and, in the compacted
 * topic `<topic>.positions`, the producer's position under its name. Either all of it is seen by those who read committed, or
 * nothing.
 *
 * The producer's name is part of the transactional id, so a claim raises the epoch, and the broker refuses an older holder. Acknowledged by all in-sync
 * replicas; in order, one round of batches after the other. An append that fails leaves the writer without its producer, because its
 * outcome may be unknown: claim again, and the position says whether it was stored. Holds one append, plain and compressed.
 *
 * Readers see an append a few ms after it resolves, when the broker has written the transaction's markers, which take one offset a
 * partition and append.
 */
export class KafkaLogWriter implements KafkaWriter {
  readonly #options: KafkaLogWriterOptions
  readonly #connections = new Map<string, Promise<Connection>>()
  readonly #appends: OneAppend
  #held: Held | null = null
  /** Of a batch, as the topic has it; null where it does not say. */
  #messageLimit: number | null = null

  constructor(options: KafkaLogWriterOptions) {
    this.#options = options
    this.#appends = new OneAppend(options.data.topic)
  }

  async claim(producer: string): Promise<{ readonly position: string | null }> {
    const { data, positions, transactionTimeoutMs } = this.#options
    this.#letGo()
    await Promise.all([data.refresh(), positions.refresh()])
    this.#messageLimit = await messageLimitOf(data)
    const coordinator = new TransactionCoordinator(data, `millrace.${data.topic}.${producer}`)
    try {
      const identity = await coordinator.init(transactionTimeoutMs)
      const found = await readPosition(positions, producer)
      const held = { producer, owner: randomUUID(), identity, coordinator, sequences: new Map() }
      const position = found?.position ?? null
      await this.#transact(held, [[await this.#positionBatch(held, position)]])
      this.#held = held
      return { position }
    } catch (error) {
      coordinator.drop()
      throw data.trouble(error, `claim producer ${producer} of ${data.topic}`)
    }
  }

  append(records: readonly OutgoingRecord[], position: string): Promise<void> {
    return this.#appends.run(() => this.#append(records, position))
  }

  async #append(records: readonly OutgoingRecord[], position: string): Promise<void> {
    const { data } = this.#options
    const held = this.#held
    if (held === null) {
      throw new ConfigurationError(
        `A writer of ${data.topic} appends without a producer: claim one first, and again after an append that failed.`,
        { topic: data.topic },
      )
    }
    const rounds = await this.#prepare(held, records, position)
    this.#held = null
    try {
      await this.#transact(held, rounds)
    } catch (error) {
      const trouble = await this.#judge(held, error)
      if (trouble instanceof TaskFencedError) this.#held = held
      else await this.#giveUp(held, isAnswered(error))
      throw trouble
    }
    this.#held = held
  }

  /** How many partitions the topic had when the producer was claimed. */
  get partitionCount(): number {
    return this.#options.data.partitionCount
  }

  /** The partition where Kafka's Java client puts a key (murmur2), from 0, by as many partitions as the topic had when the producer was claimed. */
  partitionOf(key: Uint8Array): number {
    return partitionOf(key, this.#options.data.partitionCount)
  }

  async close(): Promise<void> {
    this.#letGo()
    this.#options.data.close()
    this.#options.positions.close()
  }

  /** Each round has one batch a partition at most, which is what a request may have. Throws before anything is sent. */
  async #prepare(held: Held, records: readonly OutgoingRecord[], position: string): Promise<Prepared[][]> {
    const { data, compression } = this.#options
    const { topic, partitionCount } = data
    const rounds: Promise<Prepared>[][] = [[this.#positionBatch(held, position)]]
    const limit = this.#messageLimit ?? Number.POSITIVE_INFINITY
    const limits = { ...LIMITS, maxBytes: Math.max(1, Math.min(LIMITS.maxBytes, limit - BATCH_HEAD_BYTES)) }
    for (const [partition, lists] of groupIntoBatches(topic, partitionCount, records, limits)) {
      lists.forEach((list, index) => {
        const round = rounds[index] ?? []
        rounds[index] = round
        const batch = compressedBatch(list, compression)
        round.push(
          batch.then((bytes) => {
            if (bytes.length > limit) throw tooLarge(topic, partition, list, bytes.length, limit)
            return { topic, partition, batch: bytes, records: list.length }
          }),
        )
      })
    }
    // All of them are waited for, so that none fails unheard.
    const settled = await Promise.allSettled(rounds.flat())
    for (const outcome of settled) if (outcome.status === 'rejected') throw outcome.reason
    return Promise.all(rounds.map((round) => Promise.all(round)))
  }

  async #positionBatch(held: Held, position: string | null): Promise<Prepared> {
    const { positions, compression } = this.#options
    const value = encodePosition({ owner: held.owner, position })
    const batch = await compressedBatch([{ timestamp: -1, key: Buffer.from(held.producer), value }], compression)
    return { topic: positions.topic, partition: POSITIONS_PARTITION, batch, records: 1 }
  }

  async #transact(held: Held, rounds: readonly (readonly Prepared[])[]): Promise<void> {
    const { identity, coordinator } = held
    const topics = [...Map.groupBy(rounds.flat(), ({ topic }) => topic)].map(([name, list]) => ({
      name,
      partitions: [...new Set(list.map(({ partition }) => partition))],
    }))
    await coordinator.add(identity, topics)
    for (const round of rounds) await this.#produce(held, round)
    await coordinator.end(identity, true)
  }

  async #produce({ identity, sequences }: Held, round: readonly Prepared[]): Promise<void> {
    const { data, positions } = this.#options
    const byLeader = new Map<string, { readonly broker: Broker; readonly batches: Prepared[] }>()
    for (const prepared of round) {
      const { topic, partition, batch, records } = prepared
      const { broker } = await (topic === data.topic ? data : positions).leader(partition)
      const name = `${topic}/${partition}`
      const sequence = sequences.get(name) ?? 0
      stampBatch(batch, { producerId: identity.producerId, epoch: identity.epoch, sequence })
      sequences.set(name, (sequence + records) % SEQUENCES)
      const address = `${broker.host}:${broker.port}`
      const there = byLeader.get(address) ?? { broker, batches: [] }
      byLeader.set(address, there)
      there.batches.push(prepared)
    }
    const timeoutMs = data.settings.requestTimeoutMs
    // All leaders are waited for: what reaches one of them behind an abort would stand in a transaction that nobody ends, and readers would wait at it for ever.
    const outcomes = await Promise.allSettled(
      [...byLeader].map(async ([address, { broker, batches }]) =>
        (await this.#connection(address, broker)).ask(produce, {
          transactionalId: identity.transactionalId,
          timeoutMs,
          batches,
        }),
      ),
    )
    const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
    if (failures.length > 0) throw new FailedRound(failures)
  }

  async #connection(address: string, broker: Broker): Promise<Connection> {
    const existing = await this.#connections.get(address)?.catch(() => null)
    if (existing?.isOpen) return existing
    const opening = this.#options.data.connect(broker)
    this.#connections.set(address, opening)
    return opening
  }

  /** An error as one of ours; one that may mean a successor asks who wrote last. */
  async #judge(held: Held, error: unknown): Promise<MillraceError> {
    const { data, positions } = this.#options
    const { topic } = data
    const names = protocolErrorsIn(error)
    const refusal = names.find((name) => REMEDIES[name] !== undefined)
    if (refusal !== undefined) {
      const Refusal = TOO_LARGE.has(refusal) ? RecordTooLargeError : ConfigurationError
      return new Refusal(`Kafka refused an append to ${topic}: ${refusal}. ${REMEDIES[refusal]}`, {
        topic,
        cause: error,
      })
    }
    const doing = `append to ${topic}`
    const name = names.find((one) => FENCED.has(one))
    if (name === undefined) return data.trouble(error, doing)
    try {
      for (const pauseMs of SUCCESSOR_PAUSES_MS) {
        await data.clock.sleep(pauseMs)
        const last = await readPosition(positions, held.producer)
        if (last !== null && last.owner !== held.owner) return fenced(topic, held)
      }
    } catch (cause) {
      return data.trouble(cause, `find out who has claimed producer ${held.producer} of ${topic}`)
    }
    return new RetryableError(
      `Kafka gave up the transaction of producer ${held.producer} of ${topic} (${name}), and nobody else has claimed it. It is tried again.`,
      { topic, cause: error },
    )
  }

  /**
   * Readers wait at a transaction that is open, so it is ended where every broker has answered. Otherwise a request may still be on its way: the next claim ends it, or
   * time, under a higher epoch, by which that request is refused.
   */
  async #giveUp(held: Held, isAnswered: boolean): Promise<void> {
    if (isAnswered) await held.coordinator.end(held.identity, false).catch(() => undefined)
    held.coordinator.drop()
    this.#dropConnections()
  }

  #letGo(): void {
    this.#held?.coordinator.drop()
    this.#held = null
    this.#dropConnections()
  }

  #dropConnections(): void {
    const { data } = this.#options
    for (const opening of this.#connections.values())
      opening.then(
        (connection) => data.release(connection),
        () => undefined,
      )
    this.#connections.clear()
  }
}

function tooLarge(
  topic: string,
  partition: number,
  [record]: readonly OutgoingRecord[],
  bytes: number,
  limit: number,
): RecordTooLargeError {
  const key =
    record?.key == null
      ? 'without a key'
      : `of key ${JSON.stringify(Buffer.from(record.key).toString('utf8').slice(0, 80))}`
  return new RecordTooLargeError(
    `A record ${key} for ${topic}/${partition} takes ${bytes} bytes, also compressed, and the topic takes ${limit} (max.message.bytes). Nothing of this append was stored. ` +
      `Raise max.message.bytes of ${topic}, or keep such records out of it.`,
    { topic, partition },
  )
}

/** What some of the leaders have said, or have not. */
class FailedRound extends Error {
  readonly errors: readonly unknown[]

  constructor(errors: readonly unknown[]) {
    super((errors[0] as Error).message, { cause: errors[0] })
    this.errors = errors.slice(1)
  }
}

function isAnswered(error: unknown): boolean {
  if (error instanceof FailedRound) return [error.cause, ...error.errors].every(isAnswered)
  return protocolErrorIn(error) !== null
}

function fenced(topic: string, { producer, identity }: Held): TaskFencedError {
  return new TaskFencedError(
    `Producer ${producer} of ${topic} was claimed by another writer; this one has epoch ${identity.epoch}.`,
    { topic },
  )
}

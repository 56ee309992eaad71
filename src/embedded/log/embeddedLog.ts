import type pg from 'pg'
import { type Clock, systemClock } from '../../runtime/clock.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { AssignmentListener, LogMembership, LogReader, LogSource, LogWriter } from '../../runtime/log/log.ts'
import { Arrivals } from '../../sources/arrivals.ts'
import { inTransaction, run } from './database.ts'
import { EmbeddedLogReader } from './embeddedLogReader.ts'
import { EmbeddedLogWriter } from './embeddedLogWriter.ts'
import { enforceRetention, type Retention, trimPartition } from './retention.ts'
import { CREATE_PARTITIONS, CREATE_TOPIC, TOPIC } from './statements.ts'

/** Which topic of which database an `EmbeddedLog` opens. `topic` is made where it does not exist. */
export interface EmbeddedLogOptions {
  /**
   * Connections whose search_path is a migrated schema, not pipelined. The log borrows them, one a query, and leaves ending the pool
   * to its owner.
   */
  readonly pool: pg.Pool
  readonly topic: string
  /** How many partitions a topic that is made now gets; must fit one that exists. Default: as many as it has, and 4 for a new one. */
  readonly partitions?: number
  /** How soon a reader that has caught up sees what another process appends. Appends through this object wake it at once. Default 20. */
  readonly pollMs?: number
  readonly clock?: Clock
}

const DEFAULT_PARTITIONS = 4
const DEFAULT_POLL_MS = 20

/**
 * A durable log in tables of PostgreSQL, whose rows are whole record batches: what a fresh machine has instead of Kafka.
 *
 * Offsets of a partition have no gaps. What an append has stored survives whatever the database survives, with the producer's
 * position. Readers hold what they fetch and one query ahead. Not shared between members: who joins is assigned everything.
 */
export class EmbeddedLog implements LogSource {
  readonly topic: string
  readonly #options: EmbeddedLogOptions
  readonly #clock: Clock
  readonly #arrivals: Arrivals
  readonly #partitionCount: number
  readonly #readers = new Set<LogReader>()

  private constructor(options: EmbeddedLogOptions, partitionCount: number) {
    this.topic = options.topic
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#arrivals = new Arrivals(this.#clock)
    this.#partitionCount = partitionCount
  }

  /** Opens the topic, and makes it where it does not exist. Throws `ConfigurationError` when it has another number of partitions. */
  static async open(options: EmbeddedLogOptions): Promise<EmbeddedLog> {
    const { pool, topic, partitions: wanted } = options
    if (wanted !== undefined && !(Number.isInteger(wanted) && wanted >= 1)) {
      throw new ConfigurationError(`Topic ${topic}: partitions must be an integer from 1 up, got ${wanted}.`, { topic })
    }
    const doing = `open topic ${topic}`
    const [existing] = await run<{ partitions: number }>(pool, doing, { topic }, TOPIC, [topic])
    const partitions = existing?.partitions ?? (await createTopic(pool, topic, wanted ?? DEFAULT_PARTITIONS))
    if (wanted !== undefined && wanted !== partitions) {
      throw new ConfigurationError(
        `Topic ${topic} has ${partitions} partitions, not ${wanted}. The number is fixed, because the partition of a key and with it ` +
          `the order of its records depend on it: ask for ${partitions}, or start a topic with another name.`,
        { topic },
      )
    }
    return new EmbeddedLog(options, partitions)
  }

  async partitions(): Promise<readonly number[]> {
    return Array.from({ length: this.#partitionCount }, (_, partition) => partition)
  }

  async join(listener: AssignmentListener): Promise<LogMembership> {
    listener.onAssign(await this.partitions())
    return { reportProgress: () => undefined, leave: async () => undefined }
  }

  reader(partition: number): LogReader {
    const { pool, topic, pollMs = DEFAULT_POLL_MS } = this.#options
    this.#requirePartition(partition)
    const reader: LogReader = new EmbeddedLogReader({
      pool,
      topic,
      partition,
      arrivals: this.#arrivals,
      clock: this.#clock,
      pollMs,
      onClose: () => this.#readers.delete(reader),
    })
    this.#readers.add(reader)
    return reader
  }

  /** A writer of its own: it is fenced as soon as another one claims its producer. */
  writer(): LogWriter {
    return new EmbeddedLogWriter({
      pool: this.#options.pool,
      topic: this.topic,
      partitions: this.#partitionCount,
      onAppended: (partitions) => {
        for (const partition of partitions) this.#arrivals.wake(partition)
      },
    })
  }

  /** Lets go of a partition's records below an offset; gives its earliest offset then. */
  async trim(partition: number, beforeOffset: number): Promise<number> {
    this.#requirePartition(partition)
    return trimPartition(this.#options.pool, this.topic, partition, beforeOffset)
  }

  /** Trims every partition to what the retention keeps. Never lets go of an offset that `keepFrom` names, or of one above it. */
  async enforceRetention(retention: Retention): Promise<void> {
    for (const partition of await this.partitions()) {
      await enforceRetention(this.#options.pool, this.topic, partition, retention)
    }
  }

  /** Closes the readers that it has given. The log itself stays. */
  async close(): Promise<void> {
    await Promise.all([...this.#readers].map((reader) => reader.close()))
  }

  #requirePartition(partition: number): void {
    if (Number.isInteger(partition) && partition >= 0 && partition < this.#partitionCount) return
    const { topic } = this
    throw new ConfigurationError(
      `Topic ${topic} has partitions 0 to ${this.#partitionCount - 1}, got partition ${partition}.`,
      { topic },
    )
  }
}

/** Two processes may make the topic at once; both go on with what the first one made. */
async function createTopic(pool: pg.Pool, topic: string, partitions: number): Promise<number> {
  return inTransaction(pool, `create topic ${topic}`, { topic }, async (client) => {
    await client.query(CREATE_TOPIC, [topic, partitions])
    await client.query(CREATE_PARTITIONS, [topic])
    const { rows } = await client.query<{ partitions: number }>(TOPIC, [topic])
    return rows[0]!.partitions
  })
}

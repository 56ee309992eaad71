import {
  addPartitionsToTxnV3,
  type Connection,
  endTxnV3,
  findCoordinatorV4,
  initProducerIdV4,
} from '@platformatic/kafka'
import { RetryableError } from '../../../runtime/errors.ts'
import type { Cluster } from '../wire/cluster.ts'
import { protocolErrorIn } from '../wire/trouble.ts'

/** A producer as the transaction coordinator knows it. */
export interface ProducerIdentity {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly epoch: number
}

export interface TopicPartitions {
  readonly name: string
  readonly partitions: number[]
}

const TRANSACTION = 1
const FIRST_PAUSE_MS = 1
const LONGEST_PAUSE_MS = 50

/** What passes by itself: the markers of the last transaction are being written, or the coordinator is being found. */
const PASSING = new Set([
  'CONCURRENT_TRANSACTIONS',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR',
])

/** The broker that keeps a producer's transactions. Errors are the library's; after one of the network, `drop` it. */
export class TransactionCoordinator {
  readonly #cluster: Cluster
  readonly #transactionalId: string
  #connection: Connection | null = null

  constructor(cluster: Cluster, transactionalId: string) {
    this.#cluster = cluster
    this.#transactionalId = transactionalId
  }

  /** Fences older holders, ends what they left open, and gives an identity with a higher epoch. */
  async init(transactionTimeoutMs: number): Promise<ProducerIdentity> {
    const transactionalId = this.#transactionalId
    const { producerId, producerEpoch } = await this.#patiently((connection) =>
      initProducerIdV4.api.async(connection, transactionalId, transactionTimeoutMs),
    )
    return { transactionalId, producerId, epoch: producerEpoch }
  }

  /** Takes partitions into the transaction, and so begins it. */
  async add(identity: ProducerIdentity, topics: TopicPartitions[]): Promise<void> {
    const { transactionalId, producerId, epoch } = identity
    const transaction = { transactionalId, producerId, producerEpoch: epoch, verifyOnly: false, topics }
    await this.#patiently((connection) => addPartitionsToTxnV3.api.async(connection, [transaction]))
  }

  async end({ transactionalId, producerId, epoch }: ProducerIdentity, isCommitted: boolean): Promise<void> {
    await this.#patiently((connection) =>
      endTxnV3.api.async(connection, transactionalId, producerId, epoch, isCommitted),
    )
  }

  drop(): void {
    if (this.#connection !== null) this.#cluster.release(this.#connection)
    this.#connection = null
  }

  async #patiently<T>(ask: (connection: Connection) => Promise<T>): Promise<T> {
    const { clock, settings } = this.#cluster
    const until = clock.now() + settings.requestTimeoutMs
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
      try {
        return await ask(await this.#connected())
      } catch (error) {
        const name = protocolErrorIn(error)
        if (name === null || !PASSING.has(name) || clock.now() > until) throw error
        if (name !== 'CONCURRENT_TRANSACTIONS') this.drop()
      }
      await clock.sleep(pauseMs)
    }
  }

  async #connected(): Promise<Connection> {
    if (this.#connection?.isConnected()) return this.#connection
    this.drop()
    const control = await this.#cluster.control()
    const { coordinators } = await findCoordinatorV4.api.async(control, TRANSACTION, [this.#transactionalId])
    const found = coordinators[0]
    if (found === undefined) throw new RetryableError('Kafka named no transaction coordinator. It is asked again.')
    this.#connection = await this.#cluster.connect({ host: found.host, port: found.port })
    return this.#connection
  }
}

import type { Connection } from '../protocol/connection.ts'
import { coordinated, findCoordinator } from '../protocol/groupExchanges.ts'
import { addPartitions, endTransaction, initProducer, type ProducerIdentity } from '../protocol/transactionExchanges.ts'
import type { Cluster } from '../wire/cluster.ts'
import { protocolErrorIn } from '../wire/trouble.ts'

export interface TopicPartitions {
  readonly name: string
  readonly partitions: number[]
}

const FIRST_PAUSE_MS = 1
const LONGEST_PAUSE_MS = 50

/** What passes by itself: the markers of the last transaction are being written, or the coordinator is being found. */
const PASSING = new Set([
  'CONCURRENT_TRANSACTIONS',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR',
])

/** The broker that keeps a producer's transactions. Errors are those of the connection; after one of the network, `drop` it. */
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
    const question = { transactionalId, timeoutMs: transactionTimeoutMs }
    const { producerId, epoch } = await this.#patiently((connection) => connection.ask(initProducer, question))
    return { transactionalId, producerId, epoch }
  }

  /** Takes partitions into the transaction, and so begins it. */
  async add(identity: ProducerIdentity, topics: TopicPartitions[]): Promise<void> {
    await this.#patiently((connection) => connection.ask(addPartitions, { identity, topics }))
  }

  async end(identity: ProducerIdentity, isCommitted: boolean): Promise<void> {
    await this.#patiently((connection) => connection.ask(endTransaction, { identity, isCommitted }))
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
    if (this.#connection?.isOpen) return this.#connection
    this.drop()
    const control = await this.#cluster.control()
    const kind = coordinated.transaction
    const place = await control.ask(findCoordinator, { kind, name: this.#transactionalId })
    this.#connection = await this.#cluster.connect(place)
    return this.#connection
  }
}

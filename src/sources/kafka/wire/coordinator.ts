import { RetryableError } from '../../../runtime/errors.ts'
import type { Connection } from '../protocol/connection.ts'
import type { Exchange } from '../protocol/exchange.ts'
import {
  commitOffsets,
  coordinated,
  findCoordinator,
  heartbeat,
  joinGroup,
  leaveGroup,
  syncGroup,
} from '../protocol/groupExchanges.ts'
import type { Cluster } from './cluster.ts'
import type { GroupCoordinator, Identity } from './groupMember.ts'
import { PROTOCOL_NAME, PROTOCOL_TYPE } from './groupProtocol.ts'

const protocol = { type: PROTOCOL_TYPE, name: PROTOCOL_NAME }

/** The broker that keeps a group, and the connection to it, looked for anew after a failure. Errors are those of the connection. */
export class Coordinator implements GroupCoordinator {
  readonly #cluster: Cluster
  readonly #group: string
  #connection: Connection | null = null

  constructor(cluster: Cluster, group: string) {
    this.#cluster = cluster
    this.#group = group
  }

  /** Waits until every member has come, or until those that have not are given up. */
  async join(memberId: string, subscription: Buffer) {
    const { sessionTimeoutMs, rebalanceTimeoutMs } = this.#cluster.settings
    const me = { group: this.#group, memberId, instanceId: this.#instanceId }
    const question = { ...me, protocol, metadata: subscription, sessionTimeoutMs, rebalanceTimeoutMs }
    return this.#call(joinGroup, question, this.#patienceMs)
  }

  /** Waits for the leader's word. Gives the member's assignment. */
  async sync(me: Identity, assignments: { memberId: string; assignment: Buffer }[]): Promise<Buffer> {
    return this.#call(syncGroup, { ...this.#speaker(me), protocol, assignments }, this.#patienceMs)
  }

  async heartbeat(me: Identity): Promise<void> {
    await this.#call(heartbeat, this.#speaker(me))
  }

  async commit(me: Identity, offsets: ReadonlyMap<number, number>): Promise<void> {
    await this.#call(commitOffsets, { ...this.#speaker(me), topic: this.#cluster.topic, offsets })
  }

  async leave(me: Identity): Promise<void> {
    await this.#call(leaveGroup, this.#speaker(me))
  }

  /** Forgets the connection; a request under way fails. */
  drop(): void {
    if (this.#connection !== null) this.#cluster.release(this.#connection)
    this.#connection = null
  }

  get #instanceId(): string | null {
    return this.#cluster.settings.instanceId ?? null
  }

  #speaker({ memberId, generation }: Identity) {
    return { group: this.#group, generation, memberId, instanceId: this.#instanceId }
  }

  get #patienceMs(): number {
    const { rebalanceTimeoutMs, requestTimeoutMs } = this.#cluster.settings
    return rebalanceTimeoutMs + requestTimeoutMs
  }

  async #call<Question, Answer>(
    exchange: Exchange<Question, Answer>,
    question: Question,
    mostMs = this.#cluster.settings.requestTimeoutMs,
  ): Promise<Answer> {
    const connection = await this.#connected()
    const ended = new AbortController()
    const tooLate = this.#cluster.clock.sleep(mostMs, ended.signal).then(() => {
      if (ended.signal.aborted) return new Promise<never>(() => undefined)
      if (this.#connection === connection) this.drop()
      throw new RetryableError(`The coordinator of group ${this.#group} did not answer within ${mostMs} ms.`)
    })
    try {
      return await Promise.race([connection.ask(exchange, question), tooLate])
    } finally {
      ended.abort('over')
    }
  }

  async #connected(): Promise<Connection> {
    if (this.#connection?.isOpen) return this.#connection
    this.drop()
    const control = await this.#cluster.control()
    const place = await control.ask(findCoordinator, { kind: coordinated.group, name: this.#group })
    this.#connection = await this.#cluster.connect(place, { requestTimeoutMs: this.#patienceMs })
    return this.#connection
  }
}

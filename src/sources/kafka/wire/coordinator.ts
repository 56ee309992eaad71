import {
  type API,
  type Connection,
  findCoordinatorV4,
  heartbeatV4,
  joinGroupV9,
  leaveGroupV5,
  offsetCommitV8,
  syncGroupV5,
} from '@platformatic/kafka'
import { RetryableError } from '../../../runtime/errors.ts'
import type { Cluster } from './cluster.ts'
import type { GroupCoordinator, Identity } from './groupMember.ts'
import { PROTOCOL_NAME, PROTOCOL_TYPE } from './groupProtocol.ts'

const GROUP = 0
const UNKNOWN_EPOCH = -1

/** The broker that keeps a group, and the connection to it, looked for anew after a failure. Errors are the library's. */
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
    const protocols = [{ name: PROTOCOL_NAME, metadata: subscription }]
    return this.#call(
      joinGroupV9.api,
      [this.#group, sessionTimeoutMs, rebalanceTimeoutMs, memberId, this.#instanceId, PROTOCOL_TYPE, protocols, null],
      this.#patienceMs,
    )
  }

  /** Waits for the leader's word. Gives the member's assignment. */
  async sync(me: Identity, assignments: { memberId: string; assignment: Buffer }[]): Promise<Buffer> {
    const { memberId, generation } = me
    const answer = await this.#call(
      syncGroupV5.api,
      [this.#group, generation, memberId, this.#instanceId, PROTOCOL_TYPE, PROTOCOL_NAME, assignments],
      this.#patienceMs,
    )
    return answer.assignment
  }

  async heartbeat({ memberId, generation }: Identity): Promise<void> {
    await this.#call(heartbeatV4.api, [this.#group, generation, memberId, this.#instanceId])
  }

  async commit({ memberId, generation }: Identity, offsets: ReadonlyMap<number, number>): Promise<void> {
    const partitions = [...offsets].map(([partitionIndex, offset]) => ({
      partitionIndex,
      committedOffset: BigInt(offset),
      committedLeaderEpoch: UNKNOWN_EPOCH,
      committedMetadata: null,
    }))
    const topics = [{ name: this.#cluster.topic, partitions }]
    await this.#call(offsetCommitV8.api, [this.#group, generation, memberId, this.#instanceId, topics])
  }

  async leave({ memberId }: Identity): Promise<void> {
    await this.#call(leaveGroupV5.api, [this.#group, [{ memberId, groupInstanceId: this.#instanceId, reason: null }]])
  }

  /** Forgets the connection; a request under way fails. */
  drop(): void {
    if (this.#connection !== null) this.#cluster.release(this.#connection)
    this.#connection = null
  }

  get #instanceId(): string | null {
    return this.#cluster.settings.instanceId ?? null
  }

  get #patienceMs(): number {
    const { rebalanceTimeoutMs, requestTimeoutMs } = this.#cluster.settings
    return rebalanceTimeoutMs + requestTimeoutMs
  }

  async #call<Args extends unknown[], Answer>(
    api: API<Args, Answer>,
    args: Args,
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
      return await Promise.race([api.async(connection, ...args), tooLate])
    } finally {
      ended.abort('over')
    }
  }

  async #connected(): Promise<Connection> {
    if (this.#connection?.isConnected()) return this.#connection
    this.drop()
    const control = await this.#cluster.control()
    const { coordinators } = await findCoordinatorV4.api.async(control, GROUP, [this.#group])
    const { host, port } = coordinators[0]!
    this.#connection = await this.#cluster.connect({ host, port }, this.#patienceMs)
    return this.#connection
  }
}

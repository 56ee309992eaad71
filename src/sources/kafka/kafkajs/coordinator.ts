import type { KafkaSettings } from '../kafkaSettings.ts'
import type { GroupCoordinator, Identity, JoinedGroup } from '../wire/groupMember.ts'
import { PROTOCOL_NAME, PROTOCOL_TYPE } from '../wire/groupProtocol.ts'
import { KafkajsClient } from './client.ts'
import { apiKeys, type KafkajsBroker, type RequestType, requests } from './internals.ts'
import { protocolErrorOf } from './trouble.ts'

/** Where kafkajs has older names than the protocol. */
const NAMES: Readonly<Record<string, string>> = {
  GROUP_LOAD_IN_PROGRESS: 'COORDINATOR_LOAD_IN_PROGRESS',
  GROUP_COORDINATOR_NOT_AVAILABLE: 'COORDINATOR_NOT_AVAILABLE',
  NOT_COORDINATOR_FOR_GROUP: 'NOT_COORDINATOR',
}

/** A protocol error in the shape that members of a group look for. */
class GroupError extends Error {
  readonly apiId: string
  /** With the id that a member without one is given. */
  readonly response: { readonly memberId: string }

  constructor(apiId: string, cause: Error) {
    super(cause.message, { cause })
    this.apiId = apiId
    this.response = { memberId: (cause as { memberId?: string }).memberId ?? '' }
  }
}

/** The broker that keeps a group, reached through kafkajs, which knows the group protocol up to static members. */
export class KafkajsCoordinator implements GroupCoordinator {
  readonly #settings: KafkaSettings
  readonly #topic: string
  readonly #group: string
  #client: KafkajsClient | null = null
  #broker: KafkajsBroker | null = null

  constructor(settings: KafkaSettings, topic: string, group: string) {
    this.#settings = settings
    this.#topic = topic
    this.#group = group
  }

  async join(memberId: string, subscription: Buffer): Promise<JoinedGroup> {
    const { sessionTimeoutMs, rebalanceTimeoutMs } = this.#settings
    const joined = (await this.#ask('join', apiKeys.JoinGroup, requests.JoinGroup, {
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: rebalanceTimeoutMs,
      memberId,
      protocolType: PROTOCOL_TYPE,
      groupProtocols: [{ name: PROTOCOL_NAME, metadata: subscription }],
    })) as JoinAnswer
    const members = joined.members.map((member) => ({ ...member, metadata: member.memberMetadata }))
    return {
      memberId: joined.memberId,
      generationId: joined.generationId,
      leader: joined.leaderId,
      skipAssignment: false,
      members,
    }
  }

  async sync(
    { memberId, generation }: Identity,
    assignments: { memberId: string; assignment: Buffer }[],
  ): Promise<Buffer> {
    const answer = (await this.#ask('sync with', apiKeys.SyncGroup, requests.SyncGroup, {
      generationId: generation,
      memberId,
      groupAssignment: assignments.map((each) => ({ memberId: each.memberId, memberAssignment: each.assignment })),
    })) as { readonly memberAssignment: Buffer }
    return answer.memberAssignment
  }

  async heartbeat({ memberId, generation }: Identity): Promise<void> {
    const who = { memberId, groupGenerationId: generation }
    await this.#ask('stay in', apiKeys.Heartbeat, requests.Heartbeat, who)
  }

  async commit({ memberId, generation }: Identity, offsets: ReadonlyMap<number, number>): Promise<void> {
    const partitions = [...offsets].map(([partition, offset]) => ({ partition, offset: String(offset) }))
    const topics = [{ topic: this.#topic, partitions }]
    const who = { memberId, groupGenerationId: generation }
    await this.#ask('commit to', apiKeys.OffsetCommit, requests.OffsetCommit, { ...who, topics })
  }

  async leave({ memberId }: Identity): Promise<void> {
    await this.#ask('leave', apiKeys.LeaveGroup, requests.LeaveGroup, { memberId })
  }

  drop(): void {
    this.#client?.close()
    this.#client = null
    this.#broker = null
  }

  async #ask(doing: string, key: number, type: RequestType, args: Readonly<Record<string, unknown>>): Promise<unknown> {
    this.#client ??= new KafkajsClient(this.#settings, this.#topic, { wasAccepted: true })
    const groupId = this.#group
    const groupInstanceId = this.#settings.instanceId ?? null
    let refused: GroupError | null = null
    const answer = await this.#client.use(`${doing} group ${groupId}`, { topic: this.#topic }, async (cluster) => {
      try {
        const broker = this.#broker ?? (await cluster.findGroupCoordinator({ groupId }))
        this.#broker = broker
        return await broker.connectionPool.send(broker.lookupRequest(key, type)({ groupId, groupInstanceId, ...args }))
      } catch (error) {
        const name = protocolErrorOf(error)
        // An answer of the group is for its member to judge, and no trouble of the connection.
        if (name === null) throw error
        refused = new GroupError(NAMES[name] ?? name, error as Error)
        return null
      }
    })
    if (refused !== null) throw refused
    return answer
  }
}

interface JoinAnswer {
  readonly generationId: number
  readonly leaderId: string
  readonly memberId: string
  readonly members: readonly {
    readonly memberId: string
    readonly groupInstanceId?: string | null
    readonly memberMetadata: Buffer
  }[]
}

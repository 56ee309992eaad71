import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../../runtime/clock.ts'
import { RetryableError } from '../../../runtime/errors.ts'
import type { AssignmentListener, LogMembership } from '../../../runtime/log.ts'
import type { KafkaSettings } from '../kafkaSettings.ts'
import { KafkajsClient } from './client.ts'
import { AssignerProtocol, apiKeys, type KafkajsBroker, type RequestType, requests } from './internals.ts'
import { protocolErrorOf } from './trouble.ts'

export interface JoinOptions {
  readonly settings: KafkaSettings
  readonly topic: string
  readonly group: string
  readonly listener: AssignmentListener
  readonly clock: Clock
}

/** Takes part in a group of the classic protocol; resolves with the first assignment given to the listener. */
export async function joinGroup(options: JoinOptions): Promise<LogMembership> {
  const member = new Member(options)
  await member.start()
  return member
}

interface Joined {
  readonly coordinator: KafkajsBroker
  readonly memberId: string
  readonly generationId: number
}

interface JoinResponse {
  readonly generationId: number
  readonly leaderId: string
  readonly memberId: string
  readonly members: readonly { readonly memberId: string; readonly groupInstanceId?: string | null }[]
}

const PROTOCOL = 'range'
const PROGRESS_EVERY_MS = 1_000
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 1_000

/**
 * A member of a consumer group that is used to share out partitions and for nothing else: positions are not read from it, and its
 * generation fences nothing.
 *
 * Before it joins again it awaits `onRevoke` for `revokeTimeoutMs` at most, with heartbeats going on meanwhile. A group that cannot be
 * reached for longer than the session timeout has given the partitions to others, so they are revoked then.
 */
class Member implements LogMembership {
  readonly #options: JoinOptions
  readonly #client: KafkajsClient
  readonly #stop = new AbortController()
  readonly #progress = new Map<number, number>()
  #joined: Joined | null = null
  #memberId = ''
  #held: readonly number[] = []
  #partitionCount = 0
  #reportedAt = 0
  #running: Promise<void> = Promise.resolve()

  constructor(options: JoinOptions) {
    this.#options = options
    this.#client = new KafkajsClient(options.settings, options.topic)
  }

  async start(): Promise<void> {
    const { clock, settings } = this.#options
    const until = clock.now() + settings.rebalanceTimeoutMs
    while (this.#joined === null) {
      try {
        await this.#join()
      } catch (error) {
        // A cluster that has just started is still looking for the group's coordinator.
        if (error instanceof RetryableError && clock.now() < until) {
          await sleep(FIRST_PAUSE_MS)
          continue
        }
        this.#client.close()
        throw error
      }
    }
    this.#running = this.#run()
  }

  reportProgress(partition: number, nextOffset: number): void {
    this.#progress.set(partition, nextOffset)
  }

  async leave(): Promise<void> {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    // A join waits for all others of the group, so one that is under way is given up.
    if (this.#joined === null) this.#client.close()
    await this.#running
    await this.#revoke()
    const joined = this.#joined
    try {
      await this.#commitProgress(joined)
      if (joined !== null) {
        const { memberId } = joined
        const instance = this.#options.settings.instanceId ?? null
        const who = { groupId: this.#options.group, memberId, members: [{ memberId, groupInstanceId: instance }] }
        await this.#send(joined.coordinator, apiKeys.LeaveGroup, requests.LeaveGroup, who)
      }
    } catch {
      // Without a farewell the session times out; the partitions are free a little later.
    }
    this.#client.close()
  }

  async #run(): Promise<void> {
    const { heartbeatIntervalMs, sessionTimeoutMs } = this.#options.settings
    const { signal } = this.#stop
    let heardAt = this.#options.clock.now()
    let pauseMs = heartbeatIntervalMs
    while (!signal.aborted) {
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) return
      pauseMs = heartbeatIntervalMs
      try {
        if (this.#joined !== null && (await this.#beat(this.#joined))) {
          await this.#commitProgress(this.#joined)
          await this.#rejoinIfGrown()
        }
        if (this.#joined === null) {
          await this.#revoke()
          await this.#join()
        }
        heardAt = this.#options.clock.now()
      } catch {
        // No broker answers, or the group moves: tried again until the member leaves. Who was away longer than the session has lost its place.
        if (this.#options.clock.now() - heardAt > sessionTimeoutMs) {
          this.#joined = null
          await this.#revoke()
        }
        pauseMs = Math.min(LONGEST_PAUSE_MS, heartbeatIntervalMs)
      }
    }
  }

  /** False when the place in the group is over, and the member has to join again. */
  async #beat(joined: Joined): Promise<boolean> {
    try {
      await this.#sendHeartbeat(joined)
      return true
    } catch (error) {
      const name = protocolErrorOf(error)
      if (name === 'REBALANCE_IN_PROGRESS') {
        // Still a member: while it lets go, its heartbeats keep the place.
        const beating = setInterval(() => {
          this.#sendHeartbeat(joined).catch(() => undefined)
        }, this.#options.settings.heartbeatIntervalMs)
        await this.#revoke().finally(() => clearInterval(beating))
      } else if (name === 'UNKNOWN_MEMBER_ID' || name === 'FENCED_INSTANCE_ID') {
        this.#memberId = ''
      } else if (name !== 'ILLEGAL_GENERATION') {
        throw error
      }
      this.#joined = null
      return false
    }
  }

  async #join(): Promise<void> {
    const { group, topic, settings, listener } = this.#options
    const joined = await this.#client.use(`join the group ${group}`, { topic }, async (cluster) => {
      await cluster.refreshMetadata()
      const coordinator = await cluster.findGroupCoordinator({ groupId: group })
      const response = await this.#sendJoin(coordinator)
      this.#memberId = response.memberId
      const partitions = cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId)
      this.#partitionCount = partitions.length
      const isLeader = response.leaderId === response.memberId
      const { memberAssignment } = (await this.#send(coordinator, apiKeys.SyncGroup, requests.SyncGroup, {
        groupId: group,
        generationId: response.generationId,
        memberId: response.memberId,
        groupInstanceId: settings.instanceId ?? null,
        groupAssignment: isLeader ? assign(topic, partitions, response.members) : [],
      })) as { memberAssignment: Buffer }
      const decoded = AssignerProtocol.MemberAssignment.decode(memberAssignment)
      const mine = [...(decoded?.assignment[topic] ?? [])].sort((left, right) => left - right)
      return { coordinator, memberId: response.memberId, generationId: response.generationId, mine }
    })
    this.#joined = joined
    this.#held = joined.mine
    if (joined.mine.length > 0) listener.onAssign(joined.mine)
  }

  async #sendJoin(coordinator: KafkajsBroker): Promise<JoinResponse> {
    const { group, topic, settings } = this.#options
    const metadata = AssignerProtocol.MemberMetadata.encode({ version: 1, topics: [topic], userData: Buffer.alloc(0) })
    const ask = (memberId: string) =>
      this.#send(coordinator, apiKeys.JoinGroup, requests.JoinGroup, {
        groupId: group,
        sessionTimeout: settings.sessionTimeoutMs,
        rebalanceTimeout: settings.rebalanceTimeoutMs,
        memberId,
        groupInstanceId: settings.instanceId ?? null,
        protocolType: 'consumer',
        groupProtocols: [{ name: PROTOCOL, metadata }],
      }) as Promise<JoinResponse>
    try {
      return await ask(this.#memberId)
    } catch (error) {
      const given = (error as { readonly memberId?: string }).memberId
      if (given !== undefined) return ask(given)
      if (protocolErrorOf(error) === 'UNKNOWN_MEMBER_ID') this.#memberId = ''
      throw error
    }
  }

  async #revoke(): Promise<void> {
    const lost = this.#held
    this.#held = []
    if (lost.length === 0) return
    const { listener, settings } = this.#options
    const patience = new AbortController()
    const bound = sleep(settings.revokeTimeoutMs, undefined, { signal: patience.signal }).catch(() => undefined)
    // What the owner does not get done in time, or fails at, the next claim fences.
    await Promise.race([listener.onRevoke(lost).catch(() => undefined), bound])
    patience.abort()
  }

  async #commitProgress(joined: Joined | null): Promise<void> {
    const now = this.#options.clock.now()
    const isDue = now - this.#reportedAt >= PROGRESS_EVERY_MS || this.#stop.signal.aborted
    if (joined === null || !isDue || this.#progress.size === 0) return
    this.#reportedAt = now
    const { group, topic } = this.#options
    const partitions = [...this.#progress].map(([partition, offset]) => ({ partition, offset: String(offset) }))
    this.#progress.clear()
    const { coordinator, memberId, generationId } = joined
    const who = { groupId: group, groupGenerationId: generationId, memberId }
    await this.#send(coordinator, apiKeys.OffsetCommit, requests.OffsetCommit, {
      ...who,
      topics: [{ topic, partitions }],
    })
      // For lag tools only.
      .catch(() => undefined)
  }

  /** New partitions have no owner until the group is shared out again. */
  async #rejoinIfGrown(): Promise<void> {
    const partitions = await this.#client.partitions()
    if (partitions.length > this.#partitionCount) this.#joined = null
  }

  async #sendHeartbeat({ coordinator, memberId, generationId }: Joined): Promise<void> {
    const who = { groupId: this.#options.group, memberId, groupGenerationId: generationId }
    const instance = { groupInstanceId: this.#options.settings.instanceId ?? null }
    await this.#send(coordinator, apiKeys.Heartbeat, requests.Heartbeat, { ...who, ...instance })
  }

  #send(
    broker: KafkajsBroker,
    key: number,
    type: RequestType,
    args: Readonly<Record<string, unknown>>,
  ): Promise<unknown> {
    return broker.connectionPool.send(broker.lookupRequest(key, type)(args))
  }
}

/** Neighbouring partitions to one member, in the order of their names, so that the same members get the same partitions again. */
function assign(topic: string, partitions: readonly number[], members: JoinResponse['members']) {
  const name = ({ groupInstanceId, memberId }: JoinResponse['members'][number]) => groupInstanceId ?? memberId
  const inOrder = [...members].sort((left, right) => (name(left) < name(right) ? -1 : 1))
  const ids = inOrder.map(({ memberId }) => memberId)
  const sorted = [...partitions].sort((left, right) => left - right)
  return ids.map((memberId, index) => {
    const from = Math.floor((index * sorted.length) / ids.length)
    const to = Math.floor(((index + 1) * sorted.length) / ids.length)
    const assignment = { [topic]: sorted.slice(from, to) }
    const memberAssignment = AssignerProtocol.MemberAssignment.encode({
      version: 1,
      assignment,
      userData: Buffer.alloc(0),
    })
    return { memberId, memberAssignment }
  })
}

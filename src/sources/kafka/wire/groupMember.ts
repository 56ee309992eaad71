import type { Clock } from '../../../runtime/clock.ts'
import { ConfigurationError, type MillraceError, RetryableError } from '../../../runtime/errors.ts'
import type { AssignmentListener, LogMembership } from '../../../runtime/log/log.ts'
import type { KafkaSettings } from '../kafkaSettings.ts'
import { assign } from './assign.ts'
import {
  assignedPartitions,
  encodeAssignment,
  encodeSubscription,
  ownedPartitions,
  sharedPartitionCount,
} from './groupProtocol.ts'
import { protocolErrorIn } from './trouble.ts'

/** Who one is in the group at the moment. */
export interface Identity {
  readonly memberId: string
  readonly generation: number
}

/** What is known of the topic that is shared. */
export interface SharedTopic {
  readonly topic: string
  readonly settings: KafkaSettings
  readonly clock: Clock
  readonly partitionCount: number
  refresh(): Promise<void>
  refreshIfOlderThan(ms: number): Promise<void>
  /** An error of the client as one of ours. */
  trouble(error: unknown, doing: string): MillraceError
}

export interface JoinedGroup {
  readonly memberId: string
  readonly generationId: number
  readonly leader: string | null
  /** The leader came back under its instance id; what it has shared out still holds. */
  readonly skipAssignment: boolean
  /** For the leader only. */
  readonly members: readonly {
    readonly memberId: string
    readonly groupInstanceId?: string | null | undefined
    readonly metadata: Buffer
  }[]
}

/** The broker that keeps the group, through one client or the other. Errors carry the protocol's names for `protocolErrorIn`. */
export interface GroupCoordinator {
  /** Waits until every member has come, or until those that have not are given up. */
  join(memberId: string, subscription: Buffer): Promise<JoinedGroup>
  /** Waits for the leader's word. Gives the member's assignment. */
  sync(me: Identity, assignments: { memberId: string; assignment: Buffer }[]): Promise<Buffer>
  heartbeat(me: Identity): Promise<void>
  commit(me: Identity, offsets: ReadonlyMap<number, number>): Promise<void>
  leave(me: Identity): Promise<void>
  /** Forgets the connection; a request under way fails. */
  drop(): void
}

const NOBODY: Identity = { memberId: '', generation: -1 }
const PROGRESS_INTERVAL_MS = 1_000
const PAUSE_MS = 100

/** Errors that say what to change, on a group that can be reached. */
const MISTAKES: Readonly<Record<string, string>> = {
  INVALID_SESSION_TIMEOUT:
    'kafka.sessionTimeoutMs lies outside what the broker allows (group.min.session.timeout.ms to group.max.session.timeout.ms).',
  INCONSISTENT_GROUP_PROTOCOL:
    'Its members share partitions in another way, so they are no workers of Millrace: name another group.',
  GROUP_MAX_SIZE_REACHED: 'The group has as many members as the broker allows (group.max.size).',
  INVALID_GROUP_ID: 'Name another group.',
}

/** A right that is missing before the first assignment was never there; one that a member loses while it works may come back. */
const NEVER_ALLOWED: Readonly<Record<string, string>> = {
  GROUP_AUTHORIZATION_FAILED: 'Grant its user the right to read the group, or name another group.',
  TOPIC_AUTHORIZATION_FAILED: 'Grant its user the right to read the topic, or name another topic.',
}

/**
 * A member of a consumer group, which shares out the partitions and nothing else: positions live beside the results, and the fence there covers
 * whatever the group learns too late.
 *
 * Cooperative: a rebalance stops only partitions that move. Each of them is let go before its member joins again, within `revokeTimeoutMs`. With an
 * `instanceId` a member that was killed takes its partitions back at once when it is started again.
 */
export class GroupMember implements LogMembership {
  readonly #cluster: SharedTopic
  readonly #group: string
  readonly #listener: AssignmentListener
  readonly #coordinator: GroupCoordinator
  readonly #leaving = new AbortController()
  readonly #progress = new Map<number, number>()
  #me: Identity = NOBODY
  #owned: readonly number[] = []
  /** How many partitions the leader has shared out. */
  #sharedPartitions = 0
  /** The listener was told that all is lost, and has not been told of anything since. */
  #hasLost = false
  #living: Promise<void> | null = null

  constructor(cluster: SharedTopic, coordinator: GroupCoordinator, group: string, listener: AssignmentListener) {
    this.#cluster = cluster
    this.#group = group
    this.#listener = listener
    this.#coordinator = coordinator
  }

  /** Resolves with the first assignment, which may be none. Rejects when the group refuses, or cannot be reached for as long as a rebalance may take. */
  async join(): Promise<void> {
    const { clock, settings } = this.#cluster
    const until = clock.now() + settings.rebalanceTimeoutMs + settings.requestTimeoutMs
    for (;;) {
      try {
        if (await this.#rebalance()) break
      } catch (error) {
        const trouble = await this.#recover(error)
        if (trouble !== null && (!(trouble instanceof RetryableError) || clock.now() > until)) {
          this.#leaving.abort()
          this.#coordinator.drop()
          throw trouble
        }
        if (trouble !== null) await clock.sleep(PAUSE_MS)
      }
      if (this.#leaving.signal.aborted) return
    }
    this.#living = this.#live()
  }

  reportProgress(partition: number, nextOffset: number): void {
    this.#progress.set(partition, nextOffset)
  }

  async leave(): Promise<void> {
    if (this.#leaving.signal.aborted) return this.#living ?? undefined
    this.#leaving.abort()
    if (this.#me === NOBODY) return this.#coordinator.drop()
    // What is under way on this connection may be a wait for others.
    this.#coordinator.drop()
    await this.#living
    try {
      await this.#commitProgress()
      await this.#coordinator.leave(this.#me)
    } catch {
      // The session runs out instead.
    }
    this.#coordinator.drop()
  }

  async #live(): Promise<void> {
    const { clock } = this.#cluster
    let isSettled = true
    while (!this.#leaving.signal.aborted) {
      try {
        if (isSettled) await this.#stay()
        if (this.#leaving.signal.aborted) return
        isSettled = false
        isSettled = await this.#rebalance()
      } catch (error) {
        if (this.#leaving.signal.aborted) return
        isSettled = false
        const trouble = await this.#recover(error)
        if (trouble !== null && !(trouble instanceof RetryableError)) return this.#giveUp(trouble)
        if (trouble !== null) await clock.sleep(PAUSE_MS, this.#leaving.signal)
      }
    }
  }

  /** One round: join, share, take what is assigned and let go of what is not. False when another round is due at once. */
  async #rebalance(): Promise<boolean> {
    const { topic } = this.#cluster
    const subscription = encodeSubscription(topic, this.#owned, this.#cluster.partitionCount)
    const joined = await this.#coordinator.join(this.#me.memberId, subscription)
    this.#me = { memberId: joined.memberId, generation: joined.generationId }
    const isSharing = joined.leader === joined.memberId && !joined.skipAssignment
    const assignments = isSharing ? await this.#share(joined.members) : []
    const assignment = await this.#coordinator.sync(this.#me, assignments)
    if (this.#leaving.signal.aborted) return true
    // Shared out perhaps long ago, by a leader that has been away since.
    this.#sharedPartitions = sharedPartitionCount(assignment) ?? this.#cluster.partitionCount
    const assigned = assignedPartitions(assignment, topic)
    const revoked = this.#owned.filter((partition) => !assigned.includes(partition))
    const added = assigned.filter((partition) => !this.#owned.includes(partition))
    // A partition that is newer than what is known of the topic could not be read. Where asking fails, it does not count as owned, so that the next
    // round brings it again.
    if (Math.max(-1, ...added) >= this.#cluster.partitionCount) await this.#cluster.refresh()
    this.#owned = assigned
    if (added.length > 0 || this.#hasLost) {
      this.#hasLost = false
      this.#listener.onAssign(added)
    }
    await this.#revoke(revoked, (partitions) => this.#listener.onRevoke(partitions))
    return revoked.length === 0
  }

  async #share(members: JoinedGroup['members']) {
    const { topic } = this.#cluster
    await this.#cluster.refresh()
    const { partitionCount } = this.#cluster
    const candidates = members.map(({ memberId, groupInstanceId, metadata }) => ({
      memberId,
      name: groupInstanceId ?? memberId,
      owned: ownedPartitions(metadata, topic),
    }))
    return [...assign(candidates, partitionCount)].map(([memberId, partitions]) => ({
      memberId,
      assignment: encodeAssignment(topic, partitions, partitionCount),
    }))
  }

  /** Heartbeats until the partitions have to be shared anew. A coordinator that is away takes nothing from this member. */
  async #stay(): Promise<void> {
    const { clock, settings } = this.#cluster
    let progressAt = clock.now()
    for (;;) {
      await clock.sleep(settings.heartbeatIntervalMs, this.#leaving.signal)
      if (this.#leaving.signal.aborted) return
      try {
        await this.#coordinator.heartbeat(this.#me)
        if (await this.#hasGrown()) return
        if (clock.now() - progressAt >= PROGRESS_INTERVAL_MS) {
          progressAt = clock.now()
          await this.#commitProgress()
        }
      } catch (error) {
        const name = protocolErrorIn(error)
        if (name === 'REBALANCE_IN_PROGRESS') return
        if (name !== null && !isPassing(name)) throw error
        const trouble = this.#cluster.trouble(error, `stay in group ${this.#group}`)
        if (!(trouble instanceof RetryableError)) throw trouble
        this.#coordinator.drop()
      }
    }
  }

  /** Every member looks: a leader that came back within its session need not be called one any more, and shares nothing until somebody asks. */
  async #hasGrown(): Promise<boolean> {
    await this.#cluster.refreshIfOlderThan(this.#cluster.settings.metadataMaxAgeMs)
    return this.#cluster.partitionCount > this.#sharedPartitions
  }

  /** For lag tools; the next one makes up for one that fails. */
  async #commitProgress(): Promise<void> {
    const offsets = new Map([...this.#progress].filter(([partition]) => this.#owned.includes(partition)))
    this.#progress.clear()
    if (offsets.size > 0) await this.#coordinator.commit(this.#me, offsets)
  }

  /** Awaits the listener, but not for ever, and stays in the group meanwhile. */
  async #revoke(partitions: readonly number[], tell: (partitions: readonly number[]) => Promise<void>): Promise<void> {
    if (partitions.length === 0) return
    const { clock, settings } = this.#cluster
    const ended = new AbortController()
    const listened = tell(partitions).finally(() => ended.abort())
    // One that fails has let go all the same: the fence stands between it and the new owner.
    listened.catch(() => undefined)
    const until = clock.now() + settings.revokeTimeoutMs
    while (!ended.signal.aborted && clock.now() < until) {
      await clock.sleep(Math.min(settings.heartbeatIntervalMs, until - clock.now()), ended.signal)
      if (!ended.signal.aborted && this.#me !== NOBODY)
        await this.#coordinator.heartbeat(this.#me).catch(() => undefined)
    }
  }

  /** What a failed round leaves behind is put right; gives the error when it is one to wait for, or to stop at. */
  async #recover(error: unknown): Promise<MillraceError | null> {
    const name = protocolErrorIn(error)
    if (name === 'REBALANCE_IN_PROGRESS') return null
    if (name === 'MEMBER_ID_REQUIRED') {
      const { response } = error as { response?: { memberId: string } }
      this.#me = { ...NOBODY, memberId: response?.memberId ?? '' }
      return null
    }
    if (name === 'UNKNOWN_MEMBER_ID' || name === 'ILLEGAL_GENERATION' || name === 'FENCED_INSTANCE_ID') {
      await this.#lose()
      return name === 'FENCED_INSTANCE_ID' ? this.#replaced(error) : null
    }
    this.#coordinator.drop()
    const mistakes = this.#living === null ? { ...MISTAKES, ...NEVER_ALLOWED } : MISTAKES
    const mistake = name === null ? undefined : mistakes[name]
    if (mistake !== undefined) {
      return new ConfigurationError(`Group ${this.#group} refused this worker (${name}). ${mistake}`, {
        topic: this.#cluster.topic,
        cause: error,
      })
    }
    return this.#cluster.trouble(error, `join group ${this.#group}`)
  }

  async #lose(): Promise<void> {
    this.#me = NOBODY
    const lost = this.#owned
    this.#owned = []
    // It may be given up again before it is back, with nothing left to lose.
    this.#hasLost ||= lost.length > 0
    const listener = this.#listener
    await this.#revoke(lost, (partitions) => listener.onLost?.(partitions) ?? listener.onRevoke(partitions))
  }

  #replaced(error: unknown): ConfigurationError {
    return new ConfigurationError(
      `Another process has joined group ${this.#group} as ${this.#cluster.settings.instanceId} and replaced this one. ` +
        'If both are meant to run, give each a kafka.instanceId of its own.',
      { topic: this.#cluster.topic, cause: error },
    )
  }

  async #giveUp(trouble: MillraceError): Promise<void> {
    this.#leaving.abort()
    this.#coordinator.drop()
    await this.#lose()
    this.#listener.onFailed?.(trouble)
  }
}

/** The coordinator moves, starts or is away; the group is still what it was. */
function isPassing(name: string): boolean {
  return name === 'NOT_COORDINATOR' || name === 'COORDINATOR_NOT_AVAILABLE' || name === 'COORDINATOR_LOAD_IN_PROGRESS'
}

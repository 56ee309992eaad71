import { type Exchange, flexible } from './exchange.ts'
import { requireAllPartitions } from './partitionRefusals.ts'
import { Refusal, Refusals, requireNone } from './refusal.ts'

/** What a coordinator keeps. */
export const coordinated = { group: 0, transaction: 1 } as const

/** FindCoordinator, since Kafka 3.0: the broker that keeps a group, or the transactions of a producer. */
export const findCoordinator: Exchange<
  { readonly kind: number; readonly name: string },
  { readonly host: string; readonly port: number }
> = {
  key: 10,
  version: 4,
  tagged: flexible,
  write: (writer, { kind, name }) =>
    writer
      .int8(kind)
      .list([name], (key) => writer.text(key))
      .end(),
  read(reader) {
    const refusals = new Refusals()
    reader.int32()
    const [found] = reader.list(() => {
      reader.text()
      reader.int32()
      const place = { host: reader.text(), port: reader.int32() }
      refusals.note(reader.int16(), reader.textOrNull())
      reader.end()
      return place
    })
    reader.end()
    refusals.check()
    if (found === undefined) throw new RangeError('the answer names no coordinator')
    return found
  },
}

/** Who speaks to the coordinator of a group. */
export interface GroupSpeaker {
  readonly group: string
  readonly generation: number
  readonly memberId: string
  readonly instanceId: string | null
}

interface Protocol {
  readonly type: string
  readonly name: string
}

export interface GroupJoined {
  readonly generationId: number
  readonly leader: string
  readonly skipAssignment: boolean
  readonly memberId: string
  readonly members: readonly {
    readonly memberId: string
    readonly groupInstanceId: string | null
    readonly metadata: Buffer
  }[]
}

/** A broker that does not let a member in: one that is new gets its id that way, and is to come again with it. */
class JoinRefusal extends Refusal {
  readonly response: { readonly memberId: string }

  constructor(code: number, memberId: string) {
    super(code)
    this.response = { memberId }
  }
}

const noBytes = Buffer.alloc(0)

/** JoinGroup, since Kafka 3.2: answered when all members are there. */
export const joinGroup: Exchange<
  Omit<GroupSpeaker, 'generation'> & {
    readonly protocol: Protocol
    readonly metadata: Buffer
    readonly sessionTimeoutMs: number
    readonly rebalanceTimeoutMs: number
  },
  GroupJoined
> = {
  key: 11,
  version: 9,
  tagged: flexible,
  write: (writer, { group, memberId, instanceId, protocol, metadata, sessionTimeoutMs, rebalanceTimeoutMs }) =>
    writer
      .text(group)
      .int32(sessionTimeoutMs)
      .int32(rebalanceTimeoutMs)
      .text(memberId)
      .text(instanceId)
      .text(protocol.type)
      .list([protocol.name], (name) => writer.text(name).bytes(metadata).end())
      .text(null)
      .end(),
  read(reader) {
    reader.int32()
    const errorCode = reader.int16()
    const generationId = reader.int32()
    reader.textOrNull()
    reader.textOrNull()
    const joined = {
      generationId,
      leader: reader.text(),
      skipAssignment: reader.boolean(),
      memberId: reader.text(),
      members: reader.list(() => {
        const member = {
          memberId: reader.text(),
          groupInstanceId: reader.textOrNull(),
          metadata: reader.bytesOrNull() ?? noBytes,
        }
        reader.end()
        return member
      }),
    }
    reader.end()
    if (errorCode !== 0) throw new JoinRefusal(errorCode, joined.memberId)
    return joined
  },
}

/** SyncGroup, since Kafka 2.5: the leader's assignments, answered with one's own. */
export const syncGroup: Exchange<
  GroupSpeaker & {
    readonly protocol: Protocol
    readonly assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[]
  },
  Buffer
> = {
  key: 14,
  version: 5,
  tagged: flexible,
  write: (writer, { group, generation, memberId, instanceId, protocol, assignments }) =>
    writer
      .text(group)
      .int32(generation)
      .text(memberId)
      .text(instanceId)
      .text(protocol.type)
      .text(protocol.name)
      .list(assignments, (one) => writer.text(one.memberId).bytes(one.assignment).end())
      .end(),
  read(reader) {
    reader.int32()
    requireNone(reader.int16())
    reader.textOrNull()
    reader.textOrNull()
    const assignment = reader.bytesOrNull() ?? noBytes
    reader.end()
    return assignment
  },
}

/** Heartbeat, since Kafka 2.4. */
export const heartbeat: Exchange<GroupSpeaker, void> = {
  key: 12,
  version: 4,
  tagged: flexible,
  write: (writer, { group, generation, memberId, instanceId }) =>
    writer.text(group).int32(generation).text(memberId).text(instanceId).end(),
  read(reader) {
    reader.int32()
    requireNone(reader.int16())
    reader.end()
  },
}

/** OffsetCommit, since Kafka 2.4: offsets by partition of one topic. */
export const commitOffsets: Exchange<
  GroupSpeaker & { readonly topic: string; readonly offsets: ReadonlyMap<number, number> },
  void
> = {
  key: 8,
  version: 8,
  tagged: flexible,
  write(writer, { group, generation, memberId, instanceId, topic, offsets }) {
    const unknownEpoch = -1
    writer
      .text(group)
      .int32(generation)
      .text(memberId)
      .text(instanceId)
      .list([topic], (name) =>
        writer
          .text(name)
          .list([...offsets], ([partition, offset]) =>
            writer.int32(partition).int64(BigInt(offset)).int32(unknownEpoch).text(null).end(),
          )
          .end(),
      )
      .end()
  },
  read: requireAllPartitions,
}

/** LeaveGroup, since Kafka 3.2. */
export const leaveGroup: Exchange<Omit<GroupSpeaker, 'generation'>, void> = {
  key: 13,
  version: 5,
  tagged: flexible,
  write: (writer, { group, memberId, instanceId }) =>
    writer
      .text(group)
      .list([memberId], (id) => writer.text(id).text(instanceId).text(null).end())
      .end(),
  read(reader) {
    const refusals = new Refusals()
    reader.int32()
    refusals.note(reader.int16())
    reader.list(() => {
      reader.text()
      reader.textOrNull()
      refusals.note(reader.int16())
      reader.end()
    })
    reader.end()
    refusals.check()
  },
}

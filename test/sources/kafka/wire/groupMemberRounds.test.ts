import { describe, expect, test } from 'vitest'
import { ConfigurationError, RetryableError } from '../../../../src/runtime/errors.ts'
import { kafkaSettings } from '../../../../src/sources/kafka/kafkaSettings.ts'
import { type GroupCoordinator, GroupMember, type SharedTopic } from '../../../../src/sources/kafka/wire/groupMember.ts'
import { encodeAssignment } from '../../../../src/sources/kafka/wire/groupProtocol.ts'
import { VirtualClock } from '../../../../src/testing/virtualClock.ts'

/** As the client library says what the broker has said. */
function protocolError(apiId: string): Error {
  return Object.assign(new Error(apiId), { apiId })
}

/** A member that is not the leader, before a coordinator and a topic that the test speaks for. */
function world(options: {
  readonly partitionCount: number
  readonly assigned: () => readonly number[]
  readonly refresh?: () => Promise<void>
  readonly join?: () => Promise<void>
  readonly heartbeat?: () => Promise<void>
}) {
  const clock = new VirtualClock()
  const told: string[] = []
  const topic: SharedTopic = {
    topic: 'trades',
    settings: kafkaSettings({ brokers: ['here:1'] }),
    clock,
    partitionCount: options.partitionCount,
    refresh: options.refresh ?? (async () => undefined),
    refreshIfOlderThan: async () => undefined,
    trouble: (error, doing) =>
      error instanceof RetryableError ? error : new RetryableError(`could not ${doing}: ${error}`),
  }
  const coordinator: GroupCoordinator = {
    join: async () => {
      await options.join?.()
      return { memberId: 'me', generationId: 1, leader: 'other', skipAssignment: false, members: [] }
    },
    sync: async () => encodeAssignment('trades', options.assigned(), options.partitionCount),
    heartbeat: options.heartbeat ?? (async () => undefined),
    commit: async () => undefined,
    leave: async () => undefined,
    drop: () => undefined,
  }
  const member = new GroupMember(topic, coordinator, 'group', {
    onAssign: (partitions) => void told.push(`+${partitions}`),
    onRevoke: async (partitions) => void told.push(`-${partitions}`),
    onLost: async (partitions) => void told.push(`~${partitions}`),
  })
  return { clock, member, told }
}

describe('the rounds of a group member', () => {
  test('a partition that is newer than what is known is given once the topic could be asked about it, not lost', async () => {
    let asked = 0
    const refresh = async () => {
      asked += 1
      if (asked <= 2) throw new RetryableError('the broker is away')
    }
    const { clock, member, told } = world({ partitionCount: 2, assigned: () => [1, 2], refresh })
    await clock.run(member.join())
    expect(asked).toBe(3)
    expect(told).toEqual(['+1,2'])
    await clock.run(member.leave())
  })

  test('a member that was given up twice before it is back is told what it has, also when that is nothing', async () => {
    let rounds = 0
    const { clock, member, told } = world({
      partitionCount: 2,
      assigned: () => (rounds === 1 ? [0, 1] : []),
      join: async () => {
        rounds += 1
        if (rounds === 2) throw protocolError('UNKNOWN_MEMBER_ID')
      },
      heartbeat: async () => {
        if (rounds === 1) throw protocolError('UNKNOWN_MEMBER_ID')
      },
    })
    await clock.run(member.join())
    await clock.advance(5_000)
    expect(told).toEqual(['+0,1', '~0,1', '+'])
    await clock.run(member.leave())
  })

  test.each(['GROUP_AUTHORIZATION_FAILED', 'TOPIC_AUTHORIZATION_FAILED'])(
    '%s at the first join is for a person at once',
    async (name) => {
      const { clock, member } = world({
        partitionCount: 2,
        assigned: () => [0],
        join: async () => {
          throw protocolError(name)
        },
      })
      const startedAt = clock.now()
      const failure = await clock.run(member.join().catch((error: unknown) => error))
      expect(failure).toBeInstanceOf(ConfigurationError)
      expect(String(failure)).toContain('Grant its user the right')
      expect(clock.now()).toBe(startedAt)
    },
  )
})

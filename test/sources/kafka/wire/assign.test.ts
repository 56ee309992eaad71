import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { assign, type Candidate } from '../../../../src/sources/kafka/wire/assign.ts'
import {
  assignedPartitions,
  encodeAssignment,
  encodeSubscription,
  ownedPartitions,
  sharedPartitionCount,
} from '../../../../src/sources/kafka/wire/groupProtocol.ts'

/** Members by name, with what they own; perhaps two that claim the same, as after a long sleep. */
const group = fc
  .tuple(fc.uniqueArray(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 8 }), fc.nat(20))
  .chain(([names, partitions]) =>
    fc.record({
      partitions: fc.constant(partitions),
      members: fc.tuple(
        ...names.map((name) =>
          fc
            .uniqueArray(fc.nat(Math.max(0, partitions + 2)), { maxLength: partitions + 1 })
            .map((owned): Candidate => ({ memberId: `m${name}`, name: `n${name}`, owned })),
        ),
      ),
    }),
  )

describe('sharing partitions', () => {
  test('a new group shares all of them evenly, in one round', () => {
    const shared = assign([nobody('a'), nobody('b'), nobody('c')], 8)
    expect([...shared.values()].flat().sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    expect([...shared.values()].map((list) => list.length)).toEqual([3, 3, 2])
  })

  test('a newcomer is given only what has been let go, and others keep the rest', () => {
    const first = assign([{ memberId: 'a', name: 'a', owned: [0, 1, 2, 3] }, nobody('b')], 4)
    expect(first).toEqual(
      new Map([
        ['a', [0, 1]],
        ['b', []],
      ]),
    )
    const second = assign([{ memberId: 'a', name: 'a', owned: [0, 1] }, nobody('b')], 4)
    expect(second).toEqual(
      new Map([
        ['a', [0, 1]],
        ['b', [2, 3]],
      ]),
    )
  })

  test('what a member that has gone held is given out at once', () => {
    expect(assign([{ memberId: 'b', name: 'b', owned: [2, 3] }], 4)).toEqual(new Map([['b', [0, 1, 2, 3]]]))
  })

  test('nobody is given what another still holds, none is given twice, and rounds come to rest with all given', () => {
    fc.assert(
      fc.property(group, ({ partitions, members }) => {
        let now = members as readonly Candidate[]
        for (let round = 0; round < 4; round++) {
          const shared = assign(now, partitions)
          const all = [...shared.values()].flat()
          expect(new Set(all).size).toBe(all.length)
          for (const [memberId, given] of shared) {
            for (const partition of given) {
              const own = now.find((member) => member.memberId === memberId)!.owned.includes(partition)
              const others = now.some((other) => other.memberId !== memberId && other.owned.includes(partition))
              expect(own || !others).toBe(true)
            }
          }
          now = now.map((member) => ({ ...member, owned: shared.get(member.memberId)! }))
        }
        const sizes = now.map(({ owned }) => owned.length)
        expect(now.flatMap(({ owned }) => owned).sort((a, b) => a - b)).toEqual([...Array(partitions).keys()])
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
        expect(assign(now, partitions)).toEqual(new Map(now.map(({ memberId, owned }) => [memberId, owned])))
      }),
    )
  })
})

describe('what members tell each other', () => {
  test('is read back as it was written, for the topic that was asked about', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }),
        fc.uniqueArray(fc.nat(5000)),
        fc.nat(9000),
        (topic, partitions, count) => {
          const sorted = partitions.toSorted((a, b) => a - b)
          const assignment = encodeAssignment(topic, partitions, count)
          expect(ownedPartitions(encodeSubscription(topic, partitions, count), topic)).toEqual(sorted)
          expect(assignedPartitions(assignment, topic)).toEqual(sorted)
          expect(assignedPartitions(assignment, `${topic}.`)).toEqual([])
          expect(sharedPartitionCount(assignment)).toBe(count)
        },
      ),
    )
    expect(assignedPartitions(Buffer.alloc(0), 't')).toEqual([])
    expect(sharedPartitionCount(Buffer.alloc(0))).toBeNull()
  })

  test('an assignment of an earlier release says nothing of how many partitions there are', () => {
    const assignment = encodeAssignment('t', [1, 2], 3)
    const ofBefore = Buffer.concat([assignment.subarray(0, -8), Buffer.from([0xff, 0xff, 0xff, 0xff])])
    expect(assignedPartitions(ofBefore, 't')).toEqual([1, 2])
    expect(sharedPartitionCount(ofBefore)).toBeNull()
  })
})

function nobody(name: string): Candidate {
  return { memberId: name, name, owned: [] }
}

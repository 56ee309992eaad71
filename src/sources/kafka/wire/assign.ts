/** A member as the group's leader sees it. */
export interface Candidate {
  readonly memberId: string
  /** What stays the same over a restart: the instance id where there is one. */
  readonly name: string
  readonly owned: readonly number[]
}

/**
 * Shares `partitionCount` partitions so that members differ by at most one, and as many as possible stay where they are.
 *
 * A partition that has to move is first given to nobody: its owner notices, cuts, commits, lets go and joins again, and the next round gives it to its new
 * owner. Whatever does not move is never stopped.
 */
export function assign(candidates: readonly Candidate[], partitionCount: number): Map<string, number[]> {
  const exists = (partition: number) => partition < partitionCount
  const members = candidates
    .map(({ memberId, name, owned }) => ({
      memberId,
      name,
      owned: owned.filter(exists),
      given: [] as number[],
      quota: 0,
    }))
    .sort((left, right) => right.owned.length - left.owned.length || compare(left.name, right.name))
  const least = Math.floor(partitionCount / members.length)
  const withOneMore = partitionCount % members.length
  const taken = new Set<number>()
  for (const [index, member] of members.entries()) {
    member.quota = index < withOneMore ? least + 1 : least
    for (const partition of member.owned) {
      if (taken.has(partition) || member.given.length >= member.quota) continue
      member.given.push(partition)
      taken.add(partition)
    }
  }
  const isHeldByOther = (partition: number, memberId: string) =>
    members.some((other) => other.memberId !== memberId && other.owned.includes(partition))
  const free = [...Array(partitionCount).keys()].filter((partition) => !taken.has(partition))
  const assigned = new Map<string, number[]>()
  for (const { memberId, given, quota } of members) {
    const added = free.splice(0, quota - given.length).filter((partition) => !isHeldByOther(partition, memberId))
    assigned.set(
      memberId,
      [...given, ...added].sort((left, right) => left - right),
    )
  }
  return assigned
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}

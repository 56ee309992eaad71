import { expect, test } from 'vitest'
import { TimeRow } from '../../src/operators/timeRow.ts'
import { Random } from '../../src/testing/random.ts'

interface One {
  readonly at: number
  readonly n: number
}

test.each([1, 2, 3, 4, 5, 6])('what is by time is what a sorted list has, in blocks or not (seed %i)', (seed) => {
  const random = new Random(seed)
  const upTo = (most: number) => random.int(0, most)
  // Mostly in order, or anywhere; of many times or of few.
  const [spread, times] = [1 + upTo(4_000), 20 + upTo(20_000)]
  const row = new TimeRow<One>()
  let list: One[] = []
  let most = 0
  for (let n = 0; n < 4_000; n += 1) {
    const one = { at: Math.floor(((n + upTo(spread)) * times) / 4_000), n }
    row.add(one)
    list.push(one)
    list.sort((a, b) => a.at - b.at || a.n - b.n)
    for (let gone = upTo(20) === 0 ? upTo(25) : 0; gone > 0; gone -= 1) {
      row.shift()
      list = list.slice(1)
    }
    most = Math.max(most, list.length)
    expect([row.first, row.second]).toEqual([list[0], list[1]])
    if (n % 20 !== 0) continue
    const [from, to] = [upTo(times + 1) - 1, upTo(times + 1) - 1]
    expect(row.lastUntil(from)).toBe(list.findLast(({ at }) => at <= from))
    expect(row.between(from, to)).toEqual(list.filter(({ at }) => at >= from && at <= to))
  }
  expect(most).toBeGreaterThan(1_000)
  while (list.length > 0) {
    expect(row.first).toBe(list[0])
    row.shift()
    list = list.slice(1)
  }
  expect([row.first, row.second, row.lastUntil(times)]).toEqual([undefined, undefined, undefined])
})

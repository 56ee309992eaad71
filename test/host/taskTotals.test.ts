import { expect, test } from 'vitest'
import { outletCounts } from '../../src/host/outletCounts.ts'
import { ownersOf, TaskTotals } from '../../src/host/taskTotals.ts'
import { newTaskStatus, type TaskStatus } from '../../src/runtime/task/taskStatus.ts'

const task = (partition: number, firstGeneration: number, more: Partial<TaskStatus>): TaskStatus => ({
  ...newTaskStatus(partition),
  firstGeneration,
  generation: firstGeneration,
  ...more,
})
const operator = (valuesIn: number, valuesOut: number) => ({
  ...{ name: 'constructor', valuesIn, valuesOut, keyCount: 0, openUntil: null, heldBy: null },
})

test('what a worker did that is no more still counts, while nobody has its partition and afterwards', () => {
  const totals = new TaskTotals()
  const first = [
    task(0, 1, { records: 50, deadLetters: 2, outlets: { a: 7 }, operators: [operator(50, 7)] }),
    task(1, 1, { records: 5, outlets: { a: 1 } }),
  ]
  expect(totals.over(first)).toMatchObject({ records: 55, deadLetters: 2 })
  // The other worker lives, and nobody has claimed partition 0 yet.
  expect(totals.over(first.slice(1))).toMatchObject({ records: 55, deadLetters: 2 })
  const next = task(0, 2, { records: 60, outlets: { a: 1, b: 2 }, operators: [operator(60, 3)] })
  for (let asked = 0; asked < 3; asked++) {
    const { records, outlets, operators } = totals.over([next, ...first.slice(1)])
    expect(records).toBe(115)
    expect([...outlets]).toEqual([
      ['a', 9],
      ['b', 2],
    ])
    expect([...operators]).toEqual([['constructor', { valuesIn: 110, valuesOut: 10 }]])
  }
})

test('an owner that is replaced counts to its last word, also if that comes late; one that claims again is the same', () => {
  const totals = new TaskTotals()
  totals.over([task(0, 1, { records: 10 })])
  totals.over([task(0, 1, { records: 10 }), task(0, 2, { records: 1 })])
  expect(totals.over([task(0, 1, { records: 14 }), task(0, 2, { records: 2 })]).records).toBe(16)
  expect(totals.over([task(0, 2, { records: 3, generation: 5 })]).records).toBe(17)
})

test('the newer generation owns where two workers claim a partition', () => {
  const listed = ownersOf([task(1, 4, {}), task(0, 1, {}), task(1, 3, {})])
  expect(listed.map(({ partition, generation }) => [partition, generation])).toEqual([
    [0, 1],
    [1, 4],
  ])
})

test('an outlet has what its tasks committed, ever since the start, and what they have to send now', () => {
  const totals = new TaskTotals()
  const ends = [
    { outlet: 'pager', kind: 'messages', to: 'https://pager' },
    { outlet: 'paid', kind: 'rows', to: 'paid' },
  ] as const
  const sending = (waiting: number, refused: number) => [
    { name: 'pager', committed: 100, waiting, refused, waitingFor: null },
  ]
  totals.over([task(0, 1, { outlets: { pager: 4 } })])
  const tasks = [
    task(0, 2, { outlets: { pager: 2 }, sending: sending(3, 1) }),
    task(1, 2, { outlets: { paid: 9 }, sending: sending(4, 0) }),
  ]
  expect(outletCounts(ends, totals.over(tasks), tasks)).toEqual([
    { ...ends[0], count: 6, waiting: 7, refused: 1 },
    { ...ends[1], count: 9, waiting: 0, refused: 0 },
  ])
})

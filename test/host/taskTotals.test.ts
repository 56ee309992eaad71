import { expect, test } from 'vitest'
import { TaskTotals } from '../../src/host/taskTotals.ts'
import { newTaskStatus, type TaskStatus } from '../../src/runtime/taskStatus.ts'

const task = (partition: number, more: Partial<TaskStatus>): TaskStatus => ({ ...newTaskStatus(partition), ...more })

test('counts go on where the last owner of a partition left off', () => {
  const totals = new TaskTotals()
  totals.over([task(0, { generation: 1, records: 50, commits: 5, deadLetters: 2, outlets: { a: 7 } })])
  expect(totals.over([])).toEqual([])
  const [next] = totals.over([task(0, { generation: 2, records: 10, commits: 1, outlets: { a: 1, b: 2 } })])
  expect(next).toMatchObject({ records: 60, commits: 6, deadLetters: 2, outlets: { a: 8, b: 2 } })
  const [later] = totals.over([task(0, { generation: 2, records: 30, commits: 3 })])
  expect(later).toMatchObject({ records: 80, commits: 8 })
})

test('the newer generation counts where two workers claim a partition', () => {
  const listed = new TaskTotals().over([
    task(1, { generation: 4, commits: 1 }),
    task(0, { generation: 1, commits: 1 }),
    task(1, { generation: 3, commits: 1 }),
  ])
  expect(listed.map(({ partition, generation }) => [partition, generation])).toEqual([
    [0, 1],
    [1, 4],
  ])
})

import { expect, test } from 'vitest'
import { costOf } from '../../bench/kafka/cost.ts'

/** Half a core, seen each 50 ms, with a checkpoint each 10 ms. */
const cpu = Array.from({ length: 41 }, (_, i) => ({ at: i * 50, seconds: i * 0.025 }))
const committed = Array.from({ length: 200 }, (_, i) => ({ partition: 0, until: i, at: i * 10 }))

test('what a worker takes is told of the measured time alone, and by checkpoints', () => {
  const { share, checkpoints, usACheckpoint } = costOf(cpu, committed, { from: 500, until: 1_501 })
  expect(share).toBeCloseTo(0.5)
  expect(checkpoints).toBe(100)
  expect(usACheckpoint).toBeCloseTo(5_000)
})

test('a time in which the worker has told it once says nothing', () => {
  expect(() => costOf(cpu, committed, { from: 500, until: 520 })).toThrow('told 1 times')
})

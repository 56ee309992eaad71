import { expect, test } from 'vitest'
import type { StreamTask } from '../../../src/runtime/task/streamTask.ts'
import { OperatorTally } from '../../../src/runtime/worker/operatorTally.ts'

const operator = (valuesIn: number, keyCount = 0, openUntil: number | null = null) => ({
  ...{ name: 'w', valuesIn, valuesOut: valuesIn * 2, keyCount, openUntil, heldBy: null },
})
const holding = (...operators: readonly ReturnType<typeof operator>[]) =>
  ({ operatorStatus: () => [...operators] }) as unknown as StreamTask

test('values count once they are committed, on top of the life before, and what is held is as it was last looked at', () => {
  const tally = new OperatorTally([operator(100, 9, 5_000), { ...operator(7), name: 'gone' }])
  expect(tally.status()).toEqual([])
  tally.look(holding(operator(30, 3, 8_000)))
  expect(tally.status()).toEqual([operator(100, 3, 8_000)])
  tally.committed([operator(20)])
  tally.look(holding(operator(45, 4)))
  expect(tally.status()).toEqual([operator(120, 4)])
  tally.committed([operator(45)])
  expect(tally.status()).toEqual([operator(145, 4)])
})

import { expect, it } from 'vitest'
import { runLaw } from '../../scripts/simulation/laws/runLaw.ts'

const laws = 1_500

it('operators do what their definitions say, cut and crashed, in plain RxJS and in another order, and keep what these allow', () => {
  const bad: string[] = []
  const operators = new Set<string>()
  for (let seed = 1; seed <= laws; seed += 1) {
    const { operator, differences } = runLaw(seed)
    operators.add(operator)
    if (differences.length > 0) bad.push(`seed ${seed}`, ...differences)
  }
  expect(bad.slice(0, 20)).toEqual([])
  expect(operators.size).toBe(12)
})

import { expect, it } from 'vitest'
import type { LookupAnswer } from '../../src/runtime/answers.ts'
import { TakenOrder } from '../../src/runtime/takenOrder.ts'

const answerAt = (offset: number, answer: string): LookupAnswer => ({
  ...{ operator: 'tier', key: 'ada', input: 0, ordinal: 0, at: null, isFailure: false },
  offset,
  answer,
})

it('what an attempt was told holds for all that repeat it, also where one between has not come so far', () => {
  const first = new TakenOrder()
  for (const offset of [1, 2, 3]) first.answered(answerAt(offset, `told ${offset}`))
  const second = new TakenOrder()
  second.repeats(first)
  second.answered(answerAt(1, 'told 1'))
  const third = new TakenOrder()
  third.repeats(second)
  expect(third.answers).toEqual(first.answers)
})

it('what was told before is let go of once what was failed on is committed', () => {
  const first = new TakenOrder()
  first.answered(answerAt(1, 'told'))
  const second = new TakenOrder()
  second.repeats(first)
  second.repeatsNoMore()
  expect(second.answers).toEqual([])
})

it('what an attempt was told anew takes the place of what one before was told', () => {
  const first = new TakenOrder()
  first.answered(answerAt(1, 'old'))
  const second = new TakenOrder()
  second.repeats(first)
  second.answered(answerAt(1, 'new'))
  expect(second.answers).toEqual([answerAt(1, 'new')])
})

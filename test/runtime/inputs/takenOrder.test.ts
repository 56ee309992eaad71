import { expect, it } from 'vitest'
import { TakenOrder } from '../../../src/runtime/inputs/takenOrder.ts'
import type { LookupAnswer } from '../../../src/runtime/store/answers.ts'

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

it('deeds are told in their order: records of one input in a row as one, and what was forgotten no more', () => {
  const order = new TakenOrder()
  const step = { kind: 'step', watermark: 7, clock: undefined } as const
  for (const [input, until] of [
    [0, 1],
    [0, 2],
    [1, 9],
  ] as const)
    order.took(input, until)
  order.did(step)
  order.took(1, 10)
  const mark = order.mark()
  order.took(1, 11)
  order.did({ kind: 'end' })
  order.did(step)
  order.took(0, 3)
  const later = [
    { kind: 'records', input: 1, until: 11 },
    { kind: 'end' },
    step,
    { kind: 'records', input: 0, until: 3 },
  ]
  expect(order.deeds).toEqual([
    { kind: 'records', input: 0, until: 2 },
    { kind: 'records', input: 1, until: 9 },
    step,
    { kind: 'records', input: 1, until: 10 },
    ...later,
  ])
  order.forget(mark)
  order.took(0, 4)
  expect(order.deeds).toEqual([...later.slice(0, 3), { kind: 'records', input: 0, until: 4 }])
  order.forget(order.mark())
  expect(order.deeds).toEqual([])
  order.did(step)
  expect(order.deeds).toEqual([step])
})

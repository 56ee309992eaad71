import { describe, expect, it } from 'vitest'
import { eventTime } from '../../src/operators/eventTime.ts'
import { upstreamTime } from '../../src/operators/upstreamTime.ts'
import { ChainTask, savedFrom } from '../support/tasks.ts'
import { type Case, type Element, operatorOf } from './cases/operators.ts'

const furthest = 8_640_000_000_000_000
const everyOperator: readonly (readonly [operator: string, options: object])[] = [
  ['tumblingWindow', { sizeMs: 7 }],
  ['hoppingWindow', { sizeMs: 10, hopMs: 1 }],
  ['sessionWindow', { gapMs: 3 }],
  ['sessionWindow', { gapMs: 3, maxMs: 10 }],
  ['countWindow', { size: 1 }],
  ['intervalJoin', { fromMs: -5, toMs: 5, how: 'outer' }],
  ['asOfJoin', { keepMs: 5 }],
  ['sequence', { steps: ['a', 'b'], withinMs: 5 }],
  ['inOrder', {}],
]
const chainOf = (operator: string, options: object) =>
  operatorOf({ id: '', operator, options: options as Case['options'], events: [], rows: [], late: [] })

/** One at the time, of either stream where there are two. */
const at = (operator: string, time: number): Element[] =>
  operator.endsWith('Join')
    ? [
        ['L', time, 'k', 'a'],
        ['R', time, 'k', 'b'],
      ]
    : [
        ['T', time, 'k', 'a'],
        ['T', time, 'k', 'b'],
      ]

describe.each(everyOperator)('%s %j', (operator, options) => {
  it.each([furthest, -furthest])('takes the furthest date, %s, and is restored with it', (time) => {
    const chain = chainOf(operator, options)
    const whole = new ChainTask<Element>(chain).push(...at(operator, time))
    whole.task.closeOpen()
    expect(whole.out).not.toEqual([])
    const first = new ChainTask<Element>(chain).push(...at(operator, time))
    const second = new ChainTask<Element>(chain, savedFrom(first.cut()))
    second.task.closeOpen()
    expect([...first.out, ...second.out]).toEqual(whole.out)
  })

  it.each([furthest + 1, -furthest - 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 1_723_075_200_000_000_000])(
    'sets aside what has the time %s, which is no date, and goes on',
    (time) => {
      const task = new ChainTask<Element>(chainOf(operator, options)).push(...at(operator, time), ...at(operator, 5))
      const { deadLetters } = task.cut()
      expect(deadLetters.map(({ reason }) => reason)).toEqual(['no-event-time', 'no-event-time'])
      expect(deadLetters[0]?.detail).toContain(`its event time is ${time}, which is no date`)
      task.task.closeOpen()
      expect(task.out).not.toEqual([])
    },
  )
})

it.each([
  ['eventTime', eventTime<number>({ of: (time) => time, maxOutOfOrdernessMs: 0 })],
  ['upstreamTime', upstreamTime<number>({ of: (time) => time })],
])('%s sets aside what is no date, and passes on what is', (_name, operator) => {
  const task = new ChainTask<number>(operator).push(Number.MAX_SAFE_INTEGER, -furthest, furthest)
  expect(task.out).toEqual([-furthest, furthest])
  expect(task.cut().deadLetters.map(({ reason }) => reason)).toEqual(['no-event-time'])
})

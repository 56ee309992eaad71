import { filter, type Observable, type OperatorFunction, pipe, share } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { aggregateWindow } from '../../src/operators/aggregateWindow.ts'
import { asOfJoin } from '../../src/operators/asOfJoin.ts'
import { countWindow } from '../../src/operators/countWindow.ts'
import { eventTime } from '../../src/operators/eventTime.ts'
import { inOrder } from '../../src/operators/inOrder.ts'
import { intervalJoin } from '../../src/operators/intervalJoin.ts'
import { tumblingWindow } from '../../src/operators/tumblingWindow.ts'
import { ChainTask } from '../support/tasks.ts'

interface Value {
  readonly at: number
  readonly side: 'left' | 'right'
}

interface Counted {
  readonly start: number
  readonly count: number
}

const by = () => 'k'
const left = (at: number): Value => ({ at, side: 'left' })
const right = (at: number): Value => ({ at, side: 'right' })

/** Left values counted by tens, with corrections, above the chain; one comes late for the first ten. */
function corrected(chain: (tens: Observable<Counted>, rights: Observable<Value>) => Observable<unknown>) {
  const task = new ChainTask<Value>((values) => {
    const shared = values.pipe(eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 0 }), share())
    const tens = shared.pipe(
      filter(({ side }) => side === 'left'),
      tumblingWindow({ name: 'tens', sizeMs: 10, allowedLatenessMs: 1_000, by }),
      aggregateWindow<Value, number, Counted>({
        name: 'count',
        initial: () => 0,
        add: (count) => count + 1,
        result: (count, { start }) => ({ start, count }),
      }),
    )
    return chain(tens, shared.pipe(filter(({ side }) => side === 'right')))
  }).push(right(1), left(2), left(30), left(3), right(100))
  return { out: task.out, late: task.cut().deadLetters.map(({ reason, operator }) => `${reason} ${operator}`) }
}

const sums = (allowedLatenessMs: number): OperatorFunction<Counted, number> =>
  pipe(
    tumblingWindow<Counted>({ name: 'twenties', sizeMs: 20, allowedLatenessMs, by }),
    aggregateWindow({ name: 'sum', initial: () => 0, add: (sum, { count }) => sum + count, result: (sum) => sum }),
  )
const joined = { by: { left: by, right: by }, with: ({ start, count }: Counted) => `${start}: ${count}` }

describe('a correction', () => {
  it('is one more value of a window below that allows as much lateness, and late for one that does not', () => {
    expect(corrected((tens) => tens.pipe(sums(1_000)))).toEqual({ out: [1, 3, 1], late: [] })
    expect(corrected((tens) => tens.pipe(sums(0)))).toEqual({ out: [1, 1], late: ['late twenties'] })
  })

  it('is late where an answer has been told that nothing takes back', () => {
    const paired = corrected((tens, rights) =>
      tens.pipe(intervalJoin(rights, { name: 'below', fromMs: -10, toMs: 0, ...joined })),
    )
    expect(paired).toEqual({ out: ['0: 1'], late: ['late below'] })
    const found = corrected((tens, rights) => tens.pipe(asOfJoin(rights, { name: 'below', keepMs: 1_000, ...joined })))
    expect(found).toEqual({ out: ['0: 1', '30: 1'], late: ['late below'] })
    expect(corrected((tens) => tens.pipe(inOrder({ name: 'below' })))).toMatchObject({ late: ['late below'] })
    expect(corrected((tens) => tens.pipe(countWindow({ name: 'below', size: 1, by })))).toMatchObject({
      late: ['late below'],
    })
  })
})

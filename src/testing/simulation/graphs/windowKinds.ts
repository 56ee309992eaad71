import { filter, map, type Observable, type OperatorFunction, pipe, share } from 'rxjs'
import { aggregateWindow } from '../../../operators/aggregateWindow.ts'
import { asOfJoin } from '../../../operators/asOfJoin.ts'
import { countWindow } from '../../../operators/countWindow.ts'
import { hoppingWindow } from '../../../operators/hoppingWindow.ts'
import { inOrder } from '../../../operators/inOrder.ts'
import { intervalJoin, type OuterIntervalJoin } from '../../../operators/intervalJoin.ts'
import { sessionWindow } from '../../../operators/sessionWindow.ts'
import type { Window, WindowElement } from '../../../operators/window.ts'
import type { OperatorSpec } from '../../../runtime/operator/operator.ts'
import { Withdrawn } from '../../../runtime/withdrawn.ts'
import { type Item, residueOf, throwOn } from './item.ts'
import { foldOf, type Step } from './plan.ts'

/** Steps of other windows than tumbling ones, of joins in time and of order. */
export type TimedStep = Extract<Step, { readonly kind: 'hops' | 'session' | 'lots' | 'join' | 'asOf' | 'inOrder' }>

type OnReject = OperatorSpec['onReject']

/** The operators of a drawn step. */
export function timedOperator(step: TimedStep, onReject: OnReject): OperatorFunction<Item, Item> {
  const { kind, name } = step
  const by = ({ key }: Item) => key
  switch (kind) {
    case 'hops': {
      const { sizeMs, hopMs, allowedLatenessMs } = step
      const windows = hoppingWindow<Item>({ name, sizeMs, hopMs, allowedLatenessMs, by, onReject })
      return pipe(
        windows,
        summed(name, null, ({ start }) => start / hopMs, onReject),
      )
    }
    case 'session': {
      const { gapMs, maxMs, allowedLatenessMs = 0, throwsOn } = step
      const bound = maxMs === null ? { allowedLatenessMs } : { maxMs }
      const windows = sessionWindow<Item>({ name, gapMs, ...bound, by, onReject })
      return pipe(
        windows,
        summed(name, throwsOn, ({ start }) => start, onReject),
      )
    }
    case 'lots': {
      const { size, maxWaitMs } = step
      const windows = countWindow<Item>({ name, size, maxWaitMs, by, onReject })
      return pipe(
        windows,
        summed(name, null, ({ id }) => Number(id.slice(id.indexOf('#') + 1)), onReject),
      )
    }
    case 'inOrder':
      return inOrder({ name, onReject })
    case 'join': {
      const { fromMs, toMs, how, throwsOn } = step
      const joining = { name, by: bothBy(throwsOn), fromMs, toMs, how, with: pairOf, onReject }
      return joined((right) => intervalJoin(right, joining as OuterIntervalJoin<Item, Item, Item>))
    }
    case 'asOf': {
      const { keepMs, throwsOn } = step
      return joined((right) => asOfJoin(right, { name, by: bothBy(throwsOn), keepMs, with: pairOf, onReject }))
    }
  }
}

/** On which side of a join a value stands. */
export function isLeft(item: Item): boolean {
  return residueOf(item) % 2 === 0
}

/** What two values that were joined become, or one without the other. */
export function pairOf(left: Item | null, right: Item | null): Item {
  const { key, id, at } = (left ?? right) as Item
  return { key, id, at, n: ((left?.n ?? 7) * 3 + (right?.n ?? 5)) % 89, revision: 0, count: 1 }
}

/** What the values of a window come to. */
export interface Sum {
  readonly count: number
  readonly sum: number
}

export function summaryOf(
  { key, end }: Pick<Window, 'key' | 'end'>,
  { count, sum }: Sum,
  id: number,
  revision: number,
): Item {
  return { key, id, at: end - 1, n: sum % 89, revision, count }
}

function summed(
  window: string,
  throwsOn: number | null,
  idOf: (window: Window) => number,
  onReject: OnReject,
): OperatorFunction<WindowElement<Item>, Item> {
  const fold = aggregateWindow<Item, Sum, Item>({
    name: foldOf(window),
    initial: () => ({ count: 0, sum: 0 }),
    add: ({ count, sum }, item) => {
      throwOn(throwsOn, item)
      return { count: count + 1, sum: sum + item.n }
    },
    merge: (a, b) => ({ count: a.count + b.count, sum: a.sum + b.sum }),
    result: (sum, window, { revision }) => summaryOf(window, sum, idOf(window), revision),
    withdraws: true,
    onReject,
  })
  return pipe(
    fold,
    map((result) => (result instanceof Withdrawn ? ({ ...result.row, isGone: true } as const) : result)),
  )
}

function bothBy(throwsOn: number | null) {
  const by = (item: Item) => {
    throwOn(throwsOn, item)
    return item.key
  }
  return { left: by, right: by }
}

function joined(join: (right: Observable<Item>) => OperatorFunction<Item, Item>): OperatorFunction<Item, Item> {
  return (items) => {
    const shared = items.pipe(share())
    return shared.pipe(filter(isLeft), join(shared.pipe(filter((item) => !isLeft(item)))))
  }
}

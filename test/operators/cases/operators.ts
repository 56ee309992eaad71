import { filter, map, type Observable, type OperatorFunction, pipe, share } from 'rxjs'
import { aggregateWindow } from '../../../src/operators/aggregateWindow.ts'
import { asOfJoin } from '../../../src/operators/asOfJoin.ts'
import { countWindow } from '../../../src/operators/countWindow.ts'
import { enrich } from '../../../src/operators/enrich.ts'
import { hoppingWindow } from '../../../src/operators/hoppingWindow.ts'
import { inOrder } from '../../../src/operators/inOrder.ts'
import { intervalJoin, type OuterIntervalJoin } from '../../../src/operators/intervalJoin.ts'
import { sequence } from '../../../src/operators/sequence.ts'
import { sessionWindow } from '../../../src/operators/sessionWindow.ts'
import { topN } from '../../../src/operators/topN.ts'
import { toTable } from '../../../src/operators/toTable.ts'
import { tumblingWindow } from '../../../src/operators/tumblingWindow.ts'
import type { Window, WindowElement } from '../../../src/operators/window.ts'
import type { Json } from '../../../src/runtime/json.ts'
import type { OperatorSpec } from '../../../src/runtime/operator/operator.ts'
import { stateful } from '../../../src/runtime/operator/stateful.ts'
import { Withdrawn } from '../../../src/runtime/withdrawn.ts'

/** `[input, at, key, value]`, or that the watermark is `at` from here on. */
export type Event = readonly [input: 'T' | 'L' | 'R', at: number, key: string, value: Json]
export type Element = Event | readonly ['W', at: number]

/** See `cases.json`: what an operator makes of events. */
export interface Case {
  readonly id: string
  readonly operator: string
  readonly options: Readonly<Record<string, never>>
  readonly events: readonly Element[]
  readonly rows: readonly (readonly Json[])[]
  readonly late: readonly (readonly Json[])[]
  readonly isOrdered?: boolean
}

type OnReject = OperatorSpec['onReject']

/** Moves time as the events say. */
export const timeByHand = stateful<Element, Event>({ name: 'time', ownsTime: true }, (_restored, out) => ({
  onValue(element) {
    if (element[0] === 'W') out.advance(element[1])
    else out.pass(element[1], element, Number.NEGATIVE_INFINITY)
  },
  onComplete: () => out.close(),
}))

/** The operator of the case, from its events to its rows. */
export function operatorOf({ operator, options }: Case, onReject?: OnReject): OperatorFunction<Element, unknown> {
  const make = operators[operator]
  if (make === undefined) throw new Error(`no operator ${operator}`)
  return pipe(timeByHand, make(options, onReject))
}

const by = ([, , key]: Event) => key

const operators: Readonly<
  Record<string, (options: Case['options'], onReject: OnReject) => OperatorFunction<Event, unknown>>
> = {
  hoppingWindow: (options, onReject) =>
    pipe(hoppingWindow<Event>({ name: 'w', sizeMs: 0, hopMs: 0, ...options, by, onReject }), collected(timed)),
  tumblingWindow: (options, onReject) =>
    pipe(tumblingWindow<Event>({ name: 'w', sizeMs: 0, ...options, by, onReject }), collected(timed)),
  sessionWindow: (options, onReject) =>
    pipe(sessionWindow<Event>({ name: 'w', gapMs: 0, ...options, by, onReject }), collected(timed)),
  countWindow: (options, onReject) =>
    pipe(
      countWindow<Event>({ name: 'w', size: 0, ...options, by, onReject }),
      collected(({ key, id }) => [key, Number(id.slice(id.indexOf('#') + 1))]),
    ),
  intervalJoin: (options, onReject) =>
    joined((right) => {
      const join = { name: 'join', fromMs: 0, toMs: 0, ...options, by: { left: by, right: by }, with: pair, onReject }
      return intervalJoin(right, join as OuterIntervalJoin<Event, Event, readonly Json[]>)
    }),
  asOfJoin: (options, onReject) =>
    joined((right) =>
      asOfJoin(right, {
        name: 'join',
        keepMs: 1_000_000,
        ...options,
        by: { left: by, right: by },
        isEnd: ([, , , value]) => value === null,
        with: pair,
        onReject,
      }),
    ),
  inOrder: (options, onReject) =>
    pipe(
      inOrder<Event>({ ...options, onReject }),
      map(([, , key, value]): readonly Json[] => [key, value]),
      withTime,
    ),
  topN: ({ n = 1, sizeMs = 0 }, onReject) =>
    pipe(
      tumblingWindow<Event>({ name: 'w', sizeMs, by, onReject }),
      topN<Event, readonly Json[]>({
        n,
        of: ([, , , value]) => Number(value),
        tie: ([, at]) => String(at),
        result: (top, window) => [[...timed(window), top.map(([, , , value]) => value)]],
      }),
    ),
  enrich: (_options, onReject) => (events) => {
    const shared = events.pipe(share())
    const table = toTable(shared.pipe(filter(([input]) => input === 'R')), {
      ...{ name: 'table', by, maxKeys: 100, onReject },
      value: ([, , , value]) => value,
    })
    return shared.pipe(
      filter(([input]) => input === 'L'),
      enrich(table, { by, with: ([, , key, value], row): readonly Json[] => [key, value, row ?? null] }),
      withTime,
    )
  },
  sequence: (options, onReject) => {
    const { steps, not = [], withinMs } = options as unknown as SequenceCase
    return sequence<Event, string, Json>({
      name: 'sequence',
      by,
      steps: Object.fromEntries(steps.map((step, i) => [`s${i}`, startsWith(step)])),
      unless: (value, matched) =>
        not.some(({ after, is }) => Object.keys(matched).length === after && startsWith(is)(value)),
      withinMs,
      onMatch: (matched) => found(Object.values(matched), true),
      onTimeout: (matched) => found(Object.values(matched) as Event[], false),
      onReject,
    })
  },
}

interface SequenceCase {
  readonly steps: readonly string[]
  readonly not?: readonly { readonly after: number; readonly is: string }[]
  readonly withinMs: number
}

const startsWith =
  (letter: string) =>
  ([, , , value]: Event) =>
    String(value).startsWith(letter)

function found(values: readonly Event[], isComplete: boolean): Json {
  return [values[0]?.[2] ?? null, values.map(([, , , value]) => value), isComplete]
}

function pair(left: Event | null, right: Event | null): readonly Json[] {
  return [(left ?? right)?.[2] ?? null, left?.[3] ?? null, right?.[3] ?? null]
}

/** Puts its event time behind each row. */
const withTime = stateful<readonly Json[], Json>({ name: 'stamp' }, (_restored, out) => ({
  onValue: (row) => out.emit([...row, out.valueTime()]),
}))

const timed = ({ key, start, end }: Window): Json[] => [key, start, end]

/** What takes a row back, as it may stand among rows. */
export interface Gone {
  readonly gone: Json
}

/** The values of each window, in the order of their texts: which came first is not what the cases are about. */
function collected(place: (window: Window) => Json[]): OperatorFunction<WindowElement<Event>, Json | Gone> {
  const fold = aggregateWindow<Event, readonly Json[], Json>({
    initial: () => [],
    add: (values, [, , , value]) => [...values, value],
    merge: (earlier, later) => [...earlier, ...later],
    result: (values, window) => [...place(window), [...values].sort(byText)],
    withdraws: true,
  })
  return pipe(
    fold,
    map((row) => (row instanceof Withdrawn ? { gone: row.row } : row)),
  )
}

export function byText(a: Json, b: Json): number {
  const [left, right] = [JSON.stringify(a), JSON.stringify(b)]
  return left < right ? -1 : left > right ? 1 : 0
}

function joined(
  join: (right: Observable<Event>) => OperatorFunction<Event, readonly Json[]>,
): OperatorFunction<Event, unknown> {
  return (events) => {
    const shared = events.pipe(share())
    const right = shared.pipe(filter(([input]) => input === 'R'))
    return shared.pipe(
      filter(([input]) => input === 'L'),
      join(right),
      withTime,
    )
  }
}

import { EMPTY, filter, merge, mergeMap, type Observable, type OperatorFunction, share } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { aggregateWindow } from '../../src/operators/aggregateWindow.ts'
import { asOfJoin } from '../../src/operators/asOfJoin.ts'
import { countWindow } from '../../src/operators/countWindow.ts'
import { eventTime } from '../../src/operators/eventTime.ts'
import { hoppingWindow } from '../../src/operators/hoppingWindow.ts'
import { inOrder } from '../../src/operators/inOrder.ts'
import { intervalJoin } from '../../src/operators/intervalJoin.ts'
import { keyed } from '../../src/operators/keyed.ts'
import { sequence } from '../../src/operators/sequence.ts'
import { sessionWindow } from '../../src/operators/sessionWindow.ts'
import { topN } from '../../src/operators/topN.ts'
import type { WindowElement } from '../../src/operators/window.ts'
import { ConfigurationError, OperatorError } from '../../src/runtime/errors.ts'
import type { TaskCut } from '../../src/runtime/task/taskCut.ts'
import { ChainTask, savedFrom } from '../support/tasks.ts'

interface Event {
  readonly key: string
  readonly at: number
  readonly n: number
}

const at = (time: number, n = 0, key = 'k'): Event => ({ key, at: time, n })
const by = ({ key }: Event) => key
const timed = (boundMs = 0) => eventTime<Event>({ of: (event) => event.at, maxOutOfOrdernessMs: boundMs })

const counted = (options: { readonly provisionalEveryMs?: number } = {}) =>
  aggregateWindow<Event, number, string>({
    initial: () => 0,
    add: (count) => count + 1,
    merge: (a, b) => a + b,
    result: (count, { start, end }, { isClosed }) => `[${start} ${end}) ${count}${isClosed ? '' : '?'}`,
    ...options,
  })

const chain =
  (...steps: readonly OperatorFunction<never, unknown>[]) =>
  (events: Observable<Event>): Observable<unknown> =>
    steps.reduce(
      (stream, step) => stream.pipe(step as OperatorFunction<unknown, unknown>),
      events as Observable<unknown>,
    )

/** The letters of all that was pushed, each as its reason and the record's n. */
function lettersOf(run: ChainTask<Event>): string[] {
  return run.cut().deadLetters.map(({ reason, payload, operator }) => {
    return `${operator} ${reason} ${(JSON.parse(String(payload)) as Event).n}`
  })
}

describe('options out of range are refused', () => {
  const step = () => true
  const joined = { name: 'j', by: { left: by, right: by }, with: () => 1 } as const
  const other: Observable<Event> = EMPTY
  it.each<readonly [string, () => unknown]>([
    ['sizeMs', () => hoppingWindow({ name: 'w', sizeMs: 0, hopMs: 1, by })],
    ['hopMs', () => hoppingWindow({ name: 'w', sizeMs: 5, hopMs: 0, by })],
    ['hopMs must be at most sizeMs', () => hoppingWindow({ name: 'w', sizeMs: 5, hopMs: 6, by })],
    ['sizeMs', () => hoppingWindow({ name: 'w', sizeMs: 1.5, hopMs: 1, by })],
    ['86400 panes of 1000 ms', () => hoppingWindow({ name: 'w', sizeMs: '1d', hopMs: '7s', by })],
    ['allowedLatenessMs', () => hoppingWindow({ name: 'w', sizeMs: 5, hopMs: 1, allowedLatenessMs: -1, by })],
    ['gapMs', () => sessionWindow({ name: 'w', gapMs: 0, by })],
    ['gapMs', () => sessionWindow({ name: 'w', gapMs: Number.NaN, by })],
    ['maxMs must be at least gapMs', () => sessionWindow({ name: 'w', gapMs: 5, maxMs: 4, by })],
    ['size', () => countWindow({ name: 'w', size: 0, by })],
    ['maxWaitMs', () => countWindow({ name: 'w', size: 1, maxWaitMs: 0, by })],
    ['fromMs must be at most toMs', () => intervalJoin(other, { ...joined, fromMs: 2, toMs: 1 })],
    ['toMs', () => intervalJoin(other, { ...joined, fromMs: 0, toMs: 1.5 })],
    ['how', () => intervalJoin(other, { ...joined, fromMs: 0, toMs: 1, how: 'right' as 'inner' })],
    ['keepMs', () => asOfJoin(other, { ...joined, keepMs: -1 })],
    ['withinMs', () => sequence({ name: 's', by, steps: { a: step, b: step }, withinMs: -1, onMatch: () => 1 })],
    ['two steps', () => sequence({ name: 's', by, steps: { a: step }, withinMs: 1, onMatch: () => 1 })],
    ['a number', () => sequence({ name: 's', by, steps: { 1: step, 0: step }, withinMs: 1, onMatch: () => 1 })],
    ['n', () => topN({ n: 0, of: () => 1, tie: () => '', result: () => [] })],
    ['maxKeys', () => keyed({ name: 'k', by, initial: () => 0, onValue: () => ({ keep: 0 }), maxKeys: 0 })],
  ])('%s', (text, make) => {
    expect(make).toThrow(ConfigurationError)
    expect(make).toThrow(text)
  })
})

describe('a fold without merge', () => {
  const sum = aggregateWindow<Event, number, number>({ initial: () => 0, add: (a) => a + 1, result: (a) => a })
  const overlapping = hoppingWindow<Event>({ name: 'w', sizeMs: 10, hopMs: 5, by })
  const sessions = sessionWindow<Event>({ name: 'w', gapMs: 10, by })
  it('is refused below windows that share values or become one, when it is built', () => {
    expect(() => EMPTY.pipe(overlapping, sum)).toThrow(ConfigurationError)
    expect(() => EMPTY.pipe(sessions, sum)).toThrow(/^aggregateWindow: .* give it merge/)
    const between = filter<WindowElement<Event>>(({ window }) => window.key !== '')
    expect(() => EMPTY.pipe(sessions, between, share(), sum)).toThrow(/give it merge/)
    expect(() => new ChainTask<Event>(chain(timed(), overlapping, sum))).toThrow(/give it merge/)
  })

  it('is refused at the first value where what stands above it cannot be seen', () => {
    const below = (windows: Observable<WindowElement<Event>>) => merge(windows, EMPTY).pipe(sum)
    const run = new ChainTask<Event>((values) => below(values.pipe(timed(), sessions)))
    expect(() => run.push(at(1))).toThrow(/give it merge/)
  })
})

describe('a merge that throws', () => {
  it('ends the task where sessions become one, instead of letting go of what was counted', () => {
    const sum = aggregateWindow<Event, number, number>({
      ...{ name: 'sum', initial: () => 0, add: (a) => a + 1, result: (a) => a },
      merge: () => {
        throw new Error('not these')
      },
    })
    const run = new ChainTask<Event>(chain(timed(30), sessionWindow<Event>({ name: 'w', gapMs: 10, by }), sum))
    run.push(at(1), at(15))
    expect(() => run.push(at(8))).toThrow(
      /^sum: merge threw where sessions of k have become one, \[1, 25\): Error: not these/,
    )
    expect(() => run.push(at(9))).toThrow()
  })
})

describe('results of open windows', () => {
  it('of windows that overlap come at a cut, each made of its panes, and not again before something changes', () => {
    const windows = hoppingWindow<Event>({ name: 'w', sizeMs: 10, hopMs: 5, by })
    const run = new ChainTask<Event>(chain(timed(), windows, counted({ provisionalEveryMs: 0 }))).push(at(3), at(7))
    run.cut(1)
    expect(run.out).toEqual(['[-5 5) 1', '[0 10) 2?', '[5 15) 1?'])
    run.cut(2)
    expect(run.out).toHaveLength(3)
    run.push(at(11))
    run.cut(3)
    expect(run.out.slice(3)).toEqual(['[0 10) 2', '[5 15) 2?', '[10 20) 1?'])
  })

  it('of sessions show what they have become', () => {
    const windows = sessionWindow<Event>({ name: 'w', gapMs: 10, by })
    const run = new ChainTask<Event>(chain(timed(30), windows, counted({ provisionalEveryMs: 0 }))).push(at(1), at(15))
    run.cut(1)
    expect(run.out).toEqual(['[1 11) 1?', '[15 25) 1?'])
    run.push(at(8))
    run.cut(2)
    expect(run.out.slice(2)).toEqual(['[1 25) 3?'])
  })
})

describe('windows that overlap', () => {
  const overlapping = (allowedLatenessMs: number) =>
    chain(timed(), hoppingWindow<Event>({ name: 'w', sizeMs: 10, hopMs: 5, allowedLatenessMs, by }), counted())

  it('take nothing more, and are let go of, where less lateness is allowed than before the start', () => {
    const before = new ChainTask<Event>(overlapping(100)).push(at(1), at(40))
    expect(before.out).toEqual(['[-5 5) 1', '[0 10) 1'])
    const after = new ChainTask<Event>(overlapping(0), savedFrom(before.cut())).push(at(2, 7))
    expect(lettersOf(after)).toEqual(['w late 7'])
    after.push(at(200))
    expect(after.out).toEqual(['[35 45) 1', '[40 50) 1'])
    expect(after.task.operatorStatus().map(({ keyCount }) => keyCount)).toEqual([0, 0, 1, 1])
  })
})

describe('a value that was held back', () => {
  const failing = aggregateWindow<Event, number, number>({
    initial: () => 0,
    add: (sum, { n }) => {
      if (n === 7) throw new Error('not 7')
      return sum + n
    },
    result: (sum) => sum,
  })

  it('is set aside with its own record where something below cannot take it, and the others are taken', () => {
    const windows = countWindow<Event>({ name: 'w', size: 2, by })
    const run = new ChainTask<Event>(chain(timed(), inOrder<Event>(), windows, failing)).push(
      at(1, 5),
      at(2, 7),
      at(3, 6),
      at(9, 1),
    )
    expect(lettersOf(run)).toEqual(['aggregateWindow failed 7'])
    expect(run.out).toEqual([5])
  })

  it('is set aside with its own record where a callback fails on it', () => {
    const steps = {
      a: ({ n }: Event) => {
        if (n === 7) throw new Error('not 7')
        return n === 1
      },
      b: ({ n }: Event) => n === 2,
    }
    const found = sequence<Event, 'a' | 'b', string>({
      ...{ name: 's', by, steps, withinMs: 100 },
      onMatch: ({ a, b }) => `${a.at} ${b.at}`,
    })
    const run = new ChainTask<Event>(chain(timed(), found)).push(at(1, 7), at(2, 1), at(3, 2), at(9))
    expect(lettersOf(run)).toEqual(['s failed 7'])
    expect(run.out).toEqual(['2 3'])
  })

  it('is saved again when another value of its record is set aside, so that a restart numbers no letter anew', () => {
    const twice = (events: Observable<Event>) =>
      events.pipe(
        mergeMap((event) => [event, { ...event, at: event.at + 50 }]),
        timed(100),
        inOrder<Event>(),
        keyed<Event, number, never>({
          ...{ name: 'c', by, initial: () => 0 },
          onValue: () => {
            throw new Error('none')
          },
        }),
      )
    const numbersIn = ({ deadLetters }: TaskCut) => deadLetters.map(({ offset, ordinal }) => `${offset}/${ordinal}`)
    const before = new ChainTask<Event>(twice).push(at(1))
    const cuts = [before.cut()]
    cuts.push(before.push(at(100)).cut())
    expect(cuts.flatMap(numbersIn)).toEqual(['0/0'])
    const after = new ChainTask<Event>(twice, savedFrom(...cuts)).push(at(140))
    expect(numbersIn(after.cut())).toEqual(['0/1'])
  })

  it('is late at the watermark, and has no time where that is no whole number', () => {
    const run = new ChainTask<Event>(chain(timed(), inOrder<Event>({ of: ({ n }) => n }))).push(
      at(10, 10),
      at(11, 9),
      at(12, 1.5),
    )
    expect(lettersOf(run)).toEqual(['inOrder late 9', 'inOrder no-event-time 1.5'])
  })
})

describe('a join', () => {
  const join = (with_: (left: Event, right: Event) => string | null) => (events: Observable<Event>) => {
    const all = events.pipe(timed(5), share())
    const right = all.pipe(filter(({ n }) => n % 2 === 1))
    return all.pipe(
      filter(({ n }) => n % 2 === 0),
      intervalJoin(right, { name: 'j', by: { left: by, right: by }, fromMs: 0, toMs: 10, with: with_ }),
    )
  }

  it('gives nothing where a result is null', () => {
    const run = new ChainTask<Event>(join((left, right) => (right.n === 3 ? null : `${left.n} ${right.n}`)))
    expect(run.push(at(1, 2), at(2, 3), at(3, 5)).out).toEqual(['2 5'])
  })

  it('treats a value on which the callback throws as if it had not come', () => {
    const run = new ChainTask<Event>(
      join((left, right) => {
        if (left.n === 4 && right.n === 3) throw new Error('not these')
        return `${left.n} ${right.n}`
      }),
    ).push(at(1, 2), at(1, 4), at(2, 3), at(3, 5), at(2, 6))
    expect(run.out).toEqual(['2 5', '4 5', '6 5'])
    expect(lettersOf(run)).toEqual(['j failed 3'])
  })
})

describe('keyed', () => {
  const counter = (maxKeys: number) =>
    keyed<Event, number, string>({
      ...{ name: 'c', by, initial: () => 0, maxKeys },
      onValue: (count, { n }, { key }) => (n < 0 ? { keep: null } : { keep: count + 1, emit: [`${key} ${count + 1}`] }),
    })

  it('forgets a key that is not kept, and begins it anew', () => {
    const run = new ChainTask<Event>(chain(timed(), counter(10))).push(at(1), at(2), at(3, -1), at(4))
    expect(run.out).toEqual(['k 1', 'k 2', 'k 1'])
  })

  it('ends the task at one key more than it may hold', () => {
    const run = new ChainTask<Event>(chain(timed(), counter(2))).push(at(1, 0, 'a'), at(2, 0, 'b'), at(3, 0, 'a'))
    expect(() => run.push(at(4, 0, 'c'))).toThrow(/holds 2 keys, as many as maxKeys allows/)
  })

  it('ends the task where a timer sets the next one for no later time', () => {
    const endless = keyed<Event, number, never>({
      ...{ name: 'c', by, initial: () => 0 },
      onValue: () => ({ keep: 0, wakeAt: 5 }),
      onTimer: () => ({ keep: 0, wakeAt: 5 }),
    })
    const run = new ChainTask<Event>(chain(timed(), endless)).push(at(1))
    expect(() => run.push(at(9))).toThrow(OperatorError)
  })

  it('fires a timer that is set anew at its new time, and one that is taken back never', () => {
    const late = keyed<Event, number, string>({
      ...{ name: 'c', by, initial: () => 0 },
      onValue: (_, { n, at: time }) => ({ keep: n, wakeAt: n === 0 ? null : time + n }),
      onTimer: (n, { key, at: time }) => ({ keep: null, emit: [`${key} ${n} at ${time}`] }),
    })
    const events = [at(1, 5, 'a'), at(2, 9, 'a'), at(3, 3, 'b'), at(4, 0, 'b'), at(30)]
    expect(new ChainTask<Event>(chain(timed(), late)).push(...events).out).toEqual(['a 9 at 11'])
  })
})

describe('topN', () => {
  it('takes no rank that is no number', () => {
    const ranked = topN<Event, number>({
      n: 1,
      of: ({ n }) => (n === 7 ? Number.NaN : n),
      tie: by,
      result: (top) => top.map(({ n }) => n),
    })
    const windows = sessionWindow<Event>({ name: 'w', gapMs: 5, by }) as OperatorFunction<Event, WindowElement<Event>>
    const run = new ChainTask<Event>(chain(timed(), windows, ranked)).push(at(1, 7), at(2, 3), at(20, 1))
    expect(run.out).toEqual([3])
    expect(lettersOf(run)).toEqual(['topN failed 7'])
  })
})

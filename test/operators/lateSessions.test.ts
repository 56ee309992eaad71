import { filter, map, merge, type Observable, type OperatorFunction, Subject, share } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { aggregateWindow } from '../../src/operators/aggregateWindow.ts'
import { enrich } from '../../src/operators/enrich.ts'
import { eventTime } from '../../src/operators/eventTime.ts'
import { hoppingWindow } from '../../src/operators/hoppingWindow.ts'
import { inOrder } from '../../src/operators/inOrder.ts'
import { keyed } from '../../src/operators/keyed.ts'
import { mapAsync } from '../../src/operators/mapAsync.ts'
import { ohlcv } from '../../src/operators/ohlcv.ts'
import { sessionWindow } from '../../src/operators/sessionWindow.ts'
import { topN } from '../../src/operators/topN.ts'
import { toTable } from '../../src/operators/toTable.ts'
import { tumblingWindow } from '../../src/operators/tumblingWindow.ts'
import type { WindowElement } from '../../src/operators/window.ts'
import { ConfigurationError, OperatorError } from '../../src/runtime/errors.ts'
import { Withdrawn } from '../../src/runtime/withdrawn.ts'
import { ChainTask, savedFrom } from '../support/tasks.ts'

interface Event {
  readonly key: string
  readonly at: number
  readonly n: number
}

const at = (time: number, n = 0, key = 'k'): Event => ({ key, at: time, n })
/** Moves time and is in nobody's way. */
const until = (watermark: number) => at(watermark + 1, 0, 'clock')
const by = ({ key }: Event) => key
const timed = eventTime<Event>({ of: (event) => event.at, maxOutOfOrdernessMs: 0 })
const sessions = (allowedLatenessMs: number) => sessionWindow<Event>({ name: 'w', gapMs: 10, allowedLatenessMs, by })
const counting = {
  initial: () => 0,
  add: (count: number, _event: Event) => count + 1,
  merge: (a: number, b: number) => a + b,
}
const counted = aggregateWindow<Event, number, string>({
  ...counting,
  result: (count, { start, end }, { revision }) => `[${start} ${end}) ${count} rev ${revision}`,
  withdraws: true,
})

const late =
  (allowedLatenessMs: number) =>
  (events: Observable<Event>): Observable<unknown> =>
    events.pipe(
      timed,
      sessions(allowedLatenessMs),
      filter(({ window }) => window.key === 'k'),
      counted,
    )

/** Results as text, and what is taken back in brackets. */
const shown = (results: readonly unknown[]) =>
  results.map((one) => (one instanceof Withdrawn ? `(${String(one.row)})` : one))
const outOf = (run: ChainTask<Event>) => shown(run.out)

describe('a late value within the allowed lateness of a session', () => {
  it('that leaves its start and its end behind the watermark fires it again', () => {
    const run = new ChainTask<Event>(late(100)).push(at(0), at(8), until(30), at(4), at(12))
    expect(outOf(run)).toEqual(['[0 18) 2 rev 1', '[0 18) 3 rev 2', '[0 22) 4 rev 3'])
  })

  it('that comes before its first one takes the result back and gives the new one', () => {
    const run = new ChainTask<Event>(late(100)).push(at(20), until(50), at(15))
    expect(outOf(run)).toEqual(['[20 30) 1 rev 1', '([20 30) 1 rev 2)', '[15 30) 2 rev 2'])
  })

  it('that joins two makes one of them, with a revision above the highest', () => {
    const run = new ChainTask<Event>(late(100)).push(at(0), at(18), until(50), at(2), at(9))
    expect(outOf(run)).toEqual([
      '[0 10) 1 rev 1',
      '[18 28) 1 rev 1',
      '[0 12) 2 rev 2',
      '([18 28) 1 rev 2)',
      '[0 28) 4 rev 3',
    ])
  })

  it('that has it go on takes the result back at once, and it fires when it is due', () => {
    const run = new ChainTask<Event>(late(100)).push(at(0), until(14), at(9), at(18))
    expect(outOf(run)).toEqual(['[0 10) 1 rev 1', '([0 10) 1 rev 2)'])
    expect(outOf(run.push(until(30)))).toEqual(['[0 10) 1 rev 1', '([0 10) 1 rev 2)', '[0 28) 3 rev 2'])
  })

  it('that joins one that has fired to one that is open takes the result back', () => {
    const run = new ChainTask<Event>(late(100)).push(at(0), at(18), until(19), at(9), until(60))
    expect(outOf(run)).toEqual(['[0 10) 1 rev 1', '([0 10) 1 rev 2)', '[0 28) 3 rev 2'])
  })

  it('is late where its own session is over for good, or it touches one that is, whatever else is kept', () => {
    const run = new ChainTask<Event>(late(5)).push(at(0), at(12), until(14), at(3), at(5), at(11), until(16), at(4))
    const { deadLetters } = run.cut()
    expect(deadLetters.map(({ reason, payload }) => [reason, JSON.parse(String(payload)).at])).toEqual([
      ['late', 3],
      ['late', 5],
      ['late', 4],
    ])
    // The one at 11 touches [12 22), which is open, and not [0 10), which was over for good with the watermark at 14.
    expect(outOf(run)).toEqual(['[0 10) 1 rev 1'])
  })

  it('gives the same where the task is cut and restored after every event', () => {
    const events = [at(0), at(18), until(14), at(9), until(40), at(-4), at(60), until(75), at(51), at(27), until(90)]
    const whole = new ChainTask<Event>(late(60)).push(...events)
    const out: unknown[] = []
    const cuts = []
    let run = new ChainTask<Event>(late(60))
    for (const event of events) {
      cuts.push(run.push(event).cut())
      out.push(...run.out)
      run = new ChainTask<Event>(late(60), savedFrom(...cuts))
    }
    expect(out.length).toBeGreaterThan(7)
    expect(out).toEqual(whole.out)
  })
})

describe('the allowed lateness of sessions', () => {
  it('lets go of a session and of its end when they can no longer be asked for', () => {
    const run = new ChainTask<Event>(late(20)).push(at(0), until(29), until(30))
    const keys = () => run.task.operatorStatus().reduce((sum, { keyCount }) => sum + keyCount, 0)
    // Those of the clock: its last one is open, and the one before is kept.
    const clock = keys()
    expect(clock).toBeGreaterThan(0)
    run.push(at(1_000, 0, 'clock'), at(2_000, 0, 'clock'))
    expect(keys()).toBeLessThanOrEqual(2)
  })

  it('may be changed between two starts: what was over stays over', () => {
    const first = new ChainTask<Event>(late(0)).push(at(0), until(15))
    const second = new ChainTask<Event>(late(1_000), savedFrom(first.cut())).push(at(4), at(30), until(60), at(31))
    expect(second.cut().deadLetters.map(({ reason }) => reason)).toEqual(['late'])
    expect(outOf(second)).toEqual(['[30 40) 1 rev 1', '[30 41) 2 rev 2'])
  })

  it('goes on from a checkpoint of a release that had none', () => {
    const first = new ChainTask<Event>(late(0)).push(at(0), until(15)).cut()
    const body = first.state.body.replace(/\{"allowedLatenessMs":0,"over":null\}/, '0')
    expect(body).not.toBe(first.state.body)
    const saved = savedFrom({ ...first, state: { ...first.state, body } })
    const second = new ChainTask<Event>(late(1_000), saved).push(at(4), at(30), until(60), at(31))
    expect(second.cut().deadLetters.map(({ reason }) => reason)).toEqual(['late'])
    expect(outOf(second)).toEqual(['[30 40) 1 rev 1', '[30 41) 2 rev 2'])
  })

  it('does not go together with maxMs', () => {
    const make = () => sessionWindow<Event>({ name: 'w', gapMs: 10, maxMs: 100, allowedLatenessMs: 1, by })
    expect(make).toThrow(ConfigurationError)
    expect(make).toThrow(/maxMs and allowedLatenessMs exclude each other/)
  })

  it('needs a fold that can take back, when it is built', () => {
    const folds: readonly OperatorFunction<never, unknown>[] = [
      aggregateWindow({ ...counting, result: (count: number) => count }),
      topN<Event, number>({ n: 1, of: ({ n }) => n, tie: by, result: (top) => top.map(({ n }) => n) }),
      ohlcv(),
    ] as never
    for (const fold of folds) {
      const build = () => new ChainTask<Event>((events) => events.pipe(timed, sessions(1), fold as never))
      expect(build).toThrow(ConfigurationError)
      expect(build).toThrow(/a result may be taken back/)
    }
  })
})

describe('topN with withdrawBy', () => {
  const ranked = topN<Event, string>({
    n: 2,
    of: ({ n }) => n,
    tie: ({ at: time }) => String(time),
    result: (top, { start }, { revision }) => top.map(({ n }, i) => `${start} ${n} is ${i + 1} rev ${revision}`),
    withdrawBy: (row) => row.split(' ')[1] as string,
  })

  it('takes back what has fallen behind, before the ranks come again', () => {
    const run = new ChainTask<Event>((events) =>
      events.pipe(timed, tumblingWindow({ name: 'w', sizeMs: 10, allowedLatenessMs: 50, by }), ranked),
    ).push(at(1, 5), at(2, 7), at(3, 1), until(20), at(4, 6), at(5, 2))
    expect(outOf(run)).toEqual([
      '0 7 is 1 rev 1',
      '0 5 is 2 rev 1',
      '(0 5 is 2 rev 2)',
      '0 7 is 1 rev 2',
      '0 6 is 2 rev 2',
      '0 7 is 1 rev 3',
      '0 6 is 2 rev 3',
    ])
  })

  it('takes back what a window had itself, and not one of another operator that begins where it begins', () => {
    const run = new ChainTask<Event>((events) => {
      const shared = events.pipe(
        timed,
        filter(({ key }) => key === 'k'),
        share(),
      )
      return merge(
        shared.pipe(hoppingWindow({ name: 'long', sizeMs: 20, hopMs: 20, by: () => 'k' })),
        shared.pipe(hoppingWindow({ name: 'short', sizeMs: 10, hopMs: 5, by: () => 'k' })),
      ).pipe(
        topN({
          n: 1,
          of: ({ n }) => n,
          tie: ({ at: time }) => String(time),
          result: ([best], { start, end }) => [`[${start} ${end}) ${best?.n}`],
          withdrawBy: (row) => row,
        }),
      )
    })
    // The last one is late for [0, 10), which has fired, and not for what else it is part of.
    run.push(at(6, 5), until(9), at(7, 9), until(29))
    expect(outOf(run)).toEqual(['[0 10) 5', '[0 20) 9', '[5 15) 9'])
  })

  it('takes all ranks of a session back that is part of another one', () => {
    const run = new ChainTask<Event>((events) => events.pipe(timed, sessions(50), ranked))
    run.push(at(20, 5), at(21, 7), until(40), at(15, 9))
    expect(outOf(run)).toEqual([
      '20 7 is 1 rev 1',
      '20 5 is 2 rev 1',
      '(20 7 is 1 rev 2)',
      '(20 5 is 2 rev 2)',
      '15 9 is 1 rev 2',
      '15 7 is 2 rev 2',
    ])
  })
})

describe('topN whose result throws on a correction', () => {
  /** Where nine is the best, and where there is but one. */
  const failing = topN<Event, string>({
    n: 2,
    of: ({ n }) => n,
    tie: ({ at: time }) => String(time),
    result: (top, { start }, { revision }) => {
      if (top.length < 2 || top[0]?.n === 9) throw new Error('cannot be ranked')
      return top.map(({ n }, i) => `${start} ${n} is ${i + 1} rev ${revision}`)
    },
    withdrawBy: (row) => row.split(' ')[1] as string,
  })
  const over =
    (windows: OperatorFunction<Event, WindowElement<Event>>) =>
    (events: Observable<Event>): Observable<unknown> =>
      events.pipe(
        timed,
        windows,
        filter(({ window }) => window.key === 'k'),
        failing,
      )

  /** Without restarts and with one after every event, which must give the same. */
  function outcome(windows: OperatorFunction<Event, WindowElement<Event>>, events: readonly Event[]): unknown[] {
    const whole = new ChainTask<Event>(over(windows)).push(...events)
    const out: unknown[] = []
    const cuts = []
    let run = new ChainTask<Event>(over(windows))
    for (const event of events) {
      cuts.push(run.push(event).cut())
      out.push(...run.out)
      run = new ChainTask<Event>(over(windows), savedFrom(...cuts))
    }
    expect(shown(out)).toEqual(outOf(whole))
    return outOf(whole)
  }
  const tens = () => tumblingWindow<Event>({ name: 'w', sizeMs: 10, allowedLatenessMs: 50, by })
  const hops = () => hoppingWindow<Event>({ name: 'w', sizeMs: 10, hopMs: 5, allowedLatenessMs: 50, by })

  it('takes back with the next one what was told last, and not what was not told', () => {
    expect(outcome(tens(), [at(1, 5), at(2, 7), until(20), at(3, 9), at(4, 10), at(5, 11)])).toEqual([
      '0 7 is 1 rev 1',
      '0 5 is 2 rev 1',
      '(0 7 is 1 rev 3)',
      '(0 5 is 2 rev 3)',
      '0 10 is 1 rev 3',
      '0 9 is 2 rev 3',
      '(0 9 is 2 rev 4)',
      '0 11 is 1 rev 4',
      '0 10 is 2 rev 4',
    ])
  })

  it('does so for each of the windows that share a value', () => {
    const out = outcome(hops(), [at(6, 5), at(7, 7), until(30), at(8, 9), at(8, 10)])
    expect(out.slice(4)).toEqual([
      '(0 7 is 1 rev 3)',
      '(0 5 is 2 rev 3)',
      '0 10 is 1 rev 3',
      '0 9 is 2 rev 3',
      '(5 7 is 1 rev 3)',
      '(5 5 is 2 rev 3)',
      '5 10 is 1 rev 3',
      '5 9 is 2 rev 3',
    ])
  })

  it('takes nothing back where the first one was not told either', () => {
    for (const windows of [tens(), sessions(50)]) {
      expect(outcome(windows, [at(0, 5), until(20), at(2, 7)])).toEqual(['0 7 is 1 rev 2', '0 5 is 2 rev 2'])
    }
  })

  it('takes it back as it was told, of a session that has become longer since', () => {
    const failingByEnd = topN<Event, string>({
      n: 1,
      of: ({ n }) => n,
      tie: () => '',
      result: ([best], { start, end }) => {
        if (end === 32) throw new Error('cannot be ranked')
        return [`[${start} ${end}) ${best?.n}`]
      },
      withdrawBy: (row) => row,
    })
    const events = [at(20, 5), until(60), at(22, 6), at(24, 7)]
    const told = ['[20 30) 5', '([20 30) 5)', '[20 34) 7']
    const build = (values: Observable<Event>) =>
      values.pipe(
        timed,
        sessions(50),
        filter(({ window }) => window.key === 'k'),
        failingByEnd,
      )
    expect(outOf(new ChainTask<Event>(build).push(...events))).toEqual(told)
    const first = new ChainTask<Event>(build).push(...events.slice(0, 3))
    const second = new ChainTask<Event>(build, savedFrom(first.cut())).push(...events.slice(3))
    expect(shown([...first.out, ...second.out])).toEqual(told)
  })

  it('has a session that is taken back take with it what was told last', () => {
    expect(outcome(sessions(50), [at(20, 5), at(28, 7), until(40), at(24, 9), at(15, 10)])).toEqual([
      '20 7 is 1 rev 1',
      '20 5 is 2 rev 1',
      '(20 7 is 1 rev 3)',
      '(20 5 is 2 rev 3)',
      '15 10 is 1 rev 3',
      '15 9 is 2 rev 3',
    ])
  })
})

describe('results that are not for good', () => {
  const tens = tumblingWindow<Event>({ name: 'tens', sizeMs: 10, by })
  const early = aggregateWindow<Event, number, Event>({
    ...counting,
    name: 'early',
    result: (count, { key, start }, { isClosed }) => ({ key: isClosed ? key : `${key}?`, at: start, n: count }),
    early: { everyValues: 2 },
  })
  const below = {
    tumblingWindow: tumblingWindow<Event>({ name: 'below', sizeMs: 10, by }),
    sessionWindow: sessions(0),
    inOrder: inOrder<Event>({ name: 'below' }),
    keyed: keyed<Event, number, never>({ name: 'below', by, initial: () => 0, onValue: () => ({ keep: 1 }) }),
  } as Readonly<Record<string, OperatorFunction<Event, unknown>>>

  it.each(Object.keys(below))('are refused above %s while the pipeline is built', (name) => {
    const make = () =>
      new ChainTask<Event>((events) => events.pipe(timed, tens, early, below[name] as OperatorFunction<Event, unknown>))
    expect(make).toThrow(OperatorError)
    expect(make).toThrow(/results of early that are not for good/)
  })

  it('are refused behind share() and what only passes values on while the pipeline is built', () => {
    const make = () =>
      new ChainTask<Event>((events) => {
        const shared = events.pipe(timed, tens, early, share())
        return merge(
          shared,
          shared.pipe(
            mapAsync(async (event) => event, { concurrency: 1 }),
            inOrder<Event>({ name: 'below' }),
          ),
        )
      })
    expect(make).toThrow(/below: results of early that are not for good/)
  })

  it('are refused behind a step when the first one comes, and a filter keeps them out', () => {
    const counts = tumblingWindow<Event>({ name: 'below', sizeMs: 100, by })
    const through = (step: OperatorFunction<Event, Event>) => (events: Observable<Event>) =>
      events.pipe(timed, tens, early, step, counts, counted)
    const open = new ChainTask<Event>(through(map((event) => event))).push(at(1))
    expect(() => open.push(at(2))).toThrow(/below: results of early that are not for good/)
    const closed = new ChainTask<Event>(through(filter(({ key }) => !key.endsWith('?'))))
    expect(closed.push(at(1), at(2), at(11), at(12), at(150)).out).toEqual(['[0 100) 2 rev 1'])
  })

  it('are refused in a plain program as well', () => {
    const events = new Subject<Event>()
    const errors: unknown[] = []
    events
      .pipe(timed, tens, early, inOrder<Event>({ name: 'below' }))
      .subscribe({ error: (error) => errors.push(error) })
    events.next(at(1))
    events.next(at(2))
    expect(errors).toEqual([expect.any(OperatorError)])
  })

  it('that are taken back take their row from a table, which takes no provisional ones', () => {
    const into = (fold: OperatorFunction<never, unknown>) => (events: Observable<Event>) => {
      const shared = events.pipe(timed, share())
      const changes = shared.pipe(
        filter(({ key }) => key !== 'ask'),
        sessions(50),
        fold as never,
      ) as Observable<string | Withdrawn<string>>
      const known = toTable(changes, {
        name: 't',
        by: (row) => row.split(')')[0] as string,
        value: (row) => row,
        maxKeys: 9,
      })
      return shared.pipe(
        filter(({ key }) => key === 'ask'),
        enrich(known, { by: () => '[20 30', with: (_, row) => row ?? 'none' }),
      )
    }
    const run = new ChainTask<Event>(into(counted as never))
    run.push(at(20), until(50), at(51, 0, 'ask'), at(15), at(52, 0, 'ask'))
    expect(run.out).toEqual(['[20 30) 1 rev 1', 'none'])
    const showing = aggregateWindow<Event, number, string>({
      ...counting,
      result: (count) => String(count),
      withdraws: true,
      early: { everyValues: 1 },
    })
    const shownTo = new ChainTask<Event>(into(showing as never))
    expect(() => shownTo.push(at(1))).toThrow(/t: results of aggregateWindow that are not for good/)
  })

  it('are refused where they are taken back, unless a step has made values of them', () => {
    const sessionsInto = (step: OperatorFunction<string | Withdrawn<string>, unknown>) => (events: Observable<Event>) =>
      events.pipe(timed, sessions(50), counted, step)
    const order = inOrder<string | Withdrawn<string>>({ name: 'below' })
    expect(() => new ChainTask<Event>(sessionsInto(order))).toThrow(/not for good/)
    const made = sessionsInto((results) =>
      results.pipe(
        map((one) => (one instanceof Withdrawn ? `gone ${one.row}` : one)),
        inOrder<string>({ name: 'below' }),
      ),
    )
    const run = new ChainTask<Event>(made).push(at(20), until(50), at(15))
    expect(run.cut().deadLetters.map(({ operator }) => operator)).toEqual(['below', 'below'])
  })
})

import { of as just, type Observable, share } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { aggregateWindow } from '../../src/operators/aggregateWindow.ts'
import { asOfJoin } from '../../src/operators/asOfJoin.ts'
import { batchFlush } from '../../src/operators/batchFlush.ts'
import { decode } from '../../src/operators/decode.ts'
import { dedupe } from '../../src/operators/dedupe.ts'
import { enrich } from '../../src/operators/enrich.ts'
import { eventTime } from '../../src/operators/eventTime.ts'
import { hoppingWindow } from '../../src/operators/hoppingWindow.ts'
import { inOrder } from '../../src/operators/inOrder.ts'
import { intervalJoin } from '../../src/operators/intervalJoin.ts'
import { type KeyedStep, keyed } from '../../src/operators/keyed.ts'
import { sequence } from '../../src/operators/sequence.ts'
import { sessionWindow } from '../../src/operators/sessionWindow.ts'
import { topN } from '../../src/operators/topN.ts'
import { toTable } from '../../src/operators/toTable.ts'
import { tumblingWindow } from '../../src/operators/tumblingWindow.ts'
import { OperatorError } from '../../src/runtime/errors.ts'
import type { Outlet } from '../../src/runtime/pipeline/outlet.ts'
import { definePipeline } from '../../src/runtime/pipeline/pipeline.ts'
import { toDestination } from '../../src/sinks/toDestination.ts'
import { toTopic } from '../../src/sinks/toTopic.ts'
import { toWebhook } from '../../src/sinks/toWebhook.ts'
import { testPipeline } from '../../src/testing/kit/testPipeline.ts'
import { ChainTask } from '../support/tasks.ts'

type Values = Observable<number>

/** What a function gives that asks elsewhere first; it is no async function, so that nobody can see it before. */
const later = (): never => Promise.resolve('k') as never
const by = () => 'k'
const time = eventTime<number>({ of: (at) => at, maxOutOfOrdernessMs: 0 })
const window = tumblingWindow<number>({ name: 'w', sizeMs: 1, by })
const fold = { initial: () => 0, add: (sum: number) => sum + 1, result: (sum: number) => sum }
const step: KeyedStep<number, number> = { keep: 1 }
const states = { name: 'k', by, initial: () => 0, onValue: () => step }
const joined = { name: 'j', by: { left: by, right: by }, with: () => 1 }
const steps = { a: () => true, b: () => true }
const funnel = { name: 's', by, steps, withinMs: 1, onMatch: () => 1 }
const rows = (values: Values) => toTable(values, { name: 'rows', by, value: () => 1, maxKeys: 9 })

/** Chains over whole numbers, which are their event times. */
const chains: readonly (readonly [string, (values: Values) => Observable<unknown>])[] = [
  ['eventTime: of', (values) => values.pipe(eventTime({ of: later, maxOutOfOrdernessMs: 0 }))],
  ['dedupe: by', (values) => values.pipe(time, dedupe({ by: later, id: () => 1, ttlMs: 1 }))],
  ['dedupe: id', (values) => values.pipe(time, dedupe({ by, id: later, ttlMs: 1 }))],
  ['dedupe: id', (values) => values.pipe(time, dedupe({ by, id: later, ids: 'ranges', ttlMs: 1 }))],
  ['w: by', (values) => values.pipe(time, tumblingWindow({ name: 'w', sizeMs: 1, by: later }))],
  ['w: of', (values) => values.pipe(time, tumblingWindow({ name: 'w', sizeMs: 1, by, of: later }))],
  [
    'w: isProvisional',
    (values) => values.pipe(time, tumblingWindow({ name: 'w', sizeMs: 1, by, isProvisional: later })),
  ],
  ['w: of', (values) => values.pipe(time, hoppingWindow({ name: 'w', sizeMs: 2, hopMs: 1, by, of: later }))],
  ['w: of', (values) => values.pipe(time, sessionWindow({ name: 'w', gapMs: 2, by, of: later }))],
  ['inOrder: of', (values) => values.pipe(time, inOrder({ of: later }))],
  ['aggregateWindow: initial', (values) => values.pipe(time, window, aggregateWindow({ ...fold, initial: later }))],
  ['aggregateWindow: add', (values) => values.pipe(time, window, aggregateWindow({ ...fold, add: later }))],
  ['aggregateWindow: result', (values) => values.pipe(time, window, aggregateWindow({ ...fold, result: later }))],
  [
    'aggregateWindow: merge',
    (values) =>
      values.pipe(
        time,
        hoppingWindow({ name: 'w', sizeMs: 4, hopMs: 1, by }),
        aggregateWindow({ ...fold, merge: later }),
      ),
  ],
  ['topN: result', (values) => values.pipe(time, window, topN({ n: 1, of: (at) => at, tie: by, result: later }))],
  ['k: initial', (values) => values.pipe(time, keyed({ ...states, initial: later }))],
  ['k: onValue', (values) => values.pipe(time, keyed({ ...states, onValue: later }))],
  ['k: keep', (values) => values.pipe(time, keyed({ ...states, onValue: () => ({ keep: later() }) }))],
  [
    'k: onTimer',
    (values) => values.pipe(time, keyed({ ...states, onValue: () => ({ keep: 1, wakeAt: 3 }), onTimer: later })),
  ],
  [
    'j: with',
    (values) =>
      values.pipe(time, share(), (left) =>
        left.pipe(intervalJoin(left, { ...joined, fromMs: 0, toMs: 1, with: later })),
      ),
  ],
  [
    'j: with',
    (values) => values.pipe(time, share(), (left) => left.pipe(asOfJoin(left, { ...joined, keepMs: 1, with: later }))),
  ],
  [
    'j: isEnd',
    (values) => values.pipe(time, share(), (left) => left.pipe(asOfJoin(left, { ...joined, keepMs: 1, isEnd: later }))),
  ],
  ['s: steps.a', (values) => values.pipe(time, sequence({ ...funnel, steps: { ...steps, a: later } }))],
  ['s: unless', (values) => values.pipe(time, sequence({ ...funnel, unless: later }))],
  ['s: onMatch', (values) => values.pipe(time, sequence({ ...funnel, onMatch: later }))],
  [
    's: onTimeout',
    (values) => values.pipe(time, sequence({ ...funnel, steps: { ...steps, b: () => false }, onTimeout: later })),
  ],
  [
    'rows: by',
    (values) =>
      values.pipe(
        enrich(toTable(values, { name: 'rows', by: later, value: () => 1, maxKeys: 9 }), { by, with: () => 1 }),
      ),
  ],
  [
    'rows: value',
    (values) =>
      values.pipe(enrich(toTable(values, { name: 'rows', by, value: later, maxKeys: 9 }), { by, with: () => 1 })),
  ],
  ['enrich rows: by', (values) => values.pipe(enrich(rows(values), { by: later, with: () => 1 }))],
  ['enrich rows: with', (values) => values.pipe(enrich(rows(values), { by, with: later }))],
  ['batchFlush: bytesOf', (values) => values.pipe(batchFlush({ maxCount: 9, maxBytes: 9, bytesOf: later }))],
]

describe('a function that gives a promise ends the task and is named', () => {
  it.each(chains)('%s', (place, chain) => {
    const run = () => new ChainTask<number>((values) => chain(values.pipe(share()))).push(1, 2, 3, 4, 5)
    expect(run).toThrow(OperatorError)
    expect(run).toThrow(`${place} must give its result at once, got a promise`)
  })

  it('also outside of a task', () => {
    const failed: unknown[] = []
    just(1, 2, 3)
      .pipe(time, window, aggregateWindow({ ...fold, result: later }))
      .subscribe({ error: (error) => failed.push(error) })
    expect(failed[0]).toBeInstanceOf(OperatorError)
  })
})

describe('a function that gives something else than a list ends the task', () => {
  it.each<readonly [string, (values: Values) => Observable<unknown>]>([
    [
      'k: emit of onValue must be an array of results, got string',
      (values) => values.pipe(time, keyed({ ...states, onValue: () => ({ keep: 1, emit: 'ab' as never }) })),
    ],
    [
      'topN: result must give an array of results, got string',
      (values) => values.pipe(time, window, topN({ n: 1, of: (at) => at, tie: by, result: () => 'ab' as never })),
    ],
  ])('%s', (said, chain) => {
    const run = () => new ChainTask<number>(chain).push(1, 2, 3)
    expect(run).toThrow(OperatorError)
    expect(run).toThrow(said)
  })
})

describe('an outlet whose function gives a promise ends the task', () => {
  const named = { topic: 'out', at: () => 1, encode: () => 'text' }
  it.each<readonly [string, (values: Values) => Outlet<unknown>]>([
    ['outlet out: encode, for the time,', (values) => toTopic(values, { ...named, at: later })],
    ['outlet out: encode, for the value,', (values) => toTopic(values, { ...named, encode: later })],
    ['outlet out: encode', (values) => toDestination(values, { name: 'd', encode: later, open: later })],
    ['toWebhook: body', (values) => toWebhook(values, { url: 'http://localhost/', body: later })],
  ])('%s', (place, outlet) => {
    const run = () =>
      testPipeline(
        definePipeline({
          name: 'own',
          build: (records) => ({
            out: outlet(records.pipe(decode<number>({ decode: (record) => Number(record.valueText()) }))),
          }),
        }),
      ).push({ value: '1' })
    expect(run).toThrow(OperatorError)
    expect(run).toThrow(`${place} must give its result at once, got a promise`)
  })

  it('or sets the value aside where it is neither bytes nor null', () => {
    const run = testPipeline(
      definePipeline({
        name: 'own',
        build: (records) => ({
          out: toDestination(records, {
            name: 'd',
            encode: () => ({ time: 1, key: 7 as never, value: null }),
            open: later,
          }),
        }),
      }),
    )
    run.push({ value: '1' })
    expect(run.deadLetters()).toMatchObject([
      { reason: 'bad-message', detail: 'its key must be bytes or null, got number' },
    ])
    run.finish()
  })
})

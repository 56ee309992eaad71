import {
  aggregateWindow,
  type Duration,
  dedupe,
  definePipeline,
  eventTime,
  ohlcv,
  rollup,
  tumblingWindow,
} from 'millrace'
import { describe, expect, test } from 'tstyche'

const of = (at: number) => at
const by = () => 'k'
const fold = { initial: () => 0, add: () => 0, result: () => 0 }

describe('a duration', () => {
  test('is ms, or a number and its unit', () => {
    for (const unit of ['250ms', '0.5s', '30s', '5m', '4h', '1d'] as const)
      expect(unit).type.toBeAssignableTo<Duration>()
    expect(300_000).type.toBeAssignableTo<Duration>()
    expect<'-1s'>().type.toBeAssignableTo<Duration>()
  })

  test('is made of a number that is known at run time only', () => {
    const seconds = 5 as number
    expect(`${seconds}s` as const).type.toBeAssignableTo<Duration>()
  })

  test('is not without a unit, or with another one', () => {
    for (const text of ['', '5', 'm', 'five m', '5min', '5M', '5w', '1h30m', 's5'] as const)
      expect(text).type.not.toBeAssignableTo<Duration>()
    expect<string>().type.not.toBeAssignableTo<Duration>()
    expect<bigint>().type.not.toBeAssignableTo<Duration>()
  })

  test('is a number and a unit to the compiler also where only durationMs sees what is wrong', () => {
    for (const text of ['5 m', '1e3m', '0.5ms'] as const) expect(text).type.toBeAssignableTo<Duration>()
  })
})

describe('options that end in Ms', () => {
  test('take one', () => {
    eventTime({ of, maxOutOfOrdernessMs: '2s', maxAdvanceMs: '10m' })
    dedupe({ by, id: of, ttlMs: '1h' })
    dedupe({ by, id: of, ids: 'ranges', ttlMs: '1h' })
    tumblingWindow({ name: '5m', by, sizeMs: '5m', allowedLatenessMs: '30s' })
    aggregateWindow({ ...fold, provisionalEveryMs: '1s' })
    ohlcv({ provisionalEveryMs: '250ms' })
    rollup({ provisionalEveryMs: '250ms' })
    definePipeline({ name: 'mine', idleAfterMs: '5s', build: () => ({}) })
  })

  test('say what they take', () => {
    // @ts-expect-error Type '"5 minutes"' is not assignable to type 'Duration'
    tumblingWindow({ name: '5m', by, sizeMs: '5 minutes' })
    // @ts-expect-error Type '"2"' is not assignable to type 'Duration'
    eventTime({ of, maxOutOfOrdernessMs: '2' })
    // @ts-expect-error Type '"1w"' is not assignable to type 'Duration'
    dedupe({ by, id: of, ttlMs: '1w' })
    // @ts-expect-error Type '"fast"' is not assignable to type 'Duration | undefined'
    ohlcv({ provisionalEveryMs: 'fast' })
    // @ts-expect-error Type 'string' is not assignable to type 'Duration'
    definePipeline({ name: 'mine', idleAfterMs: String(5), build: () => ({}) })
  })
})

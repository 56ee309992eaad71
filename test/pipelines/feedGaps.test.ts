import { describe, expect, it } from 'vitest'
import { type FeedGap, gapFrame } from '../../src/market/feedGap.ts'
import { intervals } from '../../src/market/interval.ts'
import { tradeCodec } from '../../src/market/tradeCodec.ts'
import { realtime } from '../../src/pipelines/realtime.ts'
import { testPipeline } from '../../src/testing/kit/testPipeline.ts'
import type { TestPipelineOptions } from '../../src/testing/kit/testRun.ts'

const start = Date.UTC(2024, 7, 9, 12)
const codec = tradeCodec({ market: 'spot', timeUnit: 'ms' })

interface Traded {
  readonly id: number
  /** Seconds behind the start. */
  readonly at: number
  readonly price: number
  readonly symbol?: string
  readonly more?: string
}

function frame({ id, at, price, symbol = 'BTCUSDT', more = '' }: Traded): string {
  const time = start + at * 1_000
  return `{"stream":"${symbol.toLowerCase()}@trade","data":{"e":"trade","E":${time},"s":"${symbol}","t":${id},"p":"${price}.00000000","q":"1.00000000","T":${time},"m":true,"M":true${more}}}`
}

function gap(facts: Partial<FeedGap>): string {
  const known: FeedGap = {
    ...{ type: 'gap', market: 'spot', symbol: 'BTCUSDT', epoch: 0, firstId: 2, lastId: 5, missing: 4 },
    ...{ fromTime: start + 10_000, toTime: start + 200_000, state: 'open', revision: 1 },
    ...{ reason: 'REST does not answer', seenAt: start + 201_000, at: start + 201_000 },
  }
  return gapFrame({ ...known, ...facts }).toString()
}

const fill = ',"fill":true'
const missing = [
  { id: 2, at: 20, price: 300, more: fill },
  { id: 3, at: 70, price: 5, more: fill },
  { id: 4, at: 130, price: 7, more: fill },
  { id: 5, at: 190, price: 9, more: fill },
]
/** Hours after it, so that every window up to 1h is over. */
const later = Array.from({ length: 800 }, (_, index) => ({ id: 6 + index, at: 200 + index * 9, price: 10 }))

function run(lines: readonly string[], options: TestPipelineOptions = {}) {
  const tested = testPipeline(realtime(codec), { restoreEvery: 40, ...options })
  for (const value of lines) tested.push({ value, key: 'BTCUSDT', timestamp: start })
  tested.closeOpen()
  return tested
}

const withGap = [
  frame({ id: 1, at: 10, price: 100 }),
  gap({}),
  ...later.map(frame),
  ...missing.map(frame),
  gap({ state: 'filled', missing: 0, revision: 2, reason: 'fetched', at: start + 9_000_000 }),
  frame({ id: 806, at: 7_400, price: 11 }),
]
const withoutGap = [
  frame({ id: 1, at: 10, price: 100 }),
  ...missing.map((one) => frame({ ...one, more: '' })),
  ...later.map(frame),
  frame({ id: 806, at: 7_400, price: 11 }),
]

describe('a gap that the feed tells of', () => {
  it('is filled hours later, and every candle is as if nothing had been missing, but for its revision', () => {
    const gapped = run(withGap, { crashAt: [3, 500, 803] })
    const whole = run(withoutGap)
    for (const interval of intervals) {
      const told = (tested: typeof whole) =>
        tested
          .rows(interval)
          .map(({ revision: _, ...candle }) => candle)
          .sort((a, b) => a.openTime - b.openTime)
      expect(told(gapped)).toEqual(told(whole))
    }
    const [first] = gapped.rows('1m')
    expect(first).toMatchObject({ tradeCount: 2, revision: 2 })
    expect(gapped.deadLetters()).toEqual([])
    expect(gapped.rows('gaps')).toMatchObject([
      { symbol: 'BTCUSDT', firstId: 2, state: 'filled', missing: 0, revision: 2 },
    ])
    gapped.finish()
    whole.finish()
  })

  it('keeps windows of its own symbol alone, and no longer than it is open', () => {
    const tested = run([
      ...withGap,
      frame({ id: 1, at: 30, price: 1, symbol: 'ETHUSDT', more: fill }),
      frame({ id: 9_000, at: 25, price: 1, more: fill }),
    ])
    expect(tested.deadLetters().map(({ reason }) => reason)).toEqual(['late', 'late'])
    tested.finish()
  })

  it('does not open windows that were over before it was told', () => {
    const tested = run([
      frame({ id: 1, at: 10, price: 100 }),
      ...later.map(frame),
      gap({}),
      frame(missing[0] as Traded),
    ])
    expect(tested.deadLetters().map(({ reason }) => reason)).toEqual(['late'])
    expect(tested.rows('1m')[0]).toMatchObject({ tradeCount: 1, revision: 1 })
    tested.finish()
  })

  it('does not let fetched trades vote on the time', () => {
    // The trade behind the gap leaps, and is believed when two more agree; fetched trades between them say nothing.
    const leap = [200, 201, 202].map((at, index) => frame({ id: 6 + index, at: at + 7_200, price: 10 }))
    const tested = run([
      frame({ id: 1, at: 10, price: 100 }),
      gap({ toTime: start + 7_400_000 }),
      leap[0] as string,
      ...missing.map(frame),
      leap[1] as string,
      leap[2] as string,
      gap({ toTime: start + 7_400_000, state: 'filled', missing: 0, revision: 2 }),
    ])
    expect(tested.deadLetters()).toEqual([])
    tested.finish()
  })
})

it('ids that start again are others', () => {
  const tested = run([
    ...[1, 2, 3].map((id) => frame({ id, at: id, price: 100 })),
    ...[1, 2, 3].map((id) => frame({ id, at: 10 + id, price: 200, more: ',"epoch":1' })),
    frame({ id: 3, at: 13, price: 200, more: ',"epoch":1' }),
  ])
  expect(tested.rows('1m')).toMatchObject([{ tradeCount: 6 }])
  tested.finish()
})

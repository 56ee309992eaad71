import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { klineCodec } from '../../../src/market/streams/kline.ts'
import { judgeQuality, type QualityCheck, type QualityRule, qualityOf } from '../../../src/market/streams/quality.ts'
import { qualityRules } from '../../../src/market/streams/qualityRules.ts'

const rule = (check: QualityCheck<string>, points = 10, id = 'one'): QualityRule => ({
  id,
  part: 'plausibility',
  points,
  check,
})
const score = (value: object, check: QualityCheck<string>, receivedAt: number | null = null) =>
  qualityOf(value, [rule(check), rule({ kind: 'present', fields: ['always'] }, 10, 'other')], receivedAt)

/** 100 where the check holds, 50 where it does not; a check that says nothing leaves the other rule alone. */
function judged(value: object, check: QualityCheck<string>): boolean | null {
  const [finding] = judgeQuality(value, [rule(check)])
  return finding?.got === null ? null : finding?.got === 10
}

test('the points of each stream make 100, and each rule has a name of its own', () => {
  for (const [stream, rules] of Object.entries(qualityRules)) {
    expect(
      rules.reduce((sum, one) => sum + one.points, 0),
      stream,
    ).toBe(100)
    expect(new Set(rules.map((one) => one.id)).size, stream).toBe(rules.length)
    expect(new Set(rules.map((one) => one.part)), stream).toStrictEqual(
      new Set(['completeness', 'plausibility', 'latency']),
    )
  }
})

test('the docs tell every rule with its points', () => {
  const page = readFileSync('docs/platform/marketStreams.md', 'utf8')
  for (const [stream, rules] of Object.entries(qualityRules)) {
    const row = page.split('\n').find((line) => line.startsWith(`| ${stream} |`)) ?? ''
    const told = [...row.matchAll(/`([a-z-]+)` (\d+)/g)].map(([, id, points]) => `${id} ${points}`)
    expect(told.sort(), stream).toStrictEqual(rules.map((one) => `${one.id} ${one.points}`).sort())
  }
})

test('rules count by their points, and one that can say nothing counts neither way', () => {
  const present: QualityCheck<string> = { kind: 'present', fields: ['there'] }
  expect(score({ always: 1, there: 0 }, present)).toBe(100)
  expect(score({ always: 1 }, present)).toBe(50)
  expect(score({ always: 1, there: null }, present)).toBe(50)
  expect(score({ always: 1 }, { kind: 'positive', fields: ['price'] })).toBe(100)
  expect(qualityOf({}, [rule({ kind: 'positive', fields: ['price'] })])).toBe(0)
})

test('checks of numbers are exact, also beyond 2^53', () => {
  const big = 2n ** 60n
  expect(judged({ a: 1, b: big }, { kind: 'rising', fields: ['a', 'b'] })).toBe(true)
  expect(judged({ a: big + 1n, b: big }, { kind: 'rising', fields: ['a', 'b'] })).toBe(false)
  expect(judged({ a: 1, b: 1 }, { kind: 'rising', fields: ['a', 'b'] })).toBe(true)
  expect(judged({ a: 0 }, { kind: 'positive', fields: ['a'] })).toBe(false)
  const change: QualityCheck<string> = { kind: 'difference', of: 'close', minus: 'open', is: 'change' }
  expect(judged({ close: big + 1n, open: big, change: 1 }, change)).toBe(true)
  expect(judged({ close: big + 2n, open: big, change: 1 }, change)).toBe(false)
})

test('ids without a hole are as many as were counted', () => {
  const span: QualityCheck<string> = { kind: 'span', first: 'f', last: 'l', count: 'n' }
  expect(judged({ f: 0, l: 18_150, n: 18_151 }, span)).toBe(true)
  expect(judged({ f: 0, l: 18_150, n: 18_150 }, span)).toBe(false)
  expect(judged({ f: -1, l: -1, n: 0 }, span)).toBe(true)
  expect(judged({ f: 1, l: 2, n: 0 }, span)).toBe(false)
})

test('levels: enough of them, in order, and bids below asks', () => {
  const least: QualityCheck<string> = { kind: 'levels', fields: ['bids', 'asks'], least: 'levels' }
  const one = [[1, 1]]
  expect(judged({ bids: one, asks: one, levels: 1 }, least)).toBe(true)
  expect(judged({ bids: one, asks: [], levels: 1 }, least)).toBe(false)
  expect(judged({ bids: one, asks: one, levels: null }, least)).toBe(null)
  const falling: QualityCheck<string> = { kind: 'ladder', field: 'bids', order: 'falling' }
  expect(
    judged(
      {
        bids: [
          [3, 1],
          [2, 1],
        ],
      },
      falling,
    ),
  ).toBe(true)
  expect(
    judged(
      {
        bids: [
          [2, 1],
          [2, 1],
        ],
      },
      falling,
    ),
  ).toBe(false)
  const apart: QualityCheck<string> = { kind: 'apart', bids: 'bids', asks: 'asks' }
  expect(judged({ bids: [[2, 1]], asks: [[3, 1]] }, apart)).toBe(true)
  expect(judged({ bids: [[3, 1]], asks: [[3, 1]] }, apart)).toBe(false)
  expect(
    judged(
      {
        bids: [
          [9, 0],
          [2, 1],
        ],
        asks: [[3, 1]],
      },
      apart,
    ),
  ).toBe(true)
  expect(judged({ bids: [], asks: one }, apart)).toBe(null)
})

test('a delay loses points in proportion, in either direction; without a time of arrival nothing is said', () => {
  const delay: QualityCheck<string> = { kind: 'delay', from: 'at', to: 'receivedAt', goodMs: 1_000, badMs: 11_000 }
  const got = (at: number, receivedAt: number | null) => judgeQuality({ at }, [rule(delay)], receivedAt)[0]?.got
  expect(got(0, 1_000)).toBe(10)
  expect(got(0, 6_000)).toBe(5)
  expect(got(6_000, 0)).toBe(5)
  expect(got(0, 11_000)).toBe(0)
  expect(got(0, null)).toBe(null)
})

test('a kline that lost trades, or cannot be, tells by its findings', () => {
  const [allTrades] = qualityRules.kline
  const sound = {
    firstTradeId: 1,
    lastTradeId: 10,
    tradeCount: 9,
    low: 2,
    open: 3,
    high: 3,
    close: 2,
    volume: 5,
    takerBuyVolume: 6,
    quoteVolume: 1,
    takerBuyQuoteVolume: 1,
    openTime: 0,
    eventTime: 1,
  }
  const lost = judgeQuality(sound, qualityRules.kline).filter(({ got, points }) => got !== null && got < points)
  expect(lost.map((finding) => finding.rule)).toStrictEqual([allTrades?.id, 'taker-part'])
  expect(qualityOf(sound, qualityRules.kline)).toBe(Math.floor((100 * (90 - 35)) / 90))
})

test("rules of one's own are checked when the codec is made", () => {
  const options = { market: 'spot', timeUnit: 'ms' } as const
  expect(() => klineCodec({ ...options, quality: [] })).toThrow('at least one rule')
  const one = qualityRules.kline[0] as (typeof qualityRules.kline)[number]
  expect(() => klineCodec({ ...options, quality: [one, one] })).toThrow('two rules')
  expect(() => klineCodec({ ...options, quality: [{ ...one, points: 0.5 }] })).toThrow('whole number')
  const late = { ...one, check: { kind: 'delay', from: 'openTime', to: 'eventTime', goodMs: 5, badMs: 5 } } as const
  expect(() => klineCodec({ ...options, quality: [late] })).toThrow('below its badMs')
})

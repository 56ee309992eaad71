import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatFixed } from '../../src/exact/decimal.ts'
import type { Candle } from '../../src/market/candle.ts'
import { intervals } from '../../src/market/interval.ts'
import { tradeCodec } from '../../src/market/tradeCodec.ts'
import { realtime } from '../../src/pipelines/realtime.ts'
import { testPipeline } from '../../src/testing/kit/testPipeline.ts'
import type { TestPipelineOptions } from '../../src/testing/kit/testRun.ts'
import type { FrameStyle } from '../../src/testing/unkind/frames.ts'
import type { ExpectedCandle } from '../../src/testing/unkind/naiveCandles.ts'
import { unkindTrades } from '../../src/testing/unkind/unkindTrades.ts'

function asExpected(candle: Candle): ExpectedCandle {
  const { symbol, interval, openTime, tradeCount, firstTradeId, lastTradeId } = candle
  return {
    symbol,
    interval,
    openTime,
    open: formatFixed(candle.open, 8, 8),
    high: formatFixed(candle.high, 8, 8),
    low: formatFixed(candle.low, 8, 8),
    close: formatFixed(candle.close, 8, 8),
    volume: formatFixed(candle.volume, 8, 8),
    quoteVolume: formatFixed(candle.quoteVolume, 16, 16),
    tradeCount,
    takerBuyVolume: formatFixed(candle.takerBuyVolume, 8, 8),
    takerBuyQuoteVolume: formatFixed(candle.takerBuyQuoteVolume, 16, 16),
    vwap: formatFixed(candle.vwap, 8, 8),
    firstTradeId,
    lastTradeId,
  }
}

const byKey = (a: ExpectedCandle, b: ExpectedCandle) =>
  a.openTime - b.openTime || (a.symbol < b.symbol ? -1 : 1) || a.interval.localeCompare(b.interval)

function check(seed: number, style: FrameStyle, options: TestPipelineOptions): void {
  const promised = { maxOutOfOrdernessMs: 2_000, allowedLatenessMs: 30_000 }
  const input = unkindTrades({ seed, style, trades: 250, hasGaps: true, ...promised })
  const run = testPipeline(realtime(tradeCodec(style)), options)
  for (const record of input.records) {
    run.push({
      value: record.value,
      key: record.key === null ? null : record.key.toString(),
      timestamp: record.timestamp,
    })
  }
  run.closeOpen()
  const candles = intervals.flatMap((interval) => run.rows(interval).map(asExpected))
  expect(candles.sort(byKey)).toEqual([...input.candles].sort(byKey))
  const perhaps = new Set(input.perhapsDeadLetters.map(({ offset }) => offset))
  const offsets = run.deadLetters().map(({ offset }) => offset)
  const certain = offsets.filter((offset) => !perhaps.has(offset))
  expect(certain.sort((a, b) => a - b)).toEqual(input.deadLetters.map(({ offset }) => offset).sort((a, b) => a - b))
  run.finish()
}

const seeds = fc.integer({ min: 0, max: 1_000_000 })

describe('realtime', () => {
  it('makes the candles that a naive model makes of the same trades, however unkind the feed', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 90 }), (seed, restoreEvery) => {
        check(seed, { market: 'spot', timeUnit: 'ms' }, { restoreEvery })
      }),
      { numRuns: 40 },
    )
  })

  it('does so when restored at every record', () => {
    fc.assert(
      fc.property(seeds, (seed) => check(seed, { market: 'spot', timeUnit: 'ms' }, {})),
      { numRuns: 5 },
    )
  })

  it('does so on futures, and in microseconds, through crashes', () => {
    fc.assert(
      fc.property(seeds, fc.constantFrom('spot', 'usdm'), (seed, market) => {
        check(seed, { market, timeUnit: 'us' }, { restoreEvery: 40, crashAt: [17, 55, 99, 140] })
      }),
      { numRuns: 20 },
    )
  })
})

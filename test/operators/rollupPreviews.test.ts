import { describe, expect, it } from 'vitest'
import { tradeCodec } from '../../src/market/tradeCodec.ts'
import { realtime } from '../../src/pipelines/realtime.ts'
import { testPipeline } from '../../src/testing/kit/testPipeline.ts'

const midnight = Date.UTC(2024, 7, 9)
const trade = (t: number, ms: number, T = midnight + ms) => ({
  e: 'trade',
  E: T,
  s: 'BTCUSDT',
  t,
  p: '100.0',
  q: '1.0',
  T,
  m: true,
  M: true,
})

describe('provisional candles of a longer interval', () => {
  it('hold every shorter candle that is open, not only the newest', () => {
    const run = testPipeline(realtime(tradeCodec({ market: 'spot', timeUnit: 'ms' })), { restoreEvery: 1_000 })
    // Three to start time with, then one in the next minute while the watermark leaves the first one open.
    run.pushValues(trade(1, 57_000), trade(2, 58_000), trade(3, 59_500), trade(4, 60_500))
    run.passTime(5_000)
    expect(run.rows('5m')).toMatchObject([{ tradeCount: 4, isClosed: false }])
    expect(run.rows('1d')).toMatchObject([{ tradeCount: 4, isClosed: false }])
  })

  it('keep them when only one of them has changed since the last cut', () => {
    const run = testPipeline(realtime(tradeCodec({ market: 'spot', timeUnit: 'ms' })), { restoreEvery: 1_000 })
    run.pushValues(trade(1, 57_000), trade(2, 58_000), trade(3, 59_500), trade(4, 60_500))
    run.passTime(5_000)
    expect(run.rows('5m')).toHaveLength(1)
    run.pushValues(trade(5, 60_600))
    run.passTime(5_000)
    expect(run.rows('5m')).toMatchObject([{ tradeCount: 5, isClosed: false }])
    run.pushValues(trade(6, 63_000))
    run.passTime(5_000)
    expect(run.rows('5m')).toMatchObject([{ tradeCount: 6, isClosed: false }])
    run.finish({ mayBeOpen: true })
  })
})

// How a pipeline over frames of the exchange is tested: with frames as the exchange sends them. No database, no clock, no
// exchange. Works in any test runner; this is plain Node.
import assert from 'node:assert/strict'
import { testPipeline } from 'millrace/testing'
import spread from './spread.ts'

const noon = Date.UTC(2024, 7, 8, 12)

function ticker(at: number, bid: string, ask: string): string {
  const volumes = { v: '10.0', q: '1000.0', F: 1, L: 5, n: 5 }
  const prices = {
    p: '0.0',
    P: '0.0',
    w: '100.0',
    x: '100.0',
    c: '100.0',
    Q: '1.0',
    o: '100.0',
    h: '100.0',
    l: '100.0',
  }
  const sides = { b: bid, B: '1.0', a: ask, A: '1.0' }
  const data = { e: '24hrTicker', E: at, s: 'BTCUSDT', ...prices, ...sides, ...volumes, O: at - 86_400_000, C: at }
  return JSON.stringify({ stream: 'btcusdt@ticker', data })
}

const run = testPipeline(spread)
run.push('tickers', { key: 'BTCUSDT', value: ticker(noon + 1_000, '99.90', '100.10') })
run.push('tickers', { key: 'BTCUSDT', value: ticker(noon + 2_000, '99.50', '100.50') })
run.push('tickers', { key: 'BTCUSDT', value: 'no ticker' })
run.push('tickers', { key: 'BTCUSDT', value: ticker(noon + 63_000, '99.99', '100.01') })
assert.deepEqual(
  run.rows('spread_1m').map(({ symbol, minute, widest, quality }) => ({ symbol, minute, widest, quality })),
  [{ symbol: 'BTCUSDT', minute: noon, widest: 100_000_000, quality: 100 }],
)
assert.equal(run.deadLetters().length, 1)
run.finish({ mayBeOpen: true })
console.log('spread: rows and dead letters are as expected, interrupted or not')

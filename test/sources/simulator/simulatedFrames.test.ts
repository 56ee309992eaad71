import { describe, expect, test } from 'vitest'
import { ConfigurationError } from '../../../src/runtime/errors.ts'
import { simulatedFrames } from '../../../src/sources/simulator/simulatedFrames.ts'

const from = Date.UTC(2026, 0, 1)

function frames(seed: number, count = 5_000): string[] {
  return [...simulatedFrames({ seed, symbols: ['BTCUSDT', 'ETHUSDT', 'ADAUSDT'], from, count })].map(String)
}

describe('a simulated market', () => {
  test('is the same for the same seed and another one for another', () => {
    expect(frames(1)).toEqual(frames(1))
    expect(frames(1)).not.toEqual(frames(2))
  })

  test('does not change from one version to the next, because recorded results depend on it', () => {
    expect(frames(1, 2)).toMatchInlineSnapshot(`
      [
        "{"stream":"btcusdt@trade","data":{"e":"trade","E":1767225600000,"s":"BTCUSDT","t":1,"p":"65005.20000000","q":"0.00259000","T":1767225600000,"m":true,"M":true}}",
        "{"stream":"btcusdt@trade","data":{"e":"trade","E":1767225600000,"s":"BTCUSDT","t":2,"p":"65005.20000000","q":"0.00952000","T":1767225600000,"m":false,"M":true}}",
      ]
    `)
  })

  test('has ids that grow by one for each symbol, times that never go back and exact positive decimals', () => {
    const ids = new Map<string, number>()
    let time = from
    for (const frame of frames(7)) {
      const { stream, data } = JSON.parse(frame)
      expect(stream).toBe(`${data.s.toLowerCase()}@trade`)
      expect(data.t).toBe((ids.get(data.s) ?? 0) + 1)
      ids.set(data.s, data.t)
      expect(data.T).toBeGreaterThanOrEqual(time)
      time = data.T
      for (const text of [data.p, data.q]) {
        expect(text).toMatch(/^(0|[1-9]\d*)\.\d{8}$/)
        expect(Number(text)).toBeGreaterThan(0)
      }
    }
    expect(ids.size).toBe(3)
  })

  test('trades at the rate that was asked for', () => {
    const last = JSON.parse(frames(3).at(-1) ?? '').data.T
    expect((last - from) / 1_000).toBeGreaterThan(4.5)
    expect((last - from) / 1_000).toBeLessThan(5.5)
  })

  test('can have ten thousand symbols, and bare frames of about 130 bytes', () => {
    let bytes = 0
    const seen = new Set<string>()
    for (const frame of simulatedFrames({ seed: 1, symbols: 10_000, from, count: 50_000, bare: true })) {
      bytes += frame.length
      seen.add(JSON.parse(frame.toString()).s)
    }
    expect(bytes / 50_000).toBeGreaterThan(115)
    expect(bytes / 50_000).toBeLessThan(140)
    expect(seen.size).toBeGreaterThan(9_000)
  })

  test.each([
    ['no symbol', { symbols: [] }],
    ['a symbol twice', { symbols: ['A', 'A'] }],
    ['a lower-case symbol', { symbols: ['btcusdt'] }],
    ['a rate of 0', { symbols: ['A'], tradesPerSecond: 0 }],
  ])('%s is a configuration error', (_, options) => {
    expect(() => [...simulatedFrames({ seed: 1, from, count: 1, ...options })]).toThrow(ConfigurationError)
  })
})

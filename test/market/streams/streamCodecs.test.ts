import { describe, expect, test } from 'vitest'
import { parseFixed8 } from '../../../src/exact/decimal.ts'
import { aggTradeCodec } from '../../../src/market/streams/aggTrade.ts'
import { bookTickerCodec } from '../../../src/market/streams/bookTicker.ts'
import { depthCodec } from '../../../src/market/streams/depthDiff.ts'
import { klineCodec } from '../../../src/market/streams/kline.ts'
import { miniTickerCodec } from '../../../src/market/streams/miniTicker.ts'
import { partialDepthCodec } from '../../../src/market/streams/partialDepth.ts'
import { streamTradeCodec } from '../../../src/market/streams/streamTrade.ts'
import { tickerCodec } from '../../../src/market/streams/ticker.ts'
import type { Market } from '../../../src/market/trade.ts'
import { type Codec, Rejection } from '../../../src/runtime/log/codec.ts'
import { recordOf } from '../../codecs/recordOf.ts'
import { hasCaptures, readCaptures } from './captures.ts'

const makers = {
  trade: streamTradeCodec,
  aggTrade: aggTradeCodec,
  kline: klineCodec,
  ticker: tickerCodec,
  miniTicker: miniTickerCodec,
  bookTicker: bookTickerCodec,
  depth: depthCodec,
  partialDepth: partialDepthCodec,
} as const
type Kind = keyof typeof makers
const kinds = Object.keys(makers) as Kind[]

function codecOf(kind: Kind, market: Market = 'spot', timeUnit: 'ms' | 'us' = 'ms', symbols?: string[]) {
  const options = { market, timeUnit, ...(symbols === undefined ? {} : { symbols }) }
  return makers[kind](options) as Codec<{ quality: number; symbol: string }>
}

function decode(codec: Codec<unknown>, text: string, key: string | null = null): unknown {
  return codec.decode(recordOf({ key: key === null ? null : Buffer.from(key), value: Buffer.from(text) }))
}

const time = 1_723_161_255_343

/** A sound payload of each stream, as the exchange documents them. */
const payloads: Readonly<Record<Kind, Record<string, unknown>>> = {
  trade: { e: 'trade', E: time, s: 'BTCUSDT', t: 12345, p: '0.001', q: '100', T: time - 1, m: true, M: true },
  aggTrade: { e: 'aggTrade', E: time, s: 'BTCUSDT', a: 5, p: '0.001', q: '100', f: 100, l: 105, T: time - 1, m: true },
  kline: {
    e: 'kline',
    E: time,
    s: 'BTCUSDT',
    k: {
      t: time - 15_343,
      T: time + 44_656,
      s: 'BTCUSDT',
      i: '1m',
      f: 100,
      L: 200,
      o: '0.0010',
      c: '0.0020',
      h: '0.0025',
      l: '0.0010',
      v: '1000',
      n: 101,
      x: false,
      q: '1.0000',
      V: '500',
      Q: '0.500',
      B: '123456',
    },
  },
  ticker: {
    e: '24hrTicker',
    E: time,
    s: 'BTCUSDT',
    p: '-0.0015',
    P: '-60.000',
    w: '0.0018',
    x: '0.0009',
    c: '0.0010',
    Q: '10',
    b: '0.0024',
    B: '10',
    a: '0.0026',
    A: '100',
    o: '0.0025',
    h: '0.0025',
    l: '0.0010',
    v: '10000',
    q: '18',
    O: time - 86_400_000,
    C: time,
    F: 0,
    L: 18150,
    n: 18151,
  },
  miniTicker: {
    e: '24hrMiniTicker',
    E: time,
    s: 'BTCUSDT',
    c: '0.0025',
    o: '0.0010',
    h: '0.0025',
    l: '0.0010',
    v: '10000',
    q: '18',
  },
  bookTicker: { u: 400900217, s: 'BTCUSDT', b: '25.35190000', B: '31.21000000', a: '25.36520000', A: '40.66000000' },
  depth: {
    e: 'depthUpdate',
    E: time,
    s: 'BTCUSDT',
    U: 157,
    u: 160,
    b: [['0.0024', '10']],
    a: [['0.0026', '100']],
  },
  partialDepth: {
    lastUpdateId: 160,
    bids: [5, 4, 3, 2, 1].map((price) => [`0.002${price}`, '10']),
    asks: [6, 7, 8, 9].map((price) => [`0.002${price}`, '100']).concat([['0.0030', '1']]),
  },
}

const streamNames: Readonly<Record<Kind, string>> = {
  trade: 'btcusdt@trade',
  aggTrade: 'btcusdt@aggTrade',
  kline: 'btcusdt@kline_1m',
  ticker: 'btcusdt@ticker',
  miniTicker: 'btcusdt@miniTicker',
  bookTicker: 'btcusdt@bookTicker',
  depth: 'btcusdt@depth@100ms',
  partialDepth: 'btcusdt@depth5@100ms',
}

/** What a captured frame is, by the name of its stream; the book that stands at the begin of a capture has none. */
function kindOf(frame: Buffer): Kind {
  const [, name = 'partialDepth'] = /"stream":"[^@"]+@(\w+)/.exec(frame.toString('latin1')) ?? []
  return name === 'kline_1m' ? 'kline' : (name as Kind)
}

const combined = (kind: Kind, payload: unknown = payloads[kind]) =>
  JSON.stringify({ stream: streamNames[kind], data: payload })

describe.each(kinds)('%s', (kind) => {
  test('reads a combined frame and a bare one alike, with full quality', () => {
    const codec = codecOf(kind)
    const one = decode(codec, combined(kind))
    expect(one).toMatchObject({ type: kind, market: 'spot', symbol: 'BTCUSDT', quality: 100 })
    const bare = decode(codec, JSON.stringify(payloads[kind]), 'BTCUSDT')
    expect(bare).toStrictEqual(kind === 'partialDepth' ? { ...(one as object), levels: null } : one)
  })

  test('reads a frame in place and by JSON.parse alike', () => {
    const codec = codecOf(kind)
    const spaced = JSON.stringify({ stream: streamNames[kind], data: payloads[kind] }, null, 2)
    expect(decode(codec, spaced)).toStrictEqual(decode(codec, combined(kind)))
  })

  test('passes over frames of every other stream, heartbeats, answers and lists of all symbols', () => {
    const codec = codecOf(kind)
    for (const other of kinds) {
      if (other === kind) continue
      expect(decode(codec, combined(other)), other).toBeUndefined()
      expect(decode(codec, JSON.stringify(payloads[other])), other).toBeUndefined()
    }
    for (const text of [
      '{"e":"heartbeat","E":1723161255343}',
      '{"result":null,"id":1}',
      '{"error":{"code":2,"msg":"Invalid request"},"id":1}',
      '{"e":"serverShutdown","E":1723161255343}',
      '{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1723161255343}}',
      '{"stream":"!miniTicker@arr","data":[{"e":"24hrMiniTicker"}]}',
      '{"stream":"btcusdt@ticker_1h","data":{"e":"1hTicker","E":1}}',
      '{"stream":"btcusdt@avgPrice","data":{"e":"avgPrice","E":1}}',
    ]) {
      expect(decode(codec, text), text).toBeUndefined()
    }
  })

  test('rejects what is damaged, or is nothing that is known', () => {
    const codec = codecOf(kind)
    const fields = Object.keys(payloads[kind]).filter((name) => name !== 'M')
    for (const field of fields) {
      // Without its mark a payload is told by the name of the stream alone.
      const { [field]: _, ...rest } = payloads[kind]
      const isOptional = kind === 'ticker' && ['x', 'b', 'B', 'a', 'A'].includes(field)
      const result = decode(codec, combined(kind, rest))
      if (isOptional) expect(result).toMatchObject({ type: kind })
      else expect(result, field).toBeInstanceOf(Rejection)
      const odd = decode(codec, combined(kind, { ...payloads[kind], [field]: { nested: true } }))
      expect(odd, field).toBeInstanceOf(Rejection)
    }
    for (const text of [
      '',
      'null',
      '[]',
      '{}',
      '"x"',
      '{"stream":7}',
      '{"e":7}',
      '{"stream":"btcusdt@',
      'a'.repeat(300),
    ]) {
      expect(decode(codec, text), text).toMatchObject({ reason: 'malformed' })
    }
    expect(codec.decode(recordOf({ value: null }))).toMatchObject({ reason: 'malformed' })
    expect(codec.decode(recordOf({ value: Buffer.from([0x7b, 0xff, 0x7d]) }))).toMatchObject({ reason: 'malformed' })
    expect(decode(codec, `${'['.repeat(100_000)}`)).toBeInstanceOf(Rejection)
  })

  test('takes only the symbols that it was told', () => {
    expect(decode(codecOf(kind, 'spot', 'ms', ['ETHUSDT']), combined(kind))).toMatchObject({ reason: 'unknown-symbol' })
    expect(() => codecOf(kind, 'spot', 'ms', ['btcusdt'])).toThrow('must be in upper case')
  })

  test('refuses times in the other unit, and says which it is', () => {
    if (kind === 'bookTicker' || kind === 'partialDepth') return
    const result = decode(codecOf(kind, 'spot', 'us'), combined(kind))
    expect(result).toMatchObject({ reason: 'out-of-range', detail: expect.stringContaining('--time-unit ms') })
  })
})

test('times in microseconds are milliseconds of the record, rounded down', () => {
  const { k } = payloads.kline as { k: Record<string, unknown> }
  const us = {
    ...payloads.kline,
    E: time * 1_000 + 999,
    k: { ...k, t: 1_723_161_240_000_000, T: 1_723_161_299_999_999 },
  }
  expect(decode(codecOf('kline', 'spot', 'us'), combined('kline', us))).toMatchObject({
    eventTime: time,
    openTime: 1_723_161_240_000,
    closeTime: 1_723_161_299_999,
  })
})

test('prices are exact, also below zero and beyond what a double holds', () => {
  const big = '123456789012345678.12345678'
  expect(decode(codecOf('ticker'), combined('ticker'))).toMatchObject({
    priceChange: -150000,
    priceChangePercent: -6000000000,
  })
  expect(decode(codecOf('aggTrade'), combined('aggTrade', { ...payloads.aggTrade, p: big }))).toMatchObject({
    price: parseFixed8(big),
  })
  expect(parseFixed8(big)).toBe(12345678901234567812345678n)
})

test('a partial book without a name takes the symbol of its key, and is set aside without one', () => {
  const text = JSON.stringify(payloads.partialDepth)
  expect(decode(codecOf('partialDepth'), text, 'ethusdt')).toMatchObject({
    symbol: 'ETHUSDT',
    eventTime: 1_723_118_400_000,
  })
  expect(decode(codecOf('partialDepth'), text)).toMatchObject({ reason: 'no-symbol' })
})

test('a partial book of futures looks like a change and is none', () => {
  const data = { ...payloads.depth, T: time, pu: 150 }
  const text = JSON.stringify({ stream: 'btcusdt@depth5@100ms', data })
  expect(decode(codecOf('depth', 'usdm'), text)).toBeUndefined()
  expect(decode(codecOf('partialDepth', 'usdm'), text)).toMatchObject({
    type: 'partialDepth',
    eventTime: time,
    levels: 5,
  })
})

test('no list of levels is longer than the exchange makes them', () => {
  const levels = (count: number) => Array.from({ length: count }, () => ['1', '1'])
  const depth = (count: number) => decode(codecOf('depth'), combined('depth', { ...payloads.depth, b: levels(count) }))
  expect(depth(5_000)).toMatchObject({ type: 'depth' })
  expect(depth(5_001)).toBeInstanceOf(Rejection)
})

describe.skipIf(!hasCaptures)('the captures of ../shared/data', () => {
  test('decode without a dead letter, every stream, and every record is sound', () => {
    const counts: Record<string, number> = {}
    const worst: Record<string, number> = {}
    for (const { name, market, frames } of readCaptures()) {
      let receivedAt = 0
      const options = { market, timeUnit: 'ms', receivedAt: () => receivedAt } as const
      const codecs = kinds.map((kind) => [kind, makers[kind](options) as Codec<{ quality: number }>] as const)
      for (const [index, captured] of frames.entries()) {
        receivedAt = captured.receivedAt
        const record = recordOf({ key: Buffer.from('BTCUSDT'), value: captured.frame })
        record.timestamp = receivedAt
        const expected = kindOf(captured.frame)
        // Every codec sees a share of the frames; all of a stream are for its own.
        const shown = index % 50 === 0 ? codecs : codecs.filter(([kind]) => kind === expected)
        for (const [kind, codec] of shown) {
          const value = codec.decode(record)
          if (value instanceof Rejection) throw new Error(`${name} ${kind} ${value.detail}: ${captured.frame}`)
          expect(value !== undefined).toBe(kind === expected)
          if (value === undefined) continue
          worst[kind] = Math.min(worst[kind] ?? 100, value.quality)
          counts[kind] = (counts[kind] ?? 0) + 1
        }
      }
    }
    expect(counts).toStrictEqual({
      trade: 19_904,
      aggTrade: 104,
      kline: 74,
      bookTicker: 73_999,
      depth: 7_772,
      partialDepth: 1,
    })
    expect(worst).toStrictEqual({
      trade: 100,
      aggTrade: 100,
      kline: 100,
      bookTicker: 100,
      depth: 100,
      partialDepth: 100,
    })
  })
})

if (!hasCaptures) {
  test('the captures are not there: ../shared/data/captures is missing', (context) => {
    context.skip('../shared/data/captures is missing')
  })
}

import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isJsonObject, maxJsonDepth } from '../../src/codecs/jsonText.ts'
import type { TimeUnit } from '../../src/market/timeUnit.ts'
import { eventTimeOf, idKeyOf, isGap, isOfThePast, isTrade, type MarketEvent } from '../../src/market/trade.ts'
import { INVALID, type TradeCodec, tradeCodec } from '../../src/market/tradeCodec.ts'
import { ConfigurationError } from '../../src/runtime/errors.ts'
import { type Lender, Rejection } from '../../src/runtime/log/codec.ts'
import { ReadAhead } from '../../src/runtime/log/readAhead.ts'
import { RecordView } from '../../src/runtime/log/record.ts'
import { kept } from '../../src/runtime/spans/lent.ts'
import { encodeRecordBatch } from '../../src/sources/recordBatch/encode.ts'
import { RecordBatchWalker } from '../../src/sources/recordBatch/walker.ts'
import { columnsAgree } from '../codecs/columnsAgree.ts'
import { lendsTogether } from '../codecs/lendsTogether.ts'

const data = new URL('../../../shared/data/', import.meta.url)
const spotFrame =
  '{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}}'
const usdmFrame =
  '{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161256322,"T":1723161256321,"s":"BTCUSDT","t":5266583935,"p":"61800.30","q":"0.006","X":"MARKET","m":false}}'
const bareFrame = '{"e":"trade","E":1723161255343,"s":"ETHUSDT","t":1,"p":"2500","q":"1.5","T":1723161255342,"m":false}'
const heartbeatFrame = '{"e":"heartbeat","E":1723161255343}'
const sound = [spotFrame, usdmFrame, bareFrame, heartbeatFrame]

function viewOf(value: Buffer, before = 3, after = 100): RecordView {
  const record = new RecordView()
  record.buffer = Buffer.concat([Buffer.alloc(before, 0x31), value, Buffer.alloc(after, 0x31)])
  record.valueStart = before
  record.valueLength = value.length
  return record
}

const questions = [isTrade, isGap, isOfThePast, idKeyOf, eventTimeOf]
const lenders = new WeakMap<TradeCodec, Lender<MarketEvent>>()

/** What is lent of the frame, between two others that were read with it; undefined where it is left to `decode`. */
function lentOf(codec: TradeCodec, value: Buffer): MarketEvent | undefined {
  const values = [Buffer.from(bareFrame), value, Buffer.from(spotFrame)]
  const records = values.map((one) => ({ timestamp: 0, key: null, value: one, headers: [] }))
  const ahead = new ReadAhead(3)
  ahead.next(new RecordBatchWalker('trades', 0).load(encodeRecordBatch(0, records)))
  const lender = lenders.get(codec) ?? codec.lender?.(3)
  if (lender === undefined) throw new Error('the codec lends nothing')
  lenders.set(codec, lender)
  lender.read(ahead)
  return lender.lend(1)
}

/** Decodes both ways, in the middle and at the end of a buffer, and holds the results against each other. */
function agree(codec: TradeCodec, value: Buffer): unknown {
  const interpreted = codec.interpret(value, 0, value.length)
  for (const after of [100, 0]) {
    const record = viewOf(value, 3, after)
    const fast = codec.decodeFast(record.buffer, 3, 3 + value.length)
    if (fast !== INVALID) assert.deepEqual(fast, interpreted)
    const facts = { isJsonObject: false }
    assert.deepEqual(codec.decode(record, facts), interpreted)
    if (facts.isJsonObject) assert(isJsonObject(value, 0, value.length))
  }
  const lent = lentOf(codec, value)
  if (lent !== undefined) {
    assert.deepEqual(kept(lent), interpreted)
    assert.equal(JSON.stringify(lent), JSON.stringify(interpreted))
    assert.deepEqual({ ...lent }, interpreted)
    const found = columnsAgree(lent, 1, { ...lent }, questions)
    if (found !== 13) assert.equal(found, 11)
    assert(isJsonObject(value, 0, value.length))
  }
  if (interpreted instanceof Rejection) {
    assert.match(interpreted.reason, /^(malformed|out-of-range|unknown-symbol)$/)
    assert(interpreted.detail.length > 0 && interpreted.detail.length <= 240)
  }
  return interpreted
}

const spot = (timeUnit: TimeUnit = 'ms') => tradeCodec({ market: 'spot', timeUnit })
const decode = (text: string, codec = spot()) => agree(codec, Buffer.from(text))
const reasonOf = (value: unknown) => (value instanceof Rejection ? value.reason : value)

describe('a frame becomes', () => {
  test('a trade, combined', () => {
    expect(lentOf(spot(), Buffer.from(spotFrame))).toBeDefined()
    expect(decode(spotFrame)).toStrictEqual({
      type: 'trade',
      market: 'spot',
      symbol: 'BTCUSDT',
      tradeId: 3735683259,
      price: 6183763000000,
      quantity: 2000000,
      tradeTime: 1723161255342,
      isBuyerMaker: true,
    })
  })

  test('a trade of the futures, with its own order of fields and short decimals', () => {
    expect(decode(usdmFrame, tradeCodec({ market: 'usdm', timeUnit: 'ms' }))).toStrictEqual({
      type: 'trade',
      market: 'usdm',
      symbol: 'BTCUSDT',
      tradeId: 5266583935,
      price: 6180030000000,
      quantity: 600000,
      tradeTime: 1723161256321,
      isBuyerMaker: false,
    })
  })

  test('a trade, bare', () => {
    expect(decode(bareFrame)).toMatchObject({ symbol: 'ETHUSDT', price: 250000000000, quantity: 150000000 })
  })

  test('a heartbeat, whose time is in ms whatever the unit of the exchange', () => {
    const heartbeat = { type: 'heartbeat', time: 1723161255343 }
    expect(decode(heartbeatFrame)).toStrictEqual(heartbeat)
    expect(decode(heartbeatFrame, spot('us'))).toStrictEqual(heartbeat)
  })

  test('a trade whose microseconds are rounded down to ms', () => {
    const frame = spotFrame
      .replaceAll('1723161255342', '1723161255342999')
      .replaceAll('1723161255343', '1723161255343001')
    expect(decode(frame, spot('us'))).toMatchObject({ tradeTime: 1723161255342 })
  })

  test('a trade with sums beyond 2^53 as bigint', () => {
    const frame = spotFrame.replace('61837.63000000', '1600000000.00000001').replace('0.02000000', '1000000000.00')
    expect(decode(frame)).toMatchObject({ price: 160000000000000001n, quantity: 100000000000000000n })
  })

  test('a trade of a symbol in another script', () => {
    expect(decode(spotFrame.replace('BTCUSDT', '币安人生USDT'))).toMatchObject({ symbol: '币安人生USDT' })
  })

  test.each([
    ['another kind of fill', usdmFrame.replace('MARKET', 'INSURANCE_FUND')],
    ['no kind of fill', usdmFrame.replace('MARKET', 'NA')],
    ['price zero', spotFrame.replace('61837.63000000', '0.00000000')],
    ['quantity zero', usdmFrame.replace('0.006', '0')],
    ['a book ticker', '{"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"1"}}'],
    ['a bare book ticker', '{"u":1,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"1"}'],
    ['a depth update', '{"e":"depthUpdate","E":1723161255343,"s":"BTCUSDT","U":1,"u":2,"b":[["1","2"]],"a":[]}'],
    ['a partial book', '{"stream":"btcusdt@depth5","data":{"lastUpdateId":1,"bids":[],"asks":[]}}'],
    [
      'an aggregated trade',
      '{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1,"s":"BTCUSDT","a":1,"p":"1","q":"1","f":1,"l":1,"T":1,"m":true}}',
    ],
    ['a kline', '{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1,"s":"BTCUSDT","k":{}}}'],
    ['tickers of all symbols', '{"stream":"!miniTicker@arr","data":[{"e":"24hrMiniTicker"}]}'],
    ['a shutdown notice', '{"e":"serverShutdown","E":1723161255343}'],
    ['an answer to a request', '{"result":null,"id":1}'],
  ])('nothing for %s', (_name, frame) => {
    expect(decode(frame)).toBeUndefined()
  })
})

describe('a rejection says what is wrong', () => {
  test.each<[string, string, RegExp]>([
    ['{"stream":', 'malformed', /^not JSON, 10 bytes$/],
    ['', 'malformed', /^not JSON, 0 bytes$/],
    ['\ufeff{}', 'malformed', /^not JSON/],
    ['[]', 'malformed', /not an object/],
    ['null', 'malformed', /not an object/],
    ['{}', 'malformed', /^e: .*got nothing$/],
    ['{"result":5,"id":1}', 'malformed', /^e: /],
    [spotFrame.slice(0, -1), 'malformed', /^not JSON, 167 bytes$/],
    [spotFrame.replace('"trade"', '"trbde"'), 'malformed', /^data\.e: /],
    [spotFrame.replace('"m":true', '"m":1'), 'malformed', /^data\.m: .*got 1$/],
    [spotFrame.replace('"m":true', '"n":true'), 'malformed', /^data\.m: .*got nothing$/],
    [spotFrame.replace('61837.63000000', '1e999'), 'out-of-range', /^data\.p: .*got "1e999"$/],
    [spotFrame.replace('61837.63000000', '-1.5'), 'out-of-range', /^data\.p: .*got "-1\.5"$/],
    [spotFrame.replace('61837.63000000', 'NaN'), 'malformed', /^data\.p: .*got text of 3 characters$/],
    [spotFrame.replace('61837.63000000', '0.123456789'), 'out-of-range', /^data\.p: /],
    [spotFrame.replace('0.02000000', '123456789012345678901234567890'), 'out-of-range', /^data\.q: /],
    [spotFrame.replace('"61837.63000000"', '61837.63'), 'malformed', /^data\.p: /],
    [spotFrame.replace('"T":1723161255342', '"T":32503680000000'), 'out-of-range', /^data\.T: .*got 32503680000000$/],
    [spotFrame.replace('"T":1723161255342', '"T":1723161255342000'), 'out-of-range', /^data\.T: /],
    [spotFrame.replace('"T":1723161255342', '"T":0'), 'out-of-range', /^data\.T: /],
    [spotFrame.replace('"T":1723161255342', '"T":1e999'), 'out-of-range', /^data\.T: .*got Infinity$/],
    [spotFrame.replace('"T":1723161255342', '"T":"1723161255342"'), 'malformed', /^data\.T: /],
    [spotFrame.replace('3735683259', '-1'), 'out-of-range', /^data\.t: .*got -1$/],
    [spotFrame.replace('3735683259', '9007199254740993'), 'out-of-range', /^data\.t: /],
    [spotFrame.replace('3735683259', '1.5'), 'malformed', /^data\.t: .*got 1\.5$/],
    [spotFrame.replace('BTCUSDT', 'btcusdt'), 'malformed', /^data\.s: /],
    [spotFrame.replace('BTCUSDT', ''), 'malformed', /^data\.s: /],
    [spotFrame.replace('BTCUSDT', 'A'.repeat(51)), 'malformed', /^data\.s: .*got text of 51 characters$/],
    [usdmFrame.replace('"MARKET"', 'null'), 'malformed', /^data\.X: /],
    [`{"data":${bareFrame}}`, 'malformed', /^stream: /],
    [heartbeatFrame.replace('343', '343000'), 'out-of-range', /^E: /],
  ])('%j', (frame, reason, detail) => {
    const rejection = decode(frame)
    expect(rejection).toBeInstanceOf(Rejection)
    expect(rejection).toMatchObject({ reason, detail: expect.stringMatching(detail) })
  })

  test('a time in ms is refused where us were asked for', () => {
    expect(reasonOf(decode(spotFrame, spot('us')))).toBe('out-of-range')
  })

  test('a symbol that was not asked for is unknown', () => {
    const codec = tradeCodec({ market: 'spot', timeUnit: 'ms', symbols: ['ETHUSDT'] })
    expect(decode(spotFrame, codec)).toStrictEqual(
      new Rejection('unknown-symbol', 'BTCUSDT is none of the 1 symbols of this pipeline'),
    )
    expect(decode(bareFrame, codec)).toMatchObject({ symbol: 'ETHUSDT' })
  })

  test('a record without a value is malformed', () => {
    expect(reasonOf(spot().decode(new RecordView()))).toBe('malformed')
  })

  test('bytes that are not UTF-8 are malformed, wherever they stand', () => {
    for (const at of [2, 13, 45, 80, spotFrame.length - 3]) {
      const bytes = Buffer.from(spotFrame)
      bytes[at] = 0xff
      expect(reasonOf(agree(spot(), bytes))).toBe('malformed')
    }
  })

  test('symbols in lower case are a mistake of the settings', () => {
    expect(() => tradeCodec({ market: 'spot', timeUnit: 'ms', symbols: ['btcusdt'] })).toThrow(ConfigurationError)
  })
})

describe('the fast path', () => {
  test('runs for every plain frame, in any order of fields and with fields it does not know', () => {
    const codec = spot()
    fc.assert(
      fc.property(
        fc.constantFrom(spotFrame, usdmFrame, bareFrame),
        fc.infiniteStream(fc.nat()),
        fc.array(fc.jsonValue(), { maxLength: 3 }),
        (text, random, extras) => {
          const shuffle = (value: object) =>
            Object.fromEntries(
              Object.entries(value)
                .map(([key, item]) => ({ key, item, rank: random.next().value as number }))
                .sort((a, b) => a.rank - b.rank)
                .map(({ key, item }): [string, unknown] => [
                  key,
                  typeof item === 'object' && item !== null ? shuffle(item) : item,
                ]),
            )
          const frame = shuffle({
            ...JSON.parse(text),
            ...Object.fromEntries(extras.map((extra, index) => [`extra${index}`, extra])),
          })
          const bytes = Buffer.from(JSON.stringify(frame))
          expect(agree(codec, bytes)).toMatchObject({ type: 'trade' })
          expect(spot().decodeFast(bytes, 0, bytes.length)).not.toBe(INVALID)
        },
      ),
      { numRuns: 1_000 },
    )
  })

  test('steps aside for what it does not know, and the result is the same', () => {
    const codec = spot()
    for (const frame of [
      spotFrame.replace(',"E"', ', "E"'),
      spotFrame.replace('"E":', '"\\u0045":'),
      spotFrame.replace('3735683259', '3735683259.0'),
      spotFrame.replace('"t":3735683259', '"t":5,"t":3735683259'),
      spotFrame.replace('"M":true', '"M":true,"p":"61837.63"'),
      `${spotFrame} `,
    ]) {
      const bytes = Buffer.from(frame)
      expect(agree(codec, bytes)).toMatchObject({ type: 'trade', tradeId: 3735683259, price: 6183763000000 })
      expect(codec.decodeFast(bytes, 0, bytes.length)).toBe(INVALID)
    }
  })

  test('reads a text with escapes in place', () => {
    const bytes = Buffer.from(spotFrame.replace('"BTCUSDT"', '"BTC\\u0055SDT"'))
    const codec = spot()
    expect(agree(codec, bytes)).toMatchObject({ type: 'trade', symbol: 'BTCUSDT' })
    expect(codec.decodeFast(bytes, 0, bytes.length)).toMatchObject({ type: 'trade', symbol: 'BTCUSDT' })
  })

  test('leaves a frame that is combined and bare at once to the rule of the interpreter', () => {
    const both = bareFrame.replace('{', '{"stream":"x@trade","data":5,')
    expect(reasonOf(decode(both))).toBe('malformed')
    expect(reasonOf(decode(bareFrame.replace('{', '{"data":5,')))).toBe('malformed')
    expect(decode(`${spotFrame.slice(0, -1)},${bareFrame.slice(1)}`)).toMatchObject({ symbol: 'BTCUSDT' })
  })

  test('takes the last of a field that is there twice, as JSON.parse does', () => {
    expect(decode(bareFrame.replace('"t":1', '"t":1,"t":2'))).toMatchObject({ tradeId: 2 })
    expect(decode(spotFrame.replace('"data":', '"data":{"e":"x"},"data":'))).toMatchObject({ symbol: 'BTCUSDT' })
  })

  test('keeps nothing of one frame for the next', () => {
    const codec = tradeCodec({ market: 'usdm', timeUnit: 'ms' })
    expect(decode(usdmFrame.replace('MARKET', 'NA'), codec)).toBeUndefined()
    expect(decode(usdmFrame.replace('"X":"MARKET",', ''), codec)).toMatchObject({ type: 'trade' })
    expect(decode(usdmFrame.replace('0.006', '99999999999'), codec)).toMatchObject({ quantity: 9999999999900000000n })
    expect(decode(usdmFrame, codec)).toMatchObject({ quantity: 600000 })
  })

  test('stays right with more symbols and more orders of fields than it remembers', () => {
    const codec = spot()
    for (let index = 0; index < 10_000; index += 1) {
      const bytes = Buffer.from(spotFrame.replace('BTCUSDT', `S${index}USDT`).replace('"M"', `"M${index % 20}"`))
      expect(codec.decode(viewOf(bytes))).toMatchObject({ symbol: `S${index}USDT`, tradeId: 3735683259 })
    }
  })
})

describe('what was read in place is known to be one JSON object', () => {
  const isKnown = (codec: TradeCodec, text: string) => {
    const facts = { isJsonObject: false }
    codec.decode(viewOf(Buffer.from(text)), facts)
    return facts.isJsonObject
  }

  test('for every plain frame, whatever becomes of it', () => {
    const codec = tradeCodec({ market: 'spot', timeUnit: 'ms', symbols: ['BTCUSDT'] })
    for (const frame of [...sound, usdmFrame.replace('MARKET', 'INSURANCE_FUND')])
      expect(isKnown(codec, frame)).toBe(true)
  })

  test('and nothing is known of what only the interpreter understands', () => {
    for (const text of [
      `${spotFrame}\n`,
      `${spotFrame} `,
      '{"e":"depth"}',
      '[1]',
      'null',
      spotFrame.replace('"M"', '"\\u004d"'),
    ])
      expect(isKnown(spot(), text)).toBe(false)
  })

  test('down to the depth that isJsonObject allows, in a field that is passed over', () => {
    const nested = (depth: number) => spotFrame.replace('"M":true', `"M":${'['.repeat(depth)}${']'.repeat(depth)}`)
    const codec = spot()
    expect(isKnown(codec, spotFrame)).toBe(true)
    for (let depth = maxJsonDepth - 4; depth <= maxJsonDepth + 4; depth++) {
      const text = nested(depth)
      const known = isKnown(codec, text)
      expect(known).toBe(depth <= maxJsonDepth - 2)
      expect(known).toBe(isJsonObject(Buffer.from(text), 0, text.length))
      agree(codec, Buffer.from(text))
    }
  })
})

test('how far one trade lends: no further than to frames of another kind, or to what is left to decode', () => {
  const codec = spot()
  const broken = bareFrame.slice(0, -1)
  const values = [bareFrame, bareFrame, spotFrame, spotFrame, broken, spotFrame, bareFrame]
  const expected = values.map((value) => (value === broken ? undefined : agree(codec, Buffer.from(value))))
  expect(lendsTogether(codec, values, expected)).toBe(1 + 1)
})

describe('fast path and interpreter agree on hostile input:', () => {
  const codecs = [spot(), spot('us'), tradeCodec({ market: 'usdm', timeUnit: 'ms', symbols: ['BTCUSDT'] })]
  const all = (bytes: Buffer) => {
    for (const codec of codecs) agree(codec, bytes)
  }

  test('bits flipped, bytes set, inserted, deleted, cut off', () => {
    const change = fc.record({
      at: fc.nat(),
      kind: fc.constantFrom('flip', 'set', 'insert', 'delete', 'cut'),
      byte: fc.integer({ min: 0, max: 255 }),
    })
    fc.assert(
      fc.property(fc.constantFrom(...sound), fc.array(change, { minLength: 1, maxLength: 2 }), (frame, changes) => {
        let bytes = Buffer.from(frame)
        for (const { at, kind, byte } of changes) {
          const place = at % (bytes.length + 1)
          const head = bytes.subarray(0, place)
          if (kind === 'cut') bytes = Buffer.from(head)
          else if (kind === 'insert') bytes = Buffer.concat([head, Buffer.from([byte]), bytes.subarray(place)])
          else if (kind === 'delete') bytes = Buffer.concat([head, bytes.subarray(place + 1)])
          else if (place < bytes.length)
            bytes[place] = kind === 'set' ? byte : (bytes[place] as number) ^ (1 << (byte & 7))
        }
        all(bytes)
      }),
      { numRuns: 2_000 },
    )
  })

  test('every single bit of a frame flipped', () => {
    for (const frame of sound) {
      for (let bit = 0; bit < frame.length * 8; bit += 1) {
        const bytes = Buffer.from(frame)
        bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
        all(bytes)
      }
    }
  })

  test('any value in the place of any other', () => {
    const hostile = fc.oneof(
      fc.jsonValue().map((value) => JSON.stringify(value)),
      fc.constantFrom(
        '1e999',
        '-1',
        '-0',
        '0',
        '00',
        '01',
        '1.0',
        '9007199254740991',
        '9007199254740992',
        '99999999999999999999',
        'NaN',
        '"NaN"',
        'True',
      ),
      fc.constantFrom(
        '""',
        '"0"',
        '"0.0"',
        '"-0"',
        '"."',
        '"1."',
        '"1e999"',
        '"\\u0031"',
        '"MARKET"',
        '"trade"',
        '"BTCUSDT"',
        '{}',
        '[[[]]]',
        'null',
      ),
      fc.stringMatching(/^"[0-9]{0,20}\.?[0-9]{0,20}"$/),
      fc.stringMatching(/^[0-9]{1,18}$/),
    )
    fc.assert(
      fc.property(fc.constantFrom(...sound), fc.nat(), hostile, (frame, choice, value) => {
        const values = [...frame.matchAll(/(?<=":)("[^"]*"|\d+|true|false|\{.*\}(?=\}))/g)]
        const match = values[choice % values.length] as RegExpExecArray
        all(Buffer.from(frame.slice(0, match.index) + value + frame.slice(match.index + match[0].length)))
      }),
      { numRuns: 2_000 },
    )
  })

  test('arbitrary bytes and arbitrary JSON', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => all(Buffer.from(bytes))))
    fc.assert(fc.property(fc.json(), (text) => all(Buffer.from(text))))
  })

  test('a megabyte of anything', () => {
    const size = 1_000_000
    for (const text of [
      '['.repeat(size),
      `${'['.repeat(size / 2)}${']'.repeat(size / 2)}`,
      '{"data":'.repeat(size / 8),
      spotFrame.replace('BTCUSDT', 'A'.repeat(size)),
      spotFrame.replace('61837.63000000', '1'.repeat(size)),
      spotFrame.replace('61837.63000000', `1.${'0'.repeat(size)}`),
      spotFrame.replace('3735683259', '9'.repeat(size)),
      spotFrame.replace('"M":true', `"M":"${'x'.repeat(size)}"`),
      spotFrame.replace('"M":true', `"${'x'.repeat(size)}":1`),
      spotFrame.replace('"M":true', `"M":${'['.repeat(1000)}${']'.repeat(1000)}`),
      ' '.repeat(size),
    ]) {
      agree(codecs[0] as TradeCodec, Buffer.from(text))
    }
    agree(codecs[0] as TradeCodec, Buffer.alloc(size, 0))
    agree(codecs[0] as TradeCodec, Buffer.alloc(size, 0xff))
  })
})

function linesOf(file: URL): Buffer[] {
  const bytes = gunzipSync(readFileSync(file))
  const lines: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const found = bytes.indexOf(10, at)
    const end = found < 0 ? bytes.length : found
    lines.push(bytes.subarray(at, end))
    at = end + 1
  }
  return lines
}

const dataTest = test.skipIf(!existsSync(data))
const skipped = existsSync(data) ? '' : ' (SKIPPED: ../shared/data is absent)'

describe(`recorded data${skipped}`, () => {
  dataTest.each([
    ['spot', 'spot-btcusdt-2024-08-08', 19_904],
    ['usdm', 'usdm-btcusdt-2024-08-08', 21_313],
  ] as const)('the fast path decodes the whole tape of %s', (market, folder, count) => {
    const codec = tradeCodec({ market, timeUnit: 'ms', symbols: ['BTCUSDT'] })
    let trades = 0
    for (const line of linesOf(new URL(`${folder}/frames.trades.jsonl.gz`, data))) {
      const fast = codec.decodeFast(line, 0, line.length)
      expect(fast).toMatchObject({ type: 'trade' })
      expect(fast).toStrictEqual(codec.interpret(line, 0, line.length))
      trades += 1
    }
    expect(trades).toBe(count)
  })

  dataTest('captures of every stream hold trades and nothing that is rejected', () => {
    const codec = spot()
    const counts: Record<string, number> = {}
    for (const file of readdirSync(new URL('captures/', data))) {
      for (const line of linesOf(new URL(`captures/${file}`, data))) {
        const from = line.indexOf('{')
        if (from < 0) continue
        const value = codec.decode(viewOf(line.subarray(from)))
        const kind =
          value instanceof Rejection ? `${file} ${value.reason}: ${value.detail}` : (value?.type ?? 'nothing')
        counts[kind] = (counts[kind] ?? 0) + 1
      }
    }
    expect(Object.keys(counts).sort()).toStrictEqual(['nothing', 'trade'])
    expect(counts.trade).toBe(9_757 + 10_147)
  })
})

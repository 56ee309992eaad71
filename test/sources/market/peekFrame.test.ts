import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type FramePeek, newFramePeek, peekFrame } from '../../../src/sources/market/peekFrame.ts'

const trade =
  '{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}'
const found = { kind: 'trade', symbol: 'BTCUSDT', tradeId: 3735683259, tradeTime: 1723161255342 }

function peek(frame: string | Buffer): FramePeek {
  const into = newFramePeek()
  peekFrame(Buffer.from(frame as string), into)
  return into
}

describe('a trade is found', () => {
  test.each([
    ['bare', trade],
    ['of a combined stream', `{"stream":"btcusdt@trade","data":${trade}}`],
    ['with spaces', ` { "data" : ${trade} , "stream" : "btcusdt@trade" } `],
    ['with unknown fields', trade.replace('{', '{"x":{"y":[1]},"z":1.5e3,')],
    ['in any order of fields', '{"T":1723161255342,"t":3735683259,"s":"BTCUSDT","e":"trade"}'],
    ['with an escaped symbol', trade.replace('BTCUSDT', '\\u0042TCUSDT')],
    ['with a price that is no price', trade.replace('"61837.63000000"', '"1e999"')],
  ])('%s', (_, frame) => {
    expect(peek(frame)).toMatchObject(found)
  })

  test('of a symbol that is not ASCII', () => {
    expect(peek(trade.replace('BTCUSDT', '币安USDT'))).toMatchObject({ kind: 'trade', symbol: '币安USDT' })
  })

  test('the last of two equal keys counts, as JSON.parse has it', () => {
    expect(peek(trade.replace('"M":true', '"t":7'))).toMatchObject({ kind: 'trade', tradeId: 7 })
  })
})

describe('a frame of another stream is known as one', () => {
  test.each([
    ['bookTicker', '{"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"1"}}'],
    ['bookTicker', '{"u":1,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"1"}'],
    [
      'depthUpdate',
      '{"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":1,"s":"X","U":1,"u":2,"b":[["1","2"]],"a":[]}}',
    ],
    ['aggTrade', '{"e":"aggTrade","E":1,"s":"BTCUSDT","a":1,"p":"1","q":"1","f":1,"l":2,"T":1,"m":true}'],
    ['depth', '{"lastUpdateId":1,"bids":[],"asks":[]}'],
    ['miniTicker', '{"stream":"!miniTicker@arr","data":[{"e":"24hrMiniTicker"}]}'],
    ['depth5', '{"stream":"btcusdt@depth5@100ms","data":{"x":1}}'],
    ['reply', '{"result":null,"id":1}'],
    ['serverShutdown', '{"e":"serverShutdown","E":1}'],
  ])('%s', (detail, frame) => {
    const seen = peek(frame)
    expect(seen.kind).toBe('other')
    expect([detail, 'arr']).toContain(seen.detail)
  })
})

describe('nobody can say what it is', () => {
  test.each([
    ['nothing', ''],
    ['broken JSON', trade.slice(0, -1)],
    ['two frames in one', trade + trade],
    ['an array', '[]'],
    ['null', 'null'],
    ['a number', '17'],
    ['an object without an event', '{"foo":1}'],
    ['a combined trade without data', '{"stream":"btcusdt@trade","data":null}'],
    ['an id of text', trade.replace('3735683259', '"3735683259"')],
    ['a time of text', trade.replace('1723161255342', '"now"')],
    ['a time of null', trade.replace('1723161255342', 'null')],
    ['a fractional id', trade.replace('3735683259', '1.5')],
    ['an id past 2^53', trade.replace('3735683259', '9007199254740993')],
    ['no symbol', trade.replace('"BTCUSDT"', '""')],
    ['a symbol of a number', trade.replace('"BTCUSDT"', '5')],
    ['a leading zero', trade.replace('3735683259', '01')],
    ['binary', Buffer.from([0xff, 0xfe, 0x00, 0x80])],
    [
      'bytes that are not UTF-8 in the symbol',
      Buffer.concat([Buffer.from('{"e":"trade","s":"'), Buffer.from([0xff]), Buffer.from('","t":1,"T":1}')]),
    ],
    ['a deep nest', '['.repeat(200_000)],
  ])('%s', (_, frame) => {
    expect(peek(frame as string).kind).toBe('unreadable')
  })
})

test('the scan in place and JSON.parse say the same of every frame', () => {
  const value = fc.oneof(
    fc.constantFrom(
      '"trade"',
      '"BTCUSDT"',
      '""',
      'true',
      'null',
      '1.5',
      '-3',
      '0',
      '1723161255342',
      '99999999999999999',
      '"\\n"',
      '{}',
      '[]',
      'x',
    ),
    fc.nat().map(String),
  )
  const field = fc
    .tuple(fc.constantFrom('e', 's', 't', 'T', 'p', 'E', 'ee', ''), value)
    .map(([key, text]) => `"${key}":${text}`)
  const fields = fc
    .array(field, { maxLength: 6 })
    .map((extra) => ['"e":"trade"', '"s":"ETHUSDT"', '"t":5', '"T":1723161255342', ...extra])
  const bare = fields.chain((all) => fc.shuffledSubarray(all, { minLength: 2 })).map((some) => `{${some.join(',')}}`)
  const wrapped = fc
    .tuple(bare, fc.boolean())
    .map(([text, wrap]) => (wrap ? `{"stream":"x@trade","data":${text}}` : text))
  fc.assert(
    fc.property(wrapped, (text) => {
      const scanned = peek(text)
      // A leading space forces the way through JSON.parse.
      const parsed = peek(` ${text}`)
      expect(scanned.kind).toBe(parsed.kind)
      if (scanned.kind === 'trade')
        expect(scanned).toMatchObject({ symbol: parsed.symbol, tradeId: parsed.tradeId, tradeTime: parsed.tradeTime })
    }),
    { numRuns: 2_000 },
  )
})

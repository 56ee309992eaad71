import {
  batchFlush,
  type Candle,
  definePipeline,
  type MessagesOutlet,
  type Table,
  type Trade,
  textCodec,
  toPostgres,
  topic,
  toTopic,
  toWebhook,
  type Withdrawn,
} from 'millrace'
import { testPipeline } from 'millrace/testing'
import { map, type Observable } from 'rxjs'
import { describe, expect, test } from 'tstyche'

declare const candles: Observable<Candle>
declare const trades: Observable<Trade>
declare const candleTable: Table<Candle>
declare const texts: Observable<string>
declare const numbers: Observable<number>
declare const corrected: Observable<Candle | Withdrawn<Candle>>

type CandleOutlet = ReturnType<typeof toPostgres<Candle>>

describe('a sink and the stream that ends in it', () => {
  test('agree on the row, single or in batches', () => {
    expect(toPostgres(candles, candleTable)).type.toBe<CandleOutlet>()
    expect(toPostgres(candles.pipe(batchFlush({ maxCount: 5 })), candleTable)).type.toBe<CandleOutlet>()
  })

  test('agree on the row where some are taken back, single or in batches', () => {
    expect(toPostgres(corrected, candleTable)).type.toBe<CandleOutlet>()
    expect(toPostgres(corrected.pipe(batchFlush({ maxCount: 5 })), candleTable)).type.toBe<CandleOutlet>()
    expect(toWebhook(corrected, { url: 'https://example.com', body: ({ symbol }) => symbol })).type.toBe<
      MessagesOutlet<Candle>
    >()
    expect(
      toTopic(corrected, { topic: 'candles', at: ({ openTime }) => openTime, encode: ({ symbol }) => symbol }),
    ).type.toBe<MessagesOutlet<Candle>>()
  })

  test('do not take what is taken back for a row', () => {
    // @ts-expect-error Property 'symbol' does not exist on type 'Candle | Withdrawn<Candle>'
    corrected.pipe(map(({ symbol }) => symbol))
    // @ts-expect-error is not assignable
    toPostgres<Trade>(corrected, candleTable)
  })

  test('do not take an array for a batch', () => {
    // @ts-expect-error is not assignable
    toPostgres<Candle>(candles.pipe(map((candle) => [candle])), candleTable)
  })

  test('cannot disagree', () => {
    // @ts-expect-error Argument of type 'Table<Candle>' is not assignable to parameter of type 'Table<Trade>'
    toPostgres<Trade>(trades, candleTable)
    // @ts-expect-error Type 'Trade' is missing the following properties from type 'Candle'
    toPostgres<Candle>(trades, candleTable)
    // @ts-expect-error is not assignable
    toPostgres(trades, candleTable)
  })
})

describe('a pipeline is a value that knows its outlets', () => {
  const pipeline = definePipeline({
    name: 'mine',
    build: () => ({ candles_1m: toPostgres(candles, candleTable) }),
  })

  test('the test kit gives rows of the outlet that is named', () => {
    expect(testPipeline(pipeline).rows('candles_1m')).type.toBe<Candle[]>()
  })

  test('an outlet that does not exist is refused', () => {
    // @ts-expect-error '"candles_5m"' is not assignable to parameter of type '"candles_1m"'
    testPipeline(pipeline).rows('candles_5m')
  })
})

describe('an outlet to a topic and the stream that ends in it', () => {
  const text = topic('orders', { value: textCodec() })
  const keyed = topic('orders', { key: textCodec(), value: textCodec() })
  const at = () => 0

  test('agree on the value and on the key', () => {
    expect(toTopic(texts, { topic: text, at })).type.toBe<MessagesOutlet<string>>()
    expect(toTopic(texts, { topic: text, at, by: (value) => value.at(0) ?? null })).type.toBe<MessagesOutlet<string>>()
    expect(toTopic(texts.pipe(batchFlush({ maxCount: 5 })), { topic: keyed, at, by: (value) => value })).type.toBe<
      MessagesOutlet<string>
    >()
    expect(toTopic(numbers, { topic: 'numbers', at, encode: (value) => value.toFixed(2) })).type.toBe<
      MessagesOutlet<number>
    >()
  })

  test('cannot disagree', () => {
    // @ts-expect-error No overload matches this call
    toTopic(numbers, { topic: text, at })
    // @ts-expect-error No overload matches this call
    toTopic(texts, { topic: keyed, at, by: (value) => value.length })
    // @ts-expect-error No overload matches this call
    toTopic(texts, { topic: keyed, at })
    // @ts-expect-error No overload matches this call
    toTopic(numbers, { topic: 'numbers', at })
    // @ts-expect-error No overload matches this call
    toTopic(texts, { topic: text })
  })

  test('a webhook and a destination know the value', () => {
    expect(toWebhook(numbers, { url: 'https://example.org', body: (value) => value.toFixed(2) })).type.toBe<
      MessagesOutlet<number>
    >()
    // @ts-expect-error Type '(value: string) => string' is not assignable
    toWebhook(numbers, { url: 'https://example.org', body: (value: string) => value })
  })
})

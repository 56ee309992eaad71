import {
  aggregateWindow,
  type Batch,
  batchFlush,
  type Candle,
  dedupe,
  eventTime,
  type Heartbeat,
  type MarketEvent,
  mapAsync,
  ohlcv,
  rollup,
  type Trade,
  tumblingWindow,
  type WindowElement,
} from 'millrace'
import { filter, map, type Observable, share } from 'rxjs'
import { describe, expect, test } from 'tstyche'

declare const trades: Observable<Trade>
declare const events: Observable<MarketEvent>
declare const readings: Observable<{ readonly sensor: string; readonly at: number; readonly celsius: number }>

describe('types flow through pipe() without annotations', () => {
  test('from trades to candles of candles', () => {
    const clean = trades.pipe(
      eventTime({ of: (trade) => trade.tradeTime, maxOutOfOrdernessMs: 2_000 }),
      dedupe({ by: (trade) => trade.symbol, id: (trade) => trade.tradeId, ttlMs: 600_000 }),
      share(),
    )
    expect(clean).type.toBe<Observable<Trade>>()

    const minute = clean.pipe(tumblingWindow({ name: '1m', sizeMs: 60_000, by: (trade) => trade.symbol }), ohlcv())
    expect(minute).type.toBe<Observable<Candle>>()

    const five = minute.pipe(tumblingWindow({ name: '5m', sizeMs: 300_000, by: (candle) => candle.symbol }), rollup())
    expect(five).type.toBe<Observable<Candle>>()
  })

  test('a window keeps the type of its values', () => {
    const windows = readings.pipe(tumblingWindow({ name: '10s', sizeMs: 10_000, by: (reading) => reading.sensor }))
    expect(windows).type.toBe<
      Observable<WindowElement<{ readonly sensor: string; readonly at: number; readonly celsius: number }>>
    >()
  })

  test('aggregateWindow infers value, accumulator and result', () => {
    const highest = readings.pipe(
      eventTime({ of: (reading) => reading.at, maxOutOfOrdernessMs: 0 }),
      tumblingWindow({ name: '10s', sizeMs: 10_000, by: (reading) => reading.sensor }),
      aggregateWindow({
        initial: () => Number.NEGATIVE_INFINITY,
        add: (highest, reading) => Math.max(highest, reading.celsius),
        result: (celsius, window) => ({ sensor: window.key, start: window.start, celsius }),
      }),
    )
    expect(highest).type.toBe<Observable<{ sensor: string; start: number; celsius: number }>>()
  })

  test('operators of RxJS stand between ours, and narrow as always', () => {
    const narrowed = events.pipe(
      eventTime({ of: (event) => (event.type === 'trade' ? event.tradeTime : event.time), maxOutOfOrdernessMs: 0 }),
      filter((event) => event.type === 'trade'),
      map((trade) => trade),
      tumblingWindow({ name: '1m', sizeMs: 60_000, by: (trade) => trade.symbol }),
      ohlcv(),
    )
    expect(narrowed).type.toBe<Observable<Candle>>()
  })

  test('batchFlush gives batches, which are arrays, mapAsync what its promise holds', () => {
    expect(trades.pipe(batchFlush({ maxCount: 100 }))).type.toBe<Observable<Batch<Trade>>>()
    expect(trades.pipe(batchFlush({ maxCount: 100 }))).type.toBeAssignableTo<Observable<readonly Trade[]>>()
    expect(trades.pipe(mapAsync(async (trade) => trade.symbol, { concurrency: 4 }))).type.toBe<Observable<string>>()
  })
})

describe('pipe() infers nine operators', () => {
  const same = () => map((value: number) => value)
  const one = map((trade: Trade) => trade.tradeId)

  test('the ninth still has its type; after the tenth it is lost, so a longer chain is split into two', () => {
    const nine = trades.pipe(one, same(), same(), same(), same(), same(), same(), same(), same())
    expect(nine).type.toBe<Observable<number>>()
    const ten = trades.pipe(one, same(), same(), same(), same(), same(), same(), same(), same(), same())
    expect(ten).type.toBe<Observable<unknown>>()
    expect(nine.pipe(same())).type.toBe<Observable<number>>()
  })
})

describe('what must not compile names the remedy', () => {
  test('ohlcv without a window', () => {
    // @ts-expect-error Type 'Trade' is not assignable to type 'WindowElement<TradeForOhlcv>'
    trades.pipe(ohlcv())
  })

  test('ohlcv on windows of something that is no trade', () => {
    const windows = readings.pipe(tumblingWindow({ name: '10s', sizeMs: 10_000, by: (reading) => reading.sensor }))
    // @ts-expect-error TradeForOhlcv
    windows.pipe(ohlcv())
  })

  test('rollup on windows of trades', () => {
    const windows = trades.pipe(tumblingWindow({ name: '1m', sizeMs: 60_000, by: (trade) => trade.symbol }))
    // @ts-expect-error Candle
    windows.pipe(rollup())
  })

  test('a key that is not text', () => {
    // @ts-expect-error Type 'number' is not assignable to type 'string'
    trades.pipe(tumblingWindow({ name: '1m', sizeMs: 60_000, by: (trade) => trade.tradeId }))
  })

  test('a key of a field that the value does not have', () => {
    // @ts-expect-error Property 'ticker' does not exist on type 'Trade'
    trades.pipe(tumblingWindow({ name: '1m', sizeMs: 60_000, by: (trade) => trade.ticker }))
  })

  test('event time that is a Date', () => {
    // @ts-expect-error Type 'Date' is not assignable to type 'number'
    trades.pipe(eventTime({ of: (trade) => new Date(trade.tradeTime), maxOutOfOrdernessMs: 0 }))
  })

  test('ranges of ids that are text', () => {
    // @ts-expect-error Type 'string' is not assignable to type 'number'
    trades.pipe(dedupe({ by: (trade) => trade.symbol, id: (trade) => trade.symbol, ids: 'ranges', ttlMs: 1 }))
  })

  test('an option that does not exist', () => {
    trades.pipe(
      // @ts-expect-error 'graceMs' does not exist
      tumblingWindow({ name: '1m', sizeMs: 60_000, by: (trade) => trade.symbol, graceMs: 5 }),
    )
  })

  test('windows of events that are not yet narrowed to trades', () => {
    expect<Heartbeat>().type.not.toBeAssignableTo<Trade>()
    const windows = events.pipe(tumblingWindow({ name: '1m', sizeMs: 60_000, by: (event) => event.type }))
    // @ts-expect-error TradeForOhlcv
    windows.pipe(ohlcv())
  })
})

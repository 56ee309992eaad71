import { batchFlush, type Candle, definePipeline, type Table, type Trade, toPostgres } from 'millrace'
import { testPipeline } from 'millrace/testing'
import { map, type Observable } from 'rxjs'
import { describe, expect, test } from 'tstyche'

declare const candles: Observable<Candle>
declare const trades: Observable<Trade>
declare const candleTable: Table<Candle>

type CandleOutlet = ReturnType<typeof toPostgres<Candle>>

describe('a sink and the stream that ends in it', () => {
  test('agree on the row, single or in batches', () => {
    expect(toPostgres(candles, candleTable)).type.toBe<CandleOutlet>()
    expect(toPostgres(candles.pipe(batchFlush({ maxCount: 5 })), candleTable)).type.toBe<CandleOutlet>()
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

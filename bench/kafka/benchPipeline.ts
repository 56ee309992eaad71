import { share } from 'rxjs'
import { eventTimeOf, isTrade } from '../../src/market/trade.ts'
import { tradeCodec } from '../../src/market/tradeCodec.ts'
import { batchFlush } from '../../src/operators/batchFlush.ts'
import { decode } from '../../src/operators/decode.ts'
import { dedupe } from '../../src/operators/dedupe.ts'
import { eventTime } from '../../src/operators/eventTime.ts'
import { ohlcv } from '../../src/operators/ohlcv.ts'
import { rollup } from '../../src/operators/rollup.ts'
import { tumblingWindow } from '../../src/operators/tumblingWindow.ts'
import { candleTable } from '../../src/pipelines/candleTable.ts'
import { field } from '../../src/runtime/field.ts'
import { definePipeline } from '../../src/runtime/pipeline/pipeline.ts'
import { only } from '../../src/runtime/spans/only.ts'
import { toArchive } from '../../src/sinks/toArchive.ts'
import { toPostgres } from '../../src/sinks/toPostgres.ts'

/** Decode, dedupe, 1m and 5m windows, rows in batches: the chain that the figure is about. */
export const benchPipeline = definePipeline({
  name: 'bench',
  build(records) {
    const clean = records.pipe(
      decode(tradeCodec({ market: 'spot', timeUnit: 'ms' })),
      eventTime({ of: eventTimeOf, maxOutOfOrdernessMs: 2_000 }),
      only(isTrade),
      dedupe({ by: field('symbol'), id: field('tradeId'), ids: 'ranges', ttlMs: 600_000 }),
    )
    const oneMinute = clean.pipe(tumblingWindow({ name: '1m', sizeMs: 60_000, by: field('symbol') }), ohlcv(), share())
    const fiveMinutes = oneMinute.pipe(
      tumblingWindow({ name: '5m', sizeMs: 300_000, by: (candle) => candle.symbol }),
      rollup(),
    )
    return {
      raw: toArchive(records),
      '1m': toPostgres(oneMinute.pipe(batchFlush({ name: 'batch-1m', maxCount: 1_000 })), candleTable('1m')),
      '5m': toPostgres(fiveMinutes.pipe(batchFlush({ name: 'batch-5m', maxCount: 1_000 })), candleTable('5m')),
    }
  },
})

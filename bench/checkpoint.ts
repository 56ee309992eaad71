import { filter, map } from 'rxjs'
import { tradeCodec } from '../src/codecs/tradeCodec.ts'
import { eventTimeOf, isTrade } from '../src/market/trade.ts'
import { decode } from '../src/operators/decode.ts'
import { eventTime } from '../src/operators/eventTime.ts'
import { ohlcv } from '../src/operators/ohlcv.ts'
import { tumblingWindow } from '../src/operators/tumblingWindow.ts'
import { candleTable } from '../src/pipelines/candleTable.ts'
import { definePipeline } from '../src/runtime/pipeline.ts'
import { RecordView } from '../src/runtime/record.ts'
import { StreamTask } from '../src/runtime/streamTask.ts'
import { toPostgres } from '../src/sinks/toPostgres.ts'

const pipeline = definePipeline({
  name: 'checkpoint',
  build: (records) => ({
    '1d': toPostgres(
      records.pipe(
        decode(tradeCodec({ market: 'spot', timeUnit: 'ms' })),
        eventTime({ of: eventTimeOf, maxOutOfOrdernessMs: 0 }),
        filter(isTrade),
        tumblingWindow({ name: '1d', sizeMs: 86_400_000, by: (trade) => trade.symbol }),
        ohlcv(),
        map((candle) => candle),
      ),
      candleTable('1d'),
    ),
  }),
})

const keys = 10_000
const changed = 100

/** Bytes that a checkpoint stores of 10,000 open candles: with all of them changed since the last one, and with a hundred. */
export function benchCheckpoint(): { all_changed: number; hundred_changed: number } {
  const task = new StreamTask(pipeline, null, 0)
  const view = new RecordView()
  const push = (count: number) => {
    for (let i = 0; i < count; i++) {
      const time = 1_723_161_600_000 + view.offset
      const symbol = `SIM${String(i).padStart(5, '0')}USDT`
      view.buffer = Buffer.from(
        `{"e":"trade","E":${time},"s":"${symbol}","t":${3_735_683_259 + view.offset},"p":"61837.63000000","q":"0.02000000","T":${time},"m":true,"M":true}`,
      )
      view.valueLength = view.buffer.length
      task.push(view)
      view.offset += 1
    }
  }
  const cutBytes = () => Buffer.byteLength(task.cut({ now: 0, isFinal: false }).state.body)
  push(keys)
  cutBytes()
  push(keys)
  const allChanged = cutBytes()
  push(changed)
  return { all_changed: allChanged, hundred_changed: cutBytes() }
}

if (import.meta.main) console.log(JSON.stringify(benchCheckpoint()))

import { filter, map } from 'rxjs'
import { eventTimeOf, isTrade } from '../src/market/trade.ts'
import { tradeCodec } from '../src/market/tradeCodec.ts'
import { aggregateWindow } from '../src/operators/aggregateWindow.ts'
import { decode } from '../src/operators/decode.ts'
import { eventTime } from '../src/operators/eventTime.ts'
import { ohlcv } from '../src/operators/ohlcv.ts'
import { tumblingWindow } from '../src/operators/tumblingWindow.ts'
import { candleTable } from '../src/pipelines/candleTable.ts'
import { RecordView } from '../src/runtime/log/record.ts'
import { definePipeline } from '../src/runtime/pipeline/pipeline.ts'
import { StreamTask } from '../src/runtime/task/streamTask.ts'
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

/** A second a window, corrected for an hour: 3,600 open windows a key. */
const corrected = definePipeline({
  name: 'corrected',
  build: (records) => ({
    seconds: toPostgres(
      records.pipe(
        decode({ decode: (record) => Number(record.valueText()) }),
        eventTime({ of: (at) => at, maxOutOfOrdernessMs: 0 }),
        tumblingWindow({ name: '1s', sizeMs: 1_000, by: () => 'key', allowedLatenessMs: 3_600_000 }),
        aggregateWindow<number, number, number>({
          initial: () => 0,
          add: (count) => count + 1,
          result: (count) => count,
        }),
      ),
      { mode: 'append', name: 'seconds', columns: [{ name: 'count', type: 'integer', of: (count) => count }] },
    ),
  }),
})

/** Bytes that a checkpoint stores for one more value of a key with an hour of windows that may still be corrected. */
function oneMoreValueBytes(): number {
  const task = new StreamTask(corrected, null, 0)
  const view = new RecordView()
  const push = (second: number) => {
    view.buffer = Buffer.from(String(1_723_161_600_000 + second * 1_000))
    view.valueLength = view.buffer.length
    view.offset = second
    task.push(view)
  }
  for (let second = 0; second < 3_600; second++) push(second)
  task.cut({ now: 0, isFinal: false })
  push(3_600)
  return Buffer.byteLength(task.cut({ now: 0, isFinal: false }).state.body)
}

const manyKeys = 100_000
const cuts = 250

/** What cuts take of the processor, ms, where 100,000 candles are open and a thousand have changed: the longest of 250, and all of them together. */
export function benchCuts(): { longest: number; all: number } {
  const task = new StreamTask(pipeline, null, 0)
  const view = new RecordView()
  const push = (count: number) => {
    for (let i = 0; i < count; i++) {
      const time = 1_723_161_600_000 + view.offset
      view.buffer = Buffer.from(
        `{"e":"trade","E":${time},"s":"SIM${String(view.offset % manyKeys).padStart(6, '0')}USDT","t":${view.offset},"p":"61837.63000000","q":"0.02000000","T":${time},"m":true,"M":true}`,
      )
      view.valueLength = view.buffer.length
      task.push(view)
      view.offset += 1
    }
  }
  for (let pushed = 0; pushed < manyKeys; pushed += 1_000) {
    push(1_000)
    task.cut({ now: 0, isFinal: false })
  }
  const times = Array.from({ length: cuts }, () => {
    push(1_000)
    const before = process.cpuUsage()
    task.cut({ now: 0, isFinal: false })
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1_000
  })
  const all = times.reduce((sum, time) => sum + time, 0)
  return { longest: Math.round(Math.max(...times) * 10) / 10, all: Math.round(all) }
}

/**
 * Bytes that a checkpoint stores of 10,000 open candles: with all of them changed since the last one, and with a hundred; and of one value more in windows
 * of a second that are corrected for an hour.
 */
export function benchCheckpoint(): { all_changed: number; hundred_changed: number; one_of_3600_windows: number } {
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
  return { all_changed: allChanged, hundred_changed: cutBytes(), one_of_3600_windows: oneMoreValueBytes() }
}

if (import.meta.main) console.log(JSON.stringify({ bytes: benchCheckpoint(), cut_ms: benchCuts() }))

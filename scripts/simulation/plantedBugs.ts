import { filter, type Observable, type OperatorFunction, share } from 'rxjs'
import { tradeCodec } from '../../src/codecs/tradeCodec.ts'
import type { Candle } from '../../src/market/candle.ts'
import { type Interval, intervalMs, intervals } from '../../src/market/interval.ts'
import { eventTimeOf, isTrade, type Trade } from '../../src/market/trade.ts'
import { decode } from '../../src/operators/decode.ts'
import { dedupe } from '../../src/operators/dedupe.ts'
import { eventTime } from '../../src/operators/eventTime.ts'
import { ohlcv } from '../../src/operators/ohlcv.ts'
import { rollup } from '../../src/operators/rollup.ts'
import { tumblingWindow } from '../../src/operators/tumblingWindow.ts'
import type { WindowElement } from '../../src/operators/window.ts'
import { candleTable } from '../../src/pipelines/candleTable.ts'
import type { CheckpointStore, SavedCheckpoint, StateFrame } from '../../src/runtime/checkpoint.ts'
import { definePipeline, type Pipeline } from '../../src/runtime/pipeline.ts'
import { stateful } from '../../src/runtime/stateful.ts'
import { toPostgres } from '../../src/sinks/toPostgres.ts'
import type { FrameStyle } from '../../src/testing/unkind/frames.ts'
import type { Schedule } from './schedule.ts'

/** A mistake that somebody could make, and the schedule with the mistake in it. */
export interface PlantedBug {
  readonly name: string
  readonly plant: (schedule: Schedule) => Schedule
}

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'open and close are chosen by order of arrival',
    plant: (schedule) => ({
      ...schedule,
      options: { ...schedule.options, pipeline: pipelineByArrival(schedule.style) },
    }),
  },
  {
    name: 'the watermark is missing from the checkpoint',
    plant: (schedule) => withTampering(schedule, (saved) => ({ ...saved, watermark: null })),
  },
  {
    name: 'the state of dedupe is missing from the checkpoint',
    plant: (schedule) => withTampering(schedule, (saved) => ({ ...saved, state: saved.state.map(withoutDedupe) })),
  },
]

function withTampering(schedule: Schedule, tamper: (saved: SavedCheckpoint) => SavedCheckpoint): Schedule {
  const tampered = (store: CheckpointStore): CheckpointStore => ({
    claim: async (task) => {
      const claim = await store.claim(task)
      return { ...claim, restored: claim.restored === null ? null : tamper(claim.restored) }
    },
    commit: (claim, checkpoint) => store.commit(claim, checkpoint),
    recordedSteps: (task, after, limit) => store.recordedSteps(task, after, limit),
    close: () => store.close(),
  })
  return { ...schedule, adversity: { ...schedule.adversity, tamper: tampered } }
}

function withoutDedupe(frame: StateFrame): StateFrame {
  const body = JSON.parse(frame.body) as { readonly operators: readonly { readonly name: string }[] }
  const operators = body.operators.filter(({ name }) => name !== 'dedupe')
  return { kind: frame.kind, body: JSON.stringify({ ...body, operators }) }
}

/** Gives each trade, once it is in its window, its place in the order of arrival for a time: what `ohlcv` then calls first came first. */
function byArrival(): OperatorFunction<WindowElement<Trade>, WindowElement<Trade>> {
  return stateful({ name: 'by-arrival' }, (restored, out) => {
    let arrived = Number(restored.snapshot ?? 0)
    return {
      onValue(element) {
        if (element.kind !== 'value') return out.emit(element)
        arrived++
        out.emit({ ...element, value: { ...element.value, tradeTime: arrived } })
      },
      snapshot: () => arrived,
    }
  })
}

/** src/pipelines/realtime.ts with `byArrival` between window and candle. */
function pipelineByArrival(style: FrameStyle): Pipeline {
  const codec = tradeCodec(style)
  const allowedLatenessMs = 30_000
  const longer = (interval: Interval, shorter: Observable<Candle>) =>
    shorter.pipe(
      tumblingWindow({
        name: interval,
        sizeMs: intervalMs[interval],
        by: (candle) => candle.symbol,
        allowedLatenessMs,
        isProvisional: (candle) => !candle.isClosed,
      }),
      rollup({ name: `rollup-${interval}`, provisionalEveryMs: 1_000 }),
      share(),
    )
  return definePipeline({
    name: 'realtime',
    build(records) {
      const minutes = records.pipe(
        decode(codec),
        eventTime({ of: eventTimeOf, maxOutOfOrdernessMs: 2_000, maxAdvanceMs: 10_000 }),
        filter(isTrade),
        dedupe({ by: (trade) => trade.symbol, id: (trade) => trade.tradeId, ids: 'ranges', ttlMs: 600_000 }),
        tumblingWindow({ name: '1m', sizeMs: intervalMs['1m'], by: (trade) => trade.symbol, allowedLatenessMs }),
        byArrival(),
        ohlcv({ name: 'ohlcv-1m', provisionalEveryMs: 250 }),
        share(),
      )
      let candles = minutes
      return Object.fromEntries(
        intervals.map((interval) => {
          if (interval !== '1m') candles = longer(interval, candles)
          return [interval, toPostgres(candles, candleTable(interval))]
        }),
      )
    },
  }) as Pipeline
}

import type { Interval } from '../../market/interval.ts'
import type { Json } from '../../runtime/json.ts'
import type { StateCodec } from '../../runtime/state/keyedState.ts'
import { loadFixed8, type SavedFixed8, saveFixed8 } from '../savedFixed8.ts'
import type { Bar, IndicatorFold } from './fold.ts'
import { Series, type SeriesRules, type Slot, unknownYet } from './series.ts'

/** A series, and of which candles it is. */
export interface KeptSeries<S, V extends object> {
  readonly interval: Interval
  readonly series: Series<S, V>
}

type SavedBar = readonly [
  high: SavedFixed8,
  low: SavedFixed8,
  close: SavedFixed8,
  volume: SavedFixed8,
  quoteVolume: string,
]
type SavedSlot = readonly [
  openTime: number,
  bar: SavedBar | null,
  isComplete: boolean,
  candleRevision: number,
  revision: number,
]
type SavedSeries = readonly [
  interval: Interval,
  settled: readonly [state: Json, holes: number, last: readonly [openTime: number, close: SavedFixed8] | null],
  slots: readonly SavedSlot[],
]

/** What stands behind each slot is not saved: it comes of what stands before the first one, the same to the last bit. */
export function seriesState<S, V extends object>(
  fold: IndicatorFold<S, V>,
  rulesOf: (interval: Interval) => SeriesRules,
): StateCodec<KeptSeries<S, V>> {
  return {
    encode: ({ interval, series: { settled, slots } }) => [
      interval,
      [
        fold.state.encode(settled.state),
        settled.holes,
        settled.last === null ? null : [settled.last.openTime, saveFixed8(settled.last.close)],
      ],
      slots.map(({ openTime, bar, isComplete, candleRevision, revision }) => [
        openTime,
        bar === null ? null : saveBar(bar),
        isComplete,
        candleRevision,
        revision,
      ]),
    ],
    decode: (saved) => {
      const [interval, [state, holes, last], slots] = saved as unknown as SavedSeries
      const series = new Series(fold, rulesOf(interval))
      series.settled = {
        state: fold.state.decode(state),
        holes,
        last: last === null ? null : { openTime: last[0], close: loadFixed8(last[1]) },
      }
      series.slots.push(...slots.map(loadSlot<S>))
      return { interval, series: series.restored() }
    },
  }
}

function saveBar({ high, low, close, volume, quoteVolume }: Bar): SavedBar {
  return [saveFixed8(high), saveFixed8(low), saveFixed8(close), saveFixed8(volume), String(quoteVolume)]
}

function loadSlot<S>([openTime, saved, isComplete, candleRevision, revision]: SavedSlot): Slot<S> {
  const after = unknownYet as Slot<S>['after']
  if (saved === null) return { openTime, bar: null, isComplete, candleRevision, revision, after, close: 0 }
  const [high, low, close, volume] = saved.slice(0, 4).map((one) => loadFixed8(one)) as [never, never, never, never]
  const bar: Bar = { openTime, high, low, close, volume, quoteVolume: BigInt(saved[4]) }
  return { openTime, bar, isComplete, candleRevision, revision, after, close }
}

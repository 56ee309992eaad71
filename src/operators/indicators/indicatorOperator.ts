import type { OperatorFunction } from 'rxjs'
import { isFixed8 } from '../../exact/decimal.ts'
import { type Interval, intervalMs } from '../../market/interval.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { Json } from '../../runtime/json.ts'
import type { StateCodec } from '../../runtime/keyedState.ts'
import { stateful } from '../../runtime/stateful.ts'
import { roomForKey } from '../roomForKey.ts'
import { loadFixed8, type SavedFixed8, saveFixed8 } from '../savedFixed8.ts'
import { wholeCount } from '../wholeMs.ts'
import type { Bar, IndicatorFold } from './fold.ts'
import type { CandleForIndicator, Indicator, IndicatorOptions } from './indicator.ts'
import { Series, type SeriesRules, type Slot, unknownYet } from './series.ts'

/**
 * An operator of one fold: a value for each closed candle, and for those that a corrected or late candle changes, with a higher revision; a preview for each open one.
 * @param label the indicator with its numbers, such as `sma:20`
 */
export function indicator<S, V extends object>(
  label: string,
  options: IndicatorOptions,
  fold: IndicatorFold<S, V>,
): OperatorFunction<CandleForIndicator, Indicator<V>> {
  const { name = label, quiet = 'flat' } = options
  if (quiet !== 'flat' && quiet !== 'skipped') {
    throw new ConfigurationError(`${name}: quiet must be 'flat' or 'skipped', got ${String(quiet)}.`)
  }
  const corrections = wholeCount(options.corrections ?? 10, `${name}: corrections`)
  const maxQuiet = wholeCount(options.maxQuiet ?? 1_440, `${name}: maxQuiet`)
  const maxKeys = wholeCount(options.maxKeys ?? 1_000_000, `${name}: maxKeys`)
  const rulesOf = (interval: Interval): SeriesRules => ({
    intervalMs: intervalMs[interval],
    corrections,
    maxQuiet: quiet === 'flat' ? maxQuiet : null,
  })
  return stateful<CandleForIndicator, Indicator<V>>({ name, shape: { indicator: label, quiet } }, (restored, out) => {
    const all = restored.keyed(seriesState(fold, rulesOf))
    return {
      onValue(candle) {
        checkCandle(candle)
        const { market, symbol, interval, openTime } = candle
        const key = JSON.stringify([market, symbol, interval])
        const about = { market, symbol, interval, indicator: label }
        if (!candle.isClosed) {
          const preview = (all.get(key) ?? { series: new Series(fold, rulesOf(interval)) }).series.preview(candle)
          if (preview === null) return
          const isComplete = preview.isComplete && candle.isComplete !== false
          out.emit({ ...about, ...preview.value, openTime, isComplete, isClosed: false, revision: 0 })
          return
        }
        let kept = all.update(key)
        if (kept === undefined) {
          roomForKey(name, all.size, maxKeys)
          kept = { interval, series: new Series(fold, rulesOf(interval)) }
          all.set(key, kept)
        }
        const { high, low, close, volume, quoteVolume, revision, isComplete = true } = candle
        for (const one of kept.series.add({ openTime, high, low, close, volume, quoteVolume, revision, isComplete })) {
          const { value, ...moment } = one
          out.emit({ ...about, ...value, ...moment, isClosed: true })
        }
      },
    }
  })
}

interface KeptSeries<S, V extends object> {
  readonly interval: Interval
  readonly series: Series<S, V>
}

function checkCandle(candle: CandleForIndicator): void {
  const { symbol, interval, openTime, high, low, close, volume, quoteVolume } = candle
  const length = intervalMs[interval]
  if (length === undefined) throw new TypeError(`${symbol}: '${interval}' is no interval of a candle`)
  if (!Number.isSafeInteger(openTime) || openTime % length !== 0) {
    throw new TypeError(`the candle of ${symbol} at ${openTime}: it must open at a multiple of ${interval}`)
  }
  if (![high, low, close, volume].every(isFixed8) || typeof quoteVolume !== 'bigint') {
    throw new TypeError(
      `the candle of ${symbol} at ${openTime}: prices and volumes must be counts of 1e-8 (parseFixed8 makes them of text), quote volumes bigints of 1e-16`,
    )
  }
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
function seriesState<S, V extends object>(
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

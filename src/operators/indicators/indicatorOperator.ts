import type { OperatorFunction } from 'rxjs'
import { type Interval, intervalMs } from '../../market/interval.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import { stateful } from '../../runtime/operator/stateful.ts'
import { roomForKey } from '../roomForKey.ts'
import { wholeCount } from '../wholeMs.ts'
import { checkCandle } from './checkCandle.ts'
import type { IndicatorFold } from './fold.ts'
import type { CandleForIndicator, Indicator, IndicatorOptions } from './indicator.ts'
import { Series, type SeriesRules } from './series.ts'
import { seriesState } from './seriesState.ts'

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

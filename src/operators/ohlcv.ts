import type { OperatorFunction } from 'rxjs'
import type { Candle } from '../market/candle.ts'
import type { Interval } from '../market/interval.ts'
import type { Duration } from '../runtime/duration.ts'
import { checkOptions, type OptionRules, optional } from '../runtime/options.ts'
import { CandleSum, type TradeForOhlcv } from './candleSum.ts'
import { type EarlyResults, earlyRule } from './earlyResults.ts'
import { foldWindows } from './foldWindows.ts'
import { TradesInColumns } from './tradeColumns.ts'
import type { WindowElement } from './window.ts'

/** How `ohlcv` shows candles that are still open. */
export interface OhlcvOptions {
  /** Unique in a pipeline; `ohlcv` if left out. */
  readonly name?: string
  /** Emits the open candles at checkpoint cuts, each at most once in this time (ms, or text such as `'1s'`). None if left out. */
  readonly provisionalEveryMs?: Duration
  /** Emits the open candles by the data: each after every so many trades, or at the next multiples of a time where it has changed. None if left out. */
  readonly early?: EarlyResults
}

const rules: OptionRules<OhlcvOptions> = {
  name: optional.text,
  provisionalEveryMs: optional.duration,
  early: earlyRule,
}

/**
 * Makes one candle of the trades in each window; the window's name is the candle's interval.
 *
 * Open and close are the first and the last trade by (trade time, trade id), not by arrival, and all sums are exact. Keeps about 200 bytes a window, until its
 * allowed lateness is over; they are part of the checkpoint. A correction is the whole candle again with a higher revision.
 * A crash neither loses a trade nor counts one twice.
 * @throws ConfigurationError on options out of range
 */
export function ohlcv(options: OhlcvOptions = {}): OperatorFunction<WindowElement<TradeForOhlcv>, Candle> {
  checkOptions('ohlcv', options, rules)
  const trades = new TradesInColumns()
  return foldWindows<TradeForOhlcv, CandleSum, Candle>(
    {
      name: options.name ?? 'ohlcv',
      shape: 'ohlcv',
      migrate: (saved, shape) => (shape === null ? saved : undefined),
      provisionalEveryMs: options.provisionalEveryMs,
      early: options.early,
    },
    {
      takesLent: true,
      create: (first) => new CandleSum(first),
      add: (sum, trade) => sum.add(trade),
      addMany: (sum, lender, records, from, to) => {
        const columns = trades.of(lender)
        return columns === null ? from : sum.addMany(columns, records, from, to)
      },
      results: (sum, window, fired) => [(sum as CandleSum).candle(window.name as Interval, window.start, fired)],
      state: { encode: (sum) => sum.encode(), decode: (saved) => CandleSum.decode(saved) },
    },
  )
}

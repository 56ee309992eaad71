import type { OperatorFunction } from 'rxjs'
import type { Candle } from '../market/candle.ts'
import type { Interval } from '../market/interval.ts'
import type { Duration } from '../runtime/duration.ts'
import { checkOptions, type OptionRules, optional } from '../runtime/options.ts'
import { type CandleSum, CandleSums, type TradeForOhlcv } from './candleSum.ts'
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
  const sums = new CandleSums()
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
      create: (first) => sums.create(first),
      add: (sum, trade) => sums.add(sum, trade),
      rows: {
        rowOf: ({ row }) => row,
        add: (lender, values) => {
          const columns = trades.of(lender)
          return columns === null ? values.from : sums.addMany(columns, values)
        },
        release: (sum) => sums.release(sum),
      },
      results: (sum, window, fired) => [sums.candle(sum as CandleSum, window.name as Interval, window.start, fired)],
      state: { encode: (sum) => sums.encode(sum), decode: (saved) => sums.decode(saved) },
    },
  )
}

import type { OperatorFunction } from 'rxjs'
import type { Candle } from '../market/candle.ts'
import type { Interval } from '../market/interval.ts'
import type { Duration } from '../runtime/duration.ts'
import { checkOptions, type OptionRules, optional } from '../runtime/options.ts'
import { type CandleSum, CandleSums, type TradeForOhlcv } from './candleSum.ts'
import { type EarlyResults, earlyRule, previewRule } from './earlyResults.ts'
import type { Fold } from './fold.ts'
import { type FoldOptions, foldWindows } from './foldWindows.ts'
import { TradesInColumns } from './tradeColumns.ts'
import type { WindowElement } from './window.ts'

/** How `ohlcv` shows candles that are still open. */
export interface OhlcvOptions {
  /** Unique in a pipeline; `ohlcv` if left out. */
  readonly name?: string
  /** Emits the open candles at checkpoint cuts, each at most once in this time (ms, or text such as `'1s'`). None if left out, nor in a plain RxJS program, which has no cuts. */
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
 * allowed lateness is over, in an array that stays as large as it was with the most windows; they are part of the checkpoint. A correction is the whole candle again with a higher revision.
 * A crash neither loses a trade nor counts one twice.
 * @throws ConfigurationError on options out of range
 */
export function ohlcv(options: OhlcvOptions = {}): OperatorFunction<WindowElement<TradeForOhlcv>, Candle> {
  checkOptions('ohlcv', options, rules)
  const { name = 'ohlcv', provisionalEveryMs, early } = options
  const previews = { provisionalEveryMs, early }
  // Told where the operator is made, and not where it is put over a stream.
  previewRule(name, previews)
  const migrate: FoldOptions['migrate'] = (saved, shape) => (shape === null ? saved : undefined)
  return (elements) => foldWindows({ name, shape: 'ohlcv', migrate, ...previews }, candlesOfTrades())(elements)
}

/** With rows of its own for each stream that it is put over, so that nothing is left in them of a task that has ended. */
function candlesOfTrades(): Fold<TradeForOhlcv, CandleSum, Candle> {
  const trades = new TradesInColumns()
  const sums = new CandleSums()
  return {
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
  }
}

import type { OperatorFunction } from 'rxjs'
import { isFixed8 } from '../exact/decimal.ts'
import type { Candle } from '../market/candle.ts'
import type { Interval } from '../market/interval.ts'
import { longerCandle } from '../market/longerCandle.ts'
import type { Duration } from '../runtime/duration.ts'
import type { Json } from '../runtime/json.ts'
import { checkOptions, type OptionRules, optional } from '../runtime/options.ts'
import { candleState } from './candleState.ts'
import { foldWindows } from './foldWindows.ts'
import type { WindowElement } from './window.ts'

/** How `rollup` shows candles that are still open. */
export interface RollupOptions {
  /** Unique in a pipeline; `rollup` if left out. */
  readonly name?: string
  /** Emits the open candles at checkpoint cuts, each at most once in this time (ms, or text such as `'1s'`). None if left out, nor in a plain RxJS program, which has no cuts. */
  readonly provisionalEveryMs?: Duration
}

const rules: OptionRules<RollupOptions> = { name: optional.text, provisionalEveryMs: optional.duration }

/**
 * Makes one candle of the shorter candles in each window; the window's name is the new interval.
 *
 * A corrected candle replaces its older revision, so a correction goes on upwards. Provisional candles only enter provisional results. Keeps the
 * shorter candles of each open window (five for 1m to 5m), until its allowed lateness is over; they are part of the checkpoint.
 * A crash neither loses a candle nor counts one twice, and a replay gives the same candles again.
 * @throws ConfigurationError on options out of range
 */
export function rollup(options: RollupOptions = {}): OperatorFunction<WindowElement<Candle>, Candle> {
  checkOptions('rollup', options, rules)
  return foldWindows<Candle, Candle[], Candle>(
    {
      name: options.name ?? 'rollup',
      shape: 'rollup',
      migrate: (saved, shape) => (shape === null ? saved : undefined),
      provisionalEveryMs: options.provisionalEveryMs,
    },
    {
      create: () => [],
      add: (parts, candle) => {
        if (!isExact(candle)) throw notExact(candle)
        return replaceOrInsert(parts, candle)
      },
      results: (parts = [], { name, start }, { isClosed, revision }, previews) => {
        const all = previews.reduce<Candle[]>(replaceOrInsert, previews.length === 0 ? parts : [...parts])
        return [longerCandle(all, { interval: name as Interval, openTime: start, isClosed, revision })]
      },
      isSame: (preview, later) => preview.openTime === later.openTime,
      state: {
        encode: (parts) => parts.map(candleState.encode),
        decode: (saved) => (saved as readonly Json[]).map(candleState.decode),
      },
    },
  )
}

function isExact({
  open,
  high,
  low,
  close,
  volume,
  takerBuyVolume,
  quoteVolume,
  takerBuyQuoteVolume,
}: Candle): boolean {
  return (
    [open, high, low, close, volume, takerBuyVolume].every(isFixed8) &&
    typeof quoteVolume === 'bigint' &&
    typeof takerBuyQuoteVolume === 'bigint'
  )
}

function notExact({ symbol, openTime }: Candle): TypeError {
  return new TypeError(
    `the candle of ${symbol} at ${openTime}: prices and volumes must be counts of 1e-8 (parseFixed8 makes them of text), quote volumes bigints of 1e-16`,
  )
}

/** Keeps the parts in order of open time, one for each, the newest revision of it. */
function replaceOrInsert(parts: Candle[], candle: Candle): Candle[] {
  let at = parts.length
  while (at > 0 && (parts[at - 1] as Candle).openTime > candle.openTime) at--
  const before = parts[at - 1]
  if (before === undefined || before.openTime < candle.openTime) parts.splice(at, 0, candle)
  else if (before.revision <= candle.revision) parts[at - 1] = candle
  return parts
}

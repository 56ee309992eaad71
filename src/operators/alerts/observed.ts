import { divideHalfEven, type Fixed8, toFixed8 } from '../../exact/decimal.ts'
import { type Interval, intervalMs } from '../../market/interval.ts'
import { durationMs } from '../../runtime/duration.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { Json } from '../../runtime/json.ts'
import { atrFold } from '../indicators/atr.ts'
import { bollingerFold } from '../indicators/bollinger.ts'
import type { Closes } from '../indicators/closes.ts'
import { emaFold } from '../indicators/ema.ts'
import type { IndicatorFold } from '../indicators/fold.ts'
import { macdFold } from '../indicators/macd.ts'
import { wholePeriod } from '../indicators/period.ts'
import { rsiFold } from '../indicators/rsi.ts'
import { smaFold } from '../indicators/sma.ts'
import { loadFixed8, type SavedFixed8, saveFixed8 } from '../savedFixed8.ts'
import type { CandleAlertRule } from './alertRule.ts'

/** What a rule looks at, in counts of 1e-8. */
export interface Observed {
  readonly units: Fixed8
}

/** How a rule comes from candles to what it looks at; what it keeps of them is its own affair. */
export type ObservingFold = IndicatorFold<unknown, Observed>

/** What a candle rule looks at. */
export interface Observation {
  /** As events and texts call it. */
  readonly kind: string
  readonly fold: ObservingFold
}

/** Throws `ConfigurationError` on what does not belong together. */
export function observationOf(what: string, rule: CandleAlertRule, interval: Interval): Observation {
  const { kind, over, indicator, period, line } = rule
  if (kind !== 'change' && over !== undefined) throw new ConfigurationError(`${what}: over is for kind change alone.`)
  if (kind !== 'indicator' && (indicator ?? period ?? line) !== undefined)
    throw new ConfigurationError(`${what}: indicator, period and line are for kind indicator alone.`)
  if (kind === 'price') return { kind, fold: ofEach(({ close }) => close) }
  if (kind === 'volume') return { kind, fold: ofEach(({ volume }) => volume) }
  if (kind === 'change') return { kind, fold: changeFold(candlesOf(what, over, interval)) }
  return indicatorOf(what, rule)
}

function candlesOf(what: string, over: CandleAlertRule['over'], interval: Interval): number {
  if (over === undefined) throw new ConfigurationError(`${what} needs over, such as over: 1h.`)
  const candles = durationMs(over, `${what}: over`) / intervalMs[interval]
  if (!(Number.isSafeInteger(candles) && candles >= 1 && candles <= 1_000)) {
    throw new ConfigurationError(
      `${what}: over must be 1 to 1,000 candles of ${interval}, a whole number of them; got ${over}. Take longer candles (interval) for a longer time.`,
    )
  }
  return candles
}

function indicatorOf(what: string, { indicator, period, line }: CandleAlertRule): Observation {
  if (indicator === undefined)
    throw new ConfigurationError(`${what} needs indicator: sma, ema, rsi, macd, bollinger or atr.`)
  const over = wholePeriod(period ?? (indicator === 'rsi' || indicator === 'atr' ? 14 : 20), `${what}: period`, 2)
  const lines = linesOf[indicator]
  const chosen = line ?? lines.at(-1)
  if (line !== undefined && !lines.includes(line)) {
    throw new ConfigurationError(
      lines.length === 0
        ? `${what}: ${indicator} has one line alone; leave line out.`
        : `${what}: ${indicator} has no line ${line}; it has ${lines.join(', ')}.`,
    )
  }
  const kind =
    indicator === 'macd' ? `macd:12:26:9:${chosen}` : `${indicator}:${over}${chosen === undefined ? '' : `:${chosen}`}`
  if (indicator === 'macd') {
    if (period !== undefined) throw new ConfigurationError(`${what}: macd is 12, 26, 9; leave period out.`)
    return { kind, fold: read(macdFold(12, 26, 9), (value) => value[chosen as 'macd']) }
  }
  if (indicator === 'bollinger')
    return { kind, fold: read(bollingerFold(over, 2), (value) => value[chosen as 'middle']) }
  if (indicator === 'sma') return { kind, fold: read(smaFold(over), ({ value }) => value) }
  if (indicator === 'ema') return { kind, fold: read(emaFold(over), ({ value }) => value) }
  if (indicator === 'rsi') return { kind, fold: read(rsiFold(over), ({ value }) => value) }
  return { kind, fold: read(atrFold(over), ({ value }) => value) }
}

/** The last one is taken where none is named. */
const linesOf: Readonly<Record<NonNullable<CandleAlertRule['indicator']>, readonly string[]>> = {
  sma: [],
  ema: [],
  rsi: [],
  atr: [],
  macd: ['macd', 'signal', 'histogram'],
  bollinger: ['upper', 'lower', 'middle'],
}

function ofEach(observe: (bar: Parameters<ObservingFold['next']>[1]) => Fixed8): ObservingFold {
  return {
    initial: null,
    lookback: 1,
    next: (_before, bar) => observe(bar),
    value: (units) => (units === null ? null : { units: units as Fixed8 }),
    state: {
      encode: (units) => (units === null ? null : saveFixed8(units as Fixed8)),
      decode: (saved) => (saved === null ? null : loadFixed8(saved as SavedFixed8)),
    },
  }
}

/** By how many percent the close differs from the one so many candles before, rounded once to 8 places. */
function changeFold(candles: number): ObservingFold {
  return {
    initial: [],
    lookback: candles + 1,
    next: (before, { close }) => [...(before as Closes['closes']).slice(-candles), close],
    value: (kept) => {
      const closes = kept as Closes['closes']
      const [first] = closes
      if (closes.length <= candles || first === undefined || first === 0) return null
      const change = BigInt(closes[candles] as Fixed8) - BigInt(first)
      return { units: toFixed8(divideHalfEven(change * 10_000_000_000n, BigInt(first))) }
    },
    state: {
      encode: (kept) => (kept as Closes['closes']).map(saveFixed8),
      decode: (saved) => (saved as readonly SavedFixed8[]).map(loadFixed8),
    },
  }
}

/** An indicator's value as a count: the same double gives the same count. */
function read<S, V extends object>(fold: IndicatorFold<S, V>, of: (value: V) => number): ObservingFold {
  const { startsAnew } = fold
  return {
    initial: fold.initial,
    lookback: fold.lookback,
    next: (before, bar) => fold.next(before as S, bar),
    value: (state) => {
      const value = fold.value(state as S)
      return value === null ? null : { units: toFixed8(BigInt(Math.round(of(value) * 1e8))) }
    },
    ...(startsAnew === undefined ? {} : { startsAnew: (before, bar) => startsAnew.call(fold, before as S, bar) }),
    state: { encode: (state): Json => fold.state.encode(state as S), decode: (saved) => fold.state.decode(saved) },
  }
}

import { filter, merge, mergeMap, type Observable } from 'rxjs'
import type { Candle } from '../market/candle.ts'
import { atr } from '../operators/indicators/atr.ts'
import { bollinger } from '../operators/indicators/bollinger.ts'
import { ema } from '../operators/indicators/ema.ts'
import type { Indicator } from '../operators/indicators/indicator.ts'
import { macd } from '../operators/indicators/macd.ts'
import { rsi } from '../operators/indicators/rsi.ts'
import { sma } from '../operators/indicators/sma.ts'
import { vwap } from '../operators/indicators/vwap.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import { indicatorsAllowed } from './indicatorNames.ts'
import type { IndicatorRow } from './indicatorTable.ts'

/** What an indicator is called: `sma:20`, `ema:50`, `rsi:14`, `atr:14`, `bollinger:20`, `macd`, `vwap`. */
export type IndicatorName = string

type Chain = (candles: Observable<Candle>) => Observable<Indicator<object>>

const chains: Readonly<Record<string, (period: number) => Chain>> = {
  sma: (period) => (candles) => candles.pipe(sma({ period })),
  ema: (period) => (candles) => candles.pipe(ema({ period })),
  rsi: (period) => (candles) => candles.pipe(rsi({ period })),
  atr: (period) => (candles) => candles.pipe(atr({ period })),
  bollinger: (period) => (candles) => candles.pipe(bollinger({ period })),
}
const whole: Readonly<Record<string, Chain>> = {
  macd: (candles) => candles.pipe(macd()),
  vwap: (candles) => candles.pipe(vwap()),
}

/** Throws `ConfigurationError` for a name that is none. */
function chainOf(name: IndicatorName): Chain {
  const found = whole[name]
  if (found !== undefined) return found
  const [, kind = '', digits = ''] = /^([a-z]+):(\d{1,4})$/.exec(name) ?? []
  const make = chains[kind]
  const period = Number(digits)
  if (make === undefined || period < 2 || period > 1_000)
    throw new ConfigurationError(`there is no indicator ${JSON.stringify(name)}; there are ${indicatorsAllowed}.`)
  return make(period)
}

/** Rows of the indicators over the closed candles of all intervals. Throws `ConfigurationError` for a name that is none. */
export function indicatorRows(
  names: readonly IndicatorName[],
  candles: readonly Observable<Candle>[],
): Observable<IndicatorRow> {
  const closed = merge(...candles).pipe(filter(({ isClosed }) => isClosed))
  return merge(...names.map((name) => chainOf(name)(closed))).pipe(mergeMap(rowsOf))
}

function rowsOf(one: Indicator<object>): readonly IndicatorRow[] {
  const { market, symbol, interval, openTime, indicator, isComplete, isClosed: _isClosed, revision, ...lines } = one
  const about = { market, symbol, interval, open_time: openTime, indicator, is_complete: isComplete, revision }
  return Object.entries(lines as Readonly<Record<string, number>>).map(([line, value]) => ({ ...about, line, value }))
}

import type { Interval } from '../market/interval.ts'
import { intervalMs } from '../market/interval.ts'
import { atrFold } from '../operators/indicators/atr.ts'
import { bollingerFold } from '../operators/indicators/bollinger.ts'
import { emaFold } from '../operators/indicators/ema.ts'
import type { Bar, IndicatorFold } from '../operators/indicators/fold.ts'
import { macdFold } from '../operators/indicators/macd.ts'
import { rsiFold } from '../operators/indicators/rsi.ts'
import { Series } from '../operators/indicators/series.ts'
import { smaFold } from '../operators/indicators/sma.ts'
import { vwapFold } from '../operators/indicators/vwap.ts'
import { durationMs } from '../runtime/duration.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import { exactCandle, type ShownCandle } from './exactCandle.ts'
import type { WireIndicator, WireValue } from './protocol.ts'

/** A quiet market longer than that starts an indicator anew, as in the operators. */
const maxQuiet = 1_440
const mostPeriod = 1_000
const mostOpen = 4

interface Wanted {
  readonly fold: IndicatorFold<unknown, object>
  readonly names: readonly string[]
}

function wanted<S, V extends object>(fold: IndicatorFold<S, V>, names: readonly (keyof V & string)[]): Wanted {
  return { fold: fold as unknown as IndicatorFold<unknown, object>, names }
}

function foldOf(text: string): Wanted {
  const [kind = '', ...given] = text.split(':')
  const whole = (at: number, otherwise: number, least = 1): number => {
    const number = Number(given[at] ?? otherwise)
    if (Number.isInteger(number) && number >= least && number <= mostPeriod) return number
    throw new ConfigurationError(`${text}: a period is a whole number from ${least} to ${mostPeriod}`)
  }
  switch (kind) {
    case 'sma':
      return wanted(smaFold(whole(0, 20)), ['value'])
    case 'ema':
      return wanted(emaFold(whole(0, 20)), ['value'])
    case 'rsi':
      return wanted(rsiFold(whole(0, 14, 2)), ['value'])
    case 'atr':
      return wanted(atrFold(whole(0, 14)), ['value'])
    case 'vwap': {
      const everyMs = durationMs((given[0] ?? '1d') as '1d', `${text}: its length`)
      if (everyMs >= 1) return wanted(vwapFold(everyMs), ['value'])
      throw new ConfigurationError(`${text}: its length must be above 0`)
    }
    case 'bollinger': {
      const deviations = Number(given[1] ?? 2)
      if (!(deviations > 0 && deviations <= 100)) {
        throw new ConfigurationError(`${text}: deviations must be above 0 and at most 100`)
      }
      return wanted(bollingerFold(whole(0, 20, 2), deviations), ['upper', 'middle', 'lower'])
    }
    case 'macd': {
      const [fast, slow] = [whole(0, 12, 2), whole(1, 26, 2)]
      if (slow <= fast) throw new ConfigurationError(`${text}: the slow period must be more than the fast one`)
      return wanted(macdFold(fast, slow, whole(2, 9)), ['macd', 'signal', 'histogram'])
    }
    default:
      throw new ConfigurationError(`${text}: there are sma, ema, rsi, atr, macd, bollinger and vwap`)
  }
}

/** How a candle goes into an indicator. */
export interface IndicatorCandle {
  readonly candle: ShownCandle
  /** False where trades are known to be missing from it. */
  readonly isComplete: boolean
}

/**
 * An indicator over candles, by the code of its operator: closed candles in order of time, and at last one that may still be open. Where the first candle is not the first of its
 * market, what looks back on all that came before (`ema`, `rsi`, `macd`, `atr`) is right once a few hundred candles have come.
 * @throws ConfigurationError on a text that names none, or numbers out of range
 */
export class IndicatorOver {
  readonly text: string
  readonly names: readonly string[]
  readonly #fold: Wanted['fold']
  readonly #intervalMs: number
  #series: Series<unknown, object>
  /** Those that came last and are still open: the one before the newest closes a moment after it has begun. */
  #open: Bar[] = []

  constructor(text: string, interval: Interval) {
    this.text = text
    const { fold, names } = foldOf(text)
    this.names = names
    this.#fold = fold
    this.#intervalMs = intervalMs[interval]
    this.#series = this.#begin()
  }

  /** From the first candle on. */
  whole(candles: readonly IndicatorCandle[]): WireIndicator {
    this.#series = this.#begin()
    this.#open = []
    return this.#indicator(candles.flatMap((one) => this.#take(one)))
  }

  /** What is new: candles behind all that were taken, or the last one again while it is open. */
  more(candles: readonly IndicatorCandle[]): WireIndicator {
    return this.#indicator(candles.flatMap((one) => this.#take(one)))
  }

  #begin(): Series<unknown, object> {
    return new Series(this.#fold, { intervalMs: this.#intervalMs, corrections: 2, maxQuiet })
  }

  #take({ candle, isComplete }: IndicatorCandle): readonly WireValue[] {
    const bar = exactCandle(candle)
    if (bar === null) return []
    const values = candle.isClosed
      ? this.#series.add({ ...bar, isComplete, revision: candle.revision })
      : [this.#series.preview(bar, this.#open)].filter((preview) => preview !== null)
    this.#open = this.#open.filter(({ openTime }) => openTime !== bar.openTime).slice(-mostOpen)
    if (!candle.isClosed) this.#open.push(bar)
    return values.map(({ openTime, value, isComplete: isWhole }) => [
      openTime,
      isWhole && (candle.isClosed || isComplete) ? 1 : 0,
      ...this.names.map((name) => (value as Record<string, number>)[name] as number),
    ])
  }

  #indicator(values: readonly WireValue[]): WireIndicator {
    return { indicator: this.text, names: this.names, values }
  }
}

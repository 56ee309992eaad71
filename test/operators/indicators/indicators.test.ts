import fc from 'fast-check'
import { from, map, type Observable, type OperatorFunction } from 'rxjs'
import { describe, expect, it } from 'vitest'
import type { Fixed8 } from '../../../src/exact/decimal.ts'
import { atr } from '../../../src/operators/indicators/atr.ts'
import { bollinger } from '../../../src/operators/indicators/bollinger.ts'
import { ema } from '../../../src/operators/indicators/ema.ts'
import type {
  CandleForIndicator,
  Indicator,
  IndicatorOptions,
  IndicatorValue,
} from '../../../src/operators/indicators/indicator.ts'
import { macd } from '../../../src/operators/indicators/macd.ts'
import { rsi } from '../../../src/operators/indicators/rsi.ts'
import { sma } from '../../../src/operators/indicators/sma.ts'
import { vwap } from '../../../src/operators/indicators/vwap.ts'
import { ConfigurationError } from '../../../src/runtime/errors.ts'
import type { TaskCut } from '../../../src/runtime/task/taskCut.ts'
import { ChainTask, savedFrom } from '../../support/tasks.ts'
import { candle, walkOf } from './candles.ts'

type Operator = OperatorFunction<CandleForIndicator, Indicator<object>>
type Row = Indicator<IndicatorValue>

const unit = 100_000_000
const priced = (minute: number, price: number, differing: Partial<CandleForIndicator> = {}) =>
  candle(minute, { close: (price * unit) as Fixed8, ...differing })

const all: Readonly<Record<string, (options?: IndicatorOptions) => Operator>> = {
  sma: (options) => sma({ period: 3, ...options }),
  ema: (options) => ema({ period: 3, ...options }),
  rsi: (options) => rsi({ period: 3, ...options }),
  macd: (options) => macd({ fast: 2, slow: 4, signal: 3, ...options }),
  bollinger: (options) => bollinger({ period: 3, ...options }),
  atr: (options) => atr({ period: 3, ...options }),
  vwap: (options) => vwap({ every: '7m', ...options }),
}
const names = Object.keys(all)
const operatorOf = (name: string, options?: IndicatorOptions) => (all[name] as (typeof all)[string])(options)

function rows(operator: Operator, candles: readonly CandleForIndicator[]): Row[] {
  const out: Row[] = []
  from(candles)
    .pipe(operator)
    .subscribe((one) => out.push(one as Row))
  return out
}

/** The last word on each candle, without the number of its revision. */
function final(operator: Operator, candles: readonly CandleForIndicator[]): string[] {
  const last = new Map<number, string>()
  const revisions = new Map<number, number>()
  for (const { revision, ...row } of rows(operator, candles)) {
    if (!row.isClosed) continue
    expect(revision).toBe((revisions.get(row.openTime) ?? 0) + 1)
    revisions.set(row.openTime, revision)
    last.set(row.openTime, JSON.stringify(row))
  }
  return [...last].sort(([a], [b]) => a - b).map(([, row]) => row)
}

const short = ({ openTime, value, isComplete, revision }: Row) =>
  `${openTime / 60_000}: ${value}${isComplete ? '' : ' incomplete'}${revision === 1 ? '' : ` r${revision}`}`

describe('an indicator', () => {
  it('says which one it is, of what, and has no value before there are enough candles', () => {
    expect(rows(sma({ period: 2 }), [priced(0, 1), priced(1, 2)])).toEqual([
      {
        market: 'spot',
        symbol: 'A',
        interval: '1m',
        openTime: 60_000,
        indicator: 'sma:2',
        value: 1.5,
        isComplete: true,
        isClosed: true,
        revision: 1,
      },
    ])
  })

  it('takes a quiet minute for one at the last close, once the next candle comes', () => {
    expect(rows(sma({ period: 2 }), [priced(0, 1), priced(1, 2), priced(4, 6)]).map(short)).toEqual([
      '1: 1.5',
      '2: 2',
      '3: 2',
      '4: 4',
    ])
  })

  it('leaves quiet minutes out where it is told to', () => {
    const candles = [priced(0, 1), priced(1, 2), priced(4, 6)]
    expect(rows(sma({ period: 2, quiet: 'skipped' }), candles).map(short)).toEqual(['1: 1.5', '4: 4'])
  })

  it('starts anew after a long silence', () => {
    const candles = [priced(0, 1), priced(1, 2), priced(5, 6), priced(6, 8)]
    expect(rows(sma({ period: 2, maxQuiet: 2 }), candles).map(short)).toEqual(['1: 1.5', '6: 7'])
    expect(rows(sma({ period: 2, maxQuiet: 3 }), candles)).toHaveLength(6)
  })

  it('goes through a correction as if it had come in its place, and tells only what has changed', () => {
    const candles = [priced(0, 1), priced(1, 2), priced(2, 3), priced(3, 4), priced(1, 8, { revision: 2 })]
    expect(rows(sma({ period: 2 }), candles).map(short)).toEqual([
      '1: 1.5',
      '2: 2.5',
      '3: 3.5',
      '1: 4.5 r2',
      '2: 5.5 r2',
    ])
  })

  it('does not take an older revision, nor one a second time', () => {
    const candles = [
      priced(0, 1),
      priced(1, 2, { revision: 2 }),
      priced(1, 9, { revision: 1 }),
      priced(1, 9, { revision: 2 }),
    ]
    expect(rows(sma({ period: 2 }), candles).map(short)).toEqual(['1: 1.5'])
  })

  it('says that it is incomplete where a candle with a hole is looked back on', () => {
    const candles = [0, 1, 2, 3, 4].map((minute) => priced(minute, 1, minute === 1 ? { isComplete: false } : {}))
    expect(rows(sma({ period: 2 }), candles).map(short)).toEqual(['1: 1 incomplete', '2: 1 incomplete', '3: 1', '4: 1'])
  })

  it('is complete again once the candle is', () => {
    const candles = [priced(0, 1), priced(1, 1, { isComplete: false }), priced(2, 1), priced(1, 1, { revision: 2 })]
    expect(rows(sma({ period: 2 }), candles).map(short)).toEqual([
      '1: 1 incomplete',
      '2: 1 incomplete',
      '1: 1 r2',
      '2: 1 r2',
    ])
  })

  it('says that it is incomplete where a correction comes too late to be reckoned with', () => {
    const candles = [0, 1, 2, 3, 4].map((minute) => priced(minute, 1))
    const late = [...candles, priced(1, 5, { revision: 2 }), priced(5, 1), priced(6, 1)]
    expect(rows(sma({ period: 3, corrections: 2 }), late).map(short)).toEqual([
      '2: 1',
      '3: 1',
      '4: 1',
      '3: 1 incomplete r2',
      '4: 1 incomplete r2',
      '5: 1',
      '6: 1',
    ])
  })

  it('makes a preview of an open candle, of which nothing stays', () => {
    const open = priced(3, 9, { isClosed: false, revision: 0 })
    const [first, preview, ...more] = rows(sma({ period: 2 }), [priced(0, 1), priced(1, 3), open, priced(3, 5), open])
    expect(first).toMatchObject({ value: 2 })
    expect(preview).toMatchObject({ openTime: 180_000, value: 6, isClosed: false, revision: 0 })
    expect(more.map(short)).toEqual(['2: 3', '3: 4'])
  })

  it('keeps symbols, markets and intervals apart', () => {
    const candles = [
      priced(0, 1),
      priced(0, 5, { symbol: 'B' }),
      priced(0, 7, { market: 'usdm' }),
      priced(0, 9, { interval: '5m' }),
      priced(1, 3),
    ]
    expect(rows(sma({ period: 2 }), candles).map(short)).toEqual(['1: 2'])
  })

  it('weighs by volume since the start of the period', () => {
    const candles = [
      priced(5, 1),
      priced(6, 4, { volume: (unit * 4) as Fixed8 }),
      priced(7, 2),
      priced(8, 5, { volume: unit as Fixed8 }),
    ]
    expect(rows(vwap({ every: '7m' }), candles).map(short)).toEqual(['5: 1', '6: 3', '7: 2', '8: 3'])
  })

  it('has a hole until the next start where it weighs by volume', () => {
    const candles = [5, 6, 7, 8].map((minute) => priced(minute, 1, minute === 5 ? { isComplete: false } : {}))
    expect(rows(vwap({ every: '7m' }), candles).map(short)).toEqual([
      '5: 1 incomplete',
      '6: 1 incomplete',
      '7: 1',
      '8: 1',
    ])
  })

  it.each(names)('%s ends in any late order as it does in order', (name) => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 5, maxLength: 40 }),
        fc.array(fc.nat(1_000), { minLength: 40, maxLength: 40 }),
        fc.boolean(),
        (seed, steps, delays, isSkipped) => {
          const prices = walkOf({ seed, count: steps.length, price: unit, step: unit / 50, stillPercent: 20 })
          let minute = 0
          const candles = steps.map((step, index) => {
            minute += 1 + (step === 3 ? 2 : 0)
            const { high, low, close } = prices[index] as CandleForIndicator
            const volume = (unit + index) as Fixed8
            const isComplete = step !== 2
            return candle(minute, { high, low, close, volume, quoteVolume: BigInt(close) * BigInt(volume), isComplete })
          })
          // Nothing comes more than four minutes late, and some candles come wrong at first.
          const wrong = candles
            .filter((_, index) => (delays[index] as number) % 5 === 0)
            .map((one) => ({ ...one, close: one.low, revision: 0 }))
          const arrival = (one: CandleForIndicator, index: number) =>
            one.openTime + (one.revision === 0 ? 0 : ((delays[index] as number) % 5) * 60_000)
          const shuffled = [...wrong, ...candles]
            .map((one, index) => ({ one, at: arrival(one, index % 40) }))
            .sort((a, b) => a.at - b.at)
            .map(({ one }) => one)
          const options: IndicatorOptions = { corrections: 12, quiet: isSkipped ? 'skipped' : 'flat' }
          expect(final(operatorOf(name, options), shuffled)).toEqual(final(operatorOf(name, options), candles))
        },
      ),
      { numRuns: 100 },
    )
  })

  it.each(names)('%s goes on the same, to the last byte, restored behind every candle', (name) => {
    const made = walkOf({ seed: 7, count: 40, price: unit, step: unit / 30, stillPercent: 10 })
    const candles = made.flatMap((one, index) => {
      if (index % 9 === 4) return []
      const isComplete = index % 11 !== 3
      if (index % 6 !== 5) return [{ ...one, isComplete }]
      return [
        { ...one, isComplete },
        { ...(made[index - 2] as CandleForIndicator), close: one.close, revision: index },
      ]
    })
    const chain = (source: Observable<CandleForIndicator>) =>
      source.pipe(
        map((one) => ({ ...one, quoteVolume: BigInt(one.quoteVolume) })),
        operatorOf(name, { corrections: 4 }),
      )
    const sent = candles.map((one) => ({ ...one, quoteVolume: String(one.quoteVolume) as unknown as bigint }))
    const whole = new ChainTask(chain)
    const wholeCuts: TaskCut[] = []
    const cuts: TaskCut[] = []
    const out: unknown[] = []
    for (const one of sent) {
      wholeCuts.push(whole.push(one).cut())
      const task = new ChainTask(chain, cuts.length === 0 ? null : savedFrom(...cuts)).push(one)
      cuts.push(task.cut())
      out.push(...task.out)
    }
    expect(out).toEqual(whole.out)
    const asRestored = (saved: readonly TaskCut[]) =>
      new ChainTask(chain, savedFrom(...saved)).push(sent.at(-1) as never)
    expect(asRestored(cuts).cut().state).toEqual(asRestored(wholeCuts).cut().state)
  })

  it('sets a candle aside whose prices are floats, or that opens between two intervals', () => {
    expect(() => rows(sma({ period: 1 }), [candle(0, { close: 1.5 as Fixed8 })])).toThrow()
    const seen: unknown[] = []
    from([candle(0, { openTime: 61 })])
      .pipe(sma({ period: 1 }))
      .subscribe({ error: (error) => seen.push(error) })
    expect(String(seen[0])).toMatch(/multiple of 1m/)
  })

  it('ends where there are more series than it may keep', () => {
    const seen: unknown[] = []
    from([priced(0, 1), priced(0, 1, { symbol: 'B' })])
      .pipe(sma({ period: 1, maxKeys: 1 }))
      .subscribe({ error: (error) => seen.push(error) })
    expect(seen[0]).toBeInstanceOf(ConfigurationError)
  })

  it.each<readonly [string, () => unknown]>([
    ['sma: period', () => sma({ period: 0 })],
    ['sma: period', () => sma({ period: 1.5 })],
    ['sma: period', () => sma({} as { period: number })],
    ['ema: period', () => ema({ period: 1_001 })],
    ['rsi: period', () => rsi({ period: 1 })],
    ['atr: period', () => atr({ period: Number.NaN })],
    ['macd: slow', () => macd({ fast: 12, slow: 12 })],
    ['macd: signal', () => macd({ signal: 0 })],
    ['bollinger: period', () => bollinger({ period: 1 })],
    ['bollinger: deviations', () => bollinger({ deviations: 0 })],
    ['vwap: every', () => vwap({ every: 0 })],
    ['corrections', () => sma({ period: 1, corrections: 0 })],
    ['quiet', () => sma({ period: 1, quiet: 'loud' as 'flat' })],
    ['maxQuiet', () => sma({ period: 1, maxQuiet: -1 })],
  ])('refuses %s out of range', (what, make) => {
    expect(make).toThrow(ConfigurationError)
    expect(make).toThrow(what)
  })
})

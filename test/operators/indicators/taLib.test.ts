import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { from, type OperatorFunction } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { parseFixed8 } from '../../../src/exact/decimal.ts'
import { atr } from '../../../src/operators/indicators/atr.ts'
import { bollinger } from '../../../src/operators/indicators/bollinger.ts'
import { ema } from '../../../src/operators/indicators/ema.ts'
import type { CandleForIndicator, Indicator } from '../../../src/operators/indicators/indicator.ts'
import { macd } from '../../../src/operators/indicators/macd.ts'
import { rsi } from '../../../src/operators/indicators/rsi.ts'
import { sma } from '../../../src/operators/indicators/sma.ts'
import { asDouble, candle, walkOf } from './candles.ts'

const python = process.env.MILLRACE_TEST_PYTHON ?? 'python3'
const program = fileURLToPath(new URL('../../support/python/indicators.py', import.meta.url))
const hasTaLib = spawnSync(python, ['-c', 'import talib']).status === 0
const klines = resolve('../shared/data/klines-spot-2025-10-full-columns')
const title = `TA-Lib${hasTaLib ? '' : ' (not here: pip install TA-Lib, and MILLRACE_TEST_PYTHON for another python)'}`

type Operator = OperatorFunction<CandleForIndicator, Indicator<object>>
const indicators: Readonly<Record<string, readonly [operator: () => Operator, outputs: readonly string[]]>> = {
  sma: [() => sma({ period: 20 }), ['value']],
  ema: [() => ema({ period: 21 }), ['value']],
  rsi: [() => rsi(), ['value']],
  macd: [() => macd(), ['macd', 'signal', 'histogram']],
  bollinger: [() => bollinger(), ['upper', 'middle', 'lower']],
  atr: [() => atr(), ['value']],
}

function byTaLib(candles: readonly CandleForIndicator[]): Record<string, readonly (readonly number[] | null)[]> {
  const input = JSON.stringify({
    high: candles.map(({ high }) => asDouble(high)),
    low: candles.map(({ low }) => asDouble(low)),
    close: candles.map(({ close }) => asDouble(close)),
  })
  const { status, stdout, stderr } = spawnSync(python, [program], {
    input,
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  })
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout) as Record<string, readonly (readonly number[] | null)[]>
}

/** The greatest distance between ours and TA-Lib's, and where one has a value and the other has none. */
function compare(candles: readonly CandleForIndicator[]): Record<string, number> {
  const theirs = byTaLib(candles)
  const worst: Record<string, number> = {}
  for (const [name, [operator, outputs]] of Object.entries(indicators)) {
    const ours = new Map<number, Record<string, number>>()
    from(candles)
      .pipe(operator())
      .subscribe((one) => ours.set(one.openTime, one as unknown as Record<string, number>))
    worst[name] = 0
    candles.forEach(({ openTime }, index) => {
      const expected = theirs[name]?.[index] ?? null
      const value = ours.get(openTime)
      if ((expected === null) !== (value === undefined)) {
        throw new Error(
          `${name} at candle ${index}: ours ${JSON.stringify(value)}, TA-Lib's ${JSON.stringify(expected)}`,
        )
      }
      outputs.forEach((output, at) => {
        const difference = Math.abs((value?.[output] ?? 0) - (expected?.[at] ?? 0))
        worst[name] = Math.max(worst[name] as number, difference / Math.max(1, Math.abs(expected?.[at] ?? 0)))
      })
    })
  }
  return worst
}

function expectEqual(worst: Record<string, number>): void {
  expect(Object.entries(worst).filter(([, difference]) => !(difference <= 1e-9))).toEqual([])
}

describe.runIf(hasTaLib)(title, () => {
  it.each([
    { seed: 1, count: 600, price: 6_183_763_000_000, step: 5_000_000_000, stillPercent: 5 },
    { seed: 2, count: 600, price: 4_200, step: 12, stillPercent: 60 },
    { seed: 3, count: 1_500, price: 100_000_000, step: 90_000, stillPercent: 97 },
    { seed: 4, count: 33, price: 100_000_000, step: 90_000, stillPercent: 0 },
    { seed: 5, count: 60, price: 100_000_000, step: 1, stillPercent: 100 },
    { seed: 6, count: 900, price: 900_000_000_000_000, step: 40_000_000_000_000, stillPercent: 0 },
  ])('has the same values on a walk from $price, $stillPercent % still', (walk) => {
    expectEqual(compare(walkOf(walk)))
  })

  it.skipIf(!existsSync(klines)).each(['BTCUSDT', 'ETHUSDT'])(
    "has the same values on the exchange's candles of %s",
    (symbol) => {
      const [head = '', ...lines] = gunzipSync(readFileSync(`${klines}/${symbol}-1m.csv.gz`))
        .toString()
        .trim()
        .split('\n')
      const columns = head.split(',')
      const at = (cells: readonly string[], name: string) => parseFixed8(cells[columns.indexOf(name)] ?? '') ?? 0
      const candles = lines.map((line, index) => {
        const cells = line.split(',')
        return candle(index, { high: at(cells, 'high'), low: at(cells, 'low'), close: at(cells, 'close') })
      })
      expect(candles.length).toBeGreaterThan(1_000)
      expect(candles[0]?.close).not.toBe(0)
      expectEqual(compare(candles))
    },
  )
})

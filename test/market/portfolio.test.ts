import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Fixed8, formatFixed, parseFixed8 } from '../../src/exact/decimal.ts'
import { type OwnTrade, Portfolio, type PortfolioMinute } from '../../src/market/portfolio.ts'

const minute = 60_000
const units = (text: string) => parseFixed8(text) as Fixed8
const trade = (
  at: number,
  side: OwnTrade['side'],
  quantity: string,
  price: string,
  over: Partial<OwnTrade> = {},
): OwnTrade => ({
  symbol: 'A',
  at: at * minute + 1,
  side,
  quantity: units(quantity),
  price: units(price),
  fee: 0,
  ...over,
})
const closes = (prices: Readonly<Record<string, string>>) =>
  new Map(Object.entries(prices).map(([symbol, price]) => [symbol, units(price)]))
const shown = ({ value, cost, realised, unrealised, drawdown, exposure, isComplete }: PortfolioMinute) =>
  [...[value, cost, realised, unrealised, drawdown].map((one) => formatFixed(one, 16, 2)), exposure, isComplete].join(
    ' ',
  )
const run = (trades: readonly OwnTrade[], prices: readonly Readonly<Record<string, string>>[]) => {
  const portfolio = new Portfolio(trades, 2 * minute)
  return prices.map((one, i) => shown(portfolio.minute(i * minute, closes(one))))
}

describe('a portfolio', () => {
  it('has value, cost, gains, drawdown and exposure at the end of each minute', () => {
    const trades = [trade(0, 'buy', '2', '100'), trade(2, 'sell', '1', '120'), trade(3, 'sell', '1', '90')]
    expect(run(trades, [{ A: '100' }, { A: '130' }, { A: '120' }, { A: '90' }])).toEqual([
      '200.00 200.00 0.00 0.00 0.00 10000 true',
      '260.00 200.00 0.00 60.00 0.00 10000 true',
      '120.00 100.00 20.00 20.00 20.00 10000 true',
      '0.00 0.00 10.00 0.00 50.00 0 true',
    ])
  })

  it('counts fees as cost of what is bought, and against what is sold', () => {
    const fee = units('1')
    const trades = [trade(0, 'buy', '1', '10', { fee }), trade(1, 'sell', '1', '10', { fee })]
    expect(run(trades, [{ A: '10' }, { A: '10' }])).toEqual([
      '10.00 11.00 0.00 -1.00 1.00 10000 true',
      '0.00 0.00 -2.00 0.00 2.00 0 true',
    ])
  })

  it('is not complete where the price of something that is held is missing or old', () => {
    const trades = [trade(0, 'buy', '1', '10'), trade(0, 'buy', '1', '30', { symbol: 'B' })]
    expect(run(trades, [{ A: '10' }, { B: '30' }, {}, {}, { A: '20', B: '20' }])).toEqual([
      '40.00 40.00 0.00 0.00 0.00 7500 false',
      '40.00 40.00 0.00 0.00 0.00 7500 true',
      '40.00 40.00 0.00 0.00 0.00 7500 true',
      '40.00 40.00 0.00 0.00 0.00 7500 false',
      '40.00 40.00 0.00 0.00 0.00 5000 true',
    ])
  })

  it('is refused where more is sold than was held', () => {
    expect(() => run([trade(0, 'sell', '1', '10')], [{}])).toThrow(/more A is sold at 1970-01-01T00:00:00.001Z/)
  })

  it('loses nothing to rounding: what is realised and unrealised is what came in and is held, less what was paid', () => {
    const step = fc.tuple(fc.integer({ min: 1, max: 10 ** 9 }), fc.integer({ min: 1, max: 10 ** 12 }), fc.boolean())
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
        let held = 0n
        let cash = 0n
        const trades = steps.flatMap(([quantity, price, isSale], i): OwnTrade[] => {
          const side = isSale && BigInt(quantity) <= held ? 'sell' : 'buy'
          const amount = BigInt(quantity) * BigInt(price)
          held += side === 'buy' ? BigInt(quantity) : -BigInt(quantity)
          cash += side === 'buy' ? -amount : amount
          return [{ symbol: 'A', at: i * minute, side, quantity: quantity as Fixed8, price: price as Fixed8, fee: 0 }]
        })
        const portfolio = new Portfolio(trades, minute)
        let last: PortfolioMinute | null = null
        for (let i = 0; i < steps.length; i++) last = portfolio.minute(i * minute, closes({ A: '7' }))
        const { realised, unrealised, value } = last as PortfolioMinute
        expect(value).toBe(held * 700_000_000n)
        expect(realised + unrealised).toBe(cash + value)
      }),
    )
  })
})

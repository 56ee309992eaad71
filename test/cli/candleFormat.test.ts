import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { candleFormat, csvColumns, eightPlaces } from '../../src/cli/candleFormat.ts'
import type { StoredCandle } from '../../src/queries/candles.ts'

const candle: StoredCandle = {
  market: 'spot',
  symbol: 'BTCUSDT',
  interval: '1m',
  openTime: Date.UTC(2024, 7, 8, 23, 55),
  open: '61837.63000000',
  high: '61840',
  low: '61800.1',
  close: '61837.6300000001',
  volume: '12.34567',
  quoteVolume: '763401.1234567850000000',
  tradeCount: 1024,
  takerBuyVolume: '6',
  vwap: '61836.00000001',
  isClosed: true,
  revision: 1,
}

describe('csv', () => {
  test('has the agreed columns, ISO times and decimals with 8 places', () => {
    const format = candleFormat('csv')
    expect(format.head).toBe(
      'symbol,interval,open_time,open,high,low,close,volume,quote_volume,trade_count,taker_buy_volume,vwap,is_closed,revision,market\n',
    )
    expect(format.page([candle], true)).toBe(
      'BTCUSDT,1m,2024-08-08T23:55:00.000Z,61837.63000000,61840.00000000,61800.10000000,61837.63000000,12.34567000,' +
        '763401.12345678,1024,6.00000000,61836.00000001,true,1,spot\n',
    )
  })

  test('an open candle says so', () => {
    expect(candleFormat('csv').page([{ ...candle, isClosed: false, revision: 0 }], true)).toMatch(/,false,0,spot\n$/)
  })
})

describe('json', () => {
  test('is one array over any number of pages', () => {
    const format = candleFormat('json')
    const text = format.head + format.page([candle, candle], true) + format.page([candle], false) + format.tail
    const parsed = JSON.parse(text) as Record<string, unknown>[]
    expect(parsed).toHaveLength(3)
    expect(parsed[0]).toMatchObject({ market: 'spot', open: '61837.63000000', trade_count: 1024, is_closed: true })
    expect(Object.keys(parsed[0] ?? {})).toEqual(['market', ...csvColumns.slice(0, -1)])
    expect(JSON.parse(format.head + format.tail)).toEqual([])
  })
})

describe('table', () => {
  test('has its headings once and aligned columns', () => {
    const format = candleFormat('table')
    const first = format.page([candle, { ...candle, isClosed: false }], true).split('\n')
    expect(first[0]).toMatch(/^open time \(UTC\) +open +high/)
    expect(first[1]).toContain('2024-08-08 23:55')
    expect(first[2]).toMatch(/ open$/)
    expect(format.page([candle], false)).not.toContain('open time')
  })
})

describe('eightPlaces', () => {
  test('rounds half to even', () => {
    expect(eightPlaces('0.000000005')).toBe('0.00000000')
    expect(eightPlaces('0.000000015')).toBe('0.00000002')
    expect(eightPlaces('0.0000000150000001')).toBe('0.00000002')
    expect(eightPlaces('0.9999999950000001')).toBe('1.00000000')
    expect(eightPlaces('-0.000000015')).toBe('-0.00000002')
  })

  test('a decimal of up to 8 places keeps its value, however large', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 40n }), fc.integer({ min: 0, max: 8 }), (units, scale) => {
        const digits = units.toString().padStart(scale + 1, '0')
        const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`
        const printed = eightPlaces(text)
        expect(printed).toMatch(/^\d+\.\d{8}$/)
        expect(BigInt(printed.replace('.', ''))).toBe(units * 10n ** BigInt(8 - scale))
      }),
    )
  })
})

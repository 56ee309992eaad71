import { expect, test } from 'vitest'
import {
  addSymbol,
  enableSymbol,
  newSymbolsText,
  removeSymbol,
  textOf,
} from '../../../src/sources/symbols/editSymbols.ts'
import { isStreamName } from '../../../src/sources/symbols/streamName.ts'
import { parseSymbols } from '../../../src/sources/symbols/symbolsFile.ts'
import { symbolsOfTrades, wantedStreams } from '../../../src/sources/symbols/wantedStreams.ts'

const text = `# What we trade.
tiers:
  hot: { streams: [trade, kline_1m, ticker, depth5@100ms] } # the ones we look at
  cold:
    streams: [trade]
symbols:
  # majors
  - { symbol: BTCUSDT, tier: hot }
  - symbol: ETHUSDT # for the pair
    tier: hot
    enabled: false
  - { symbol: 1000SHIBUSDT, tier: cold, streams: [kline_1M] }
`
const read = (source: string) => parseSymbols('symbols.yaml', source)

test('a symbol has the streams of its tier, or its own, and is enabled unless it says otherwise', () => {
  const { file } = read(text)
  expect(file.market).toBe('spot')
  expect(file.symbols).toStrictEqual([
    { symbol: 'BTCUSDT', tier: 'hot', enabled: true, streams: ['trade', 'kline_1m', 'ticker', 'depth5@100ms'] },
    { symbol: 'ETHUSDT', tier: 'hot', enabled: false, streams: ['trade', 'kline_1m', 'ticker', 'depth5@100ms'] },
    { symbol: '1000SHIBUSDT', tier: 'cold', enabled: true, streams: ['kline_1M'] },
  ])
  expect(symbolsOfTrades(wantedStreams(file))).toStrictEqual(['BTCUSDT'])
})

test('a change keeps comments, order and the way that the rest is written', () => {
  const changed = read(text)
  enableSymbol(changed, 'ETHUSDT', true)
  enableSymbol(changed, 'BTCUSDT', true)
  addSymbol(changed, { symbol: 'SOLUSDT', tier: 'cold', streams: undefined })
  removeSymbol(changed, '1000SHIBUSDT')
  expect(textOf(changed)).toBe(
    text
      .replace('enabled: false', 'enabled: true')
      .replace(
        '  - { symbol: 1000SHIBUSDT, tier: cold, streams: [kline_1M] }\n',
        '  - { symbol: SOLUSDT, tier: cold }\n',
      ),
  )
})

test('a file of Coinbase has products, and their trades alone', () => {
  const made = read(newSymbolsText('coinbase'))
  addSymbol(made, { symbol: 'BTC-USD', tier: 'standard', streams: undefined })
  const again = read(textOf(made))
  expect(again.file.market).toBe('coinbase')
  expect(symbolsOfTrades(wantedStreams(again.file))).toStrictEqual(['BTC-USD'])
  addSymbol(again, { symbol: 'BTCUSD', tier: 'standard', streams: undefined })
  addSymbol(again, { symbol: 'ETH-USD', tier: 'standard', streams: ['trade', 'ticker'] })
  expect(() => read(textOf(again))).toThrow(/BTCUSD is not a product of Coinbase.*ETH-USD has the stream ticker/)
  expect(() =>
    read(newSymbolsText('spot').replace('symbols:', 'symbols: [{ symbol: BTC-USD, tier: standard }]')),
  ).toThrow(/BTC-USD is not a symbol/)
})

test('a new file is well formed, and takes symbols', () => {
  const made = read(newSymbolsText('spot'))
  expect(made.file.symbols).toStrictEqual([])
  addSymbol(made, { symbol: 'BTCUSDT', tier: 'standard', streams: ['trade', 'depth@100ms'] })
  const again = read(textOf(made))
  expect(again.file.symbols).toStrictEqual([
    { symbol: 'BTCUSDT', tier: 'standard', enabled: true, streams: ['trade', 'depth@100ms'] },
  ])
  expect(textOf(made)).toContain('# Which symbols are taken')
  removeSymbol(again, 'BTCUSDT')
  expect(read(textOf(again)).file.symbols).toStrictEqual([])
})

test.each([
  ['symbols: [', 'line 1: no YAML'],
  ['', 'the file (Invalid input: expected object, received null)'],
  [text.replace('tier: hot }', 'tier: hat }'), 'line 8: BTCUSDT has the tier hat, and the tiers are hot, cold'],
  [text.replace('BTCUSDT', 'btcusdt'), 'line 8: btcusdt is not a symbol in upper case'],
  [text.replace('ETHUSDT', 'BTCUSDT'), 'line 9: BTCUSDT is there twice'],
  [text.replace('kline_1m,', 'kline_7m,'), 'line 3: tiers.hot.streams is no stream; allowed: trade, aggTrade'],
  [text.replace('enabled: false', 'enabled: nope'), 'line 11: symbols.enabled (Invalid input: expected boolean'],
  [text.replace('enabled: false', 'enable: false'), 'line 9: symbols has enable, which nothing reads'],
  [text.replace('  cold:', '  Cold:'), 'tiers.Cold is no name of a tier'],
  [text.replace('# What we trade.', 'market: coinm'), 'line 1: market (Invalid'],
  [`${text}market: spot\nmarket: spot\n`, 'no YAML'],
  [`${text}#${'x'.repeat(1024 * 1024)}`, 'is larger than'],
  [
    'a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c]\n',
    'Excessive alias count',
  ],
])('a file that is wrong says where and what: %#', (source, words) => {
  expect(() => read(source)).toThrow(words)
})

test('streams are those of the exchange', () => {
  for (const name of ['trade', 'kline_1M', 'depth', 'depth@100ms', 'depth20@1000ms', 'bookTicker'])
    expect(isStreamName(name), name).toBe(true)
  for (const name of ['trades', 'kline_1x', 'kline', 'depth7', 'ticker@arr', '!ticker'])
    expect(isStreamName(name), name).toBe(false)
})

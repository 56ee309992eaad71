import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, expect, test } from 'vitest'
import { archiveLines, checksumBeside, checksumIn } from '../../src/backfill/archiveFile.ts'
import { archiveKlines } from '../../src/backfill/archiveKlines.ts'
import { archiveNameOf } from '../../src/backfill/archiveName.ts'
import type { RawKline } from '../../src/backfill/rawKline.ts'
import { minuteRows } from './fakeRest.ts'
import { zipOf } from './zipOf.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-archives-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const start = Date.UTC(2024, 7, 8)
const rows = minuteRows(start, 1_500)
const csv = Buffer.from(`${rows.map((row) => row.join(',')).join('\n')}\n`)
const header =
  'open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n'

function file(name: string, content: Buffer): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

async function read(path: string): Promise<{ klines: RawKline[]; units: string[] }> {
  const klines: RawKline[] = []
  const units: string[] = []
  for await (const page of archiveKlines(path, (unit) => units.push(unit))) klines.push(...page)
  return { klines, units }
}

test('zip, csv and gzip, with and without a line of names, in ms and microseconds, are the same candles', async () => {
  const plain = await read(file('plain.csv', csv))
  expect(plain.units).toStrictEqual(['ms'])
  expect(plain.klines.map((kline) => kline.openTime)).toStrictEqual(rows.map(([openTime]) => openTime))
  expect(plain.klines[1]).toStrictEqual({
    openTime: start + 60_000,
    open: 10_100_000_000,
    high: 10_100_000_000,
    low: 10_100_000_000,
    close: 10_100_000_000,
    volume: 250_000_000,
    closeTime: start + 119_999,
    quoteVolume: 25_000_000_000,
    tradeCount: 7,
    takerBuyVolume: 100_000_000,
    takerBuyQuoteVolume: 10_000_000_000,
  })
  const withHeader = Buffer.concat([Buffer.from(header), csv])
  for (const path of [
    file('packed.zip', zipOf({ 'BTCUSDT-1m.csv': csv })),
    file('named.zip', zipOf({ 'BTCUSDT-1m.csv': withHeader })),
    file('packed.csv.gz', gzipSync(withHeader)),
    file('windows.csv', Buffer.from(csv.toString().replaceAll('\n', '\r\n'))),
    file('open end.csv', csv.subarray(0, -1)),
  ]) {
    expect(await read(path), path).toStrictEqual(plain)
  }
  const us = Buffer.from(
    rows.map((row) => [`${row[0]}000`, ...row.slice(1, 6), `${row[6]}999`, ...row.slice(7)].join(',')).join('\n'),
  )
  expect(await read(file('us.csv', us))).toStrictEqual({ klines: plain.klines, units: ['us'] })
})

test('what is no archive of candles says what and where', async () => {
  const line = (index: number, text: string) =>
    Buffer.from(
      rows
        .slice(0, 5)
        .map((row, at) => (at === index ? text : row.join(',')))
        .join('\n'),
    )
  const sound = (rows[2] as readonly unknown[]).join(',')
  for (const [content, words] of [
    [line(2, sound.replace(/^\d+/, '1723')), 'line 3: "1723" is no time of 13 digits'],
    [line(2, sound.replace(/^(\d+)/, '$1000')), 'line 3: a time in us where those before are in ms'],
    [line(2, `${sound},1`), 'line 3: a candle has 12 columns, got 13'],
    [line(2, sound.replace(',102.', ',1e2.')), 'line 3, column 2 (open)'],
    [line(2, sound.replace(',7,', ',7.5,')), 'line 3, column 9 (count)'],
    [line(0, 'symbol,price'), 'its first line is neither a candle nor the names'],
    [line(1, 'x'.repeat(10_000)), 'has a line of 10000 bytes'],
    [Buffer.from('PK\x03\x04 and nothing that is a zip', 'latin1'), 'is damaged'],
    [zipOf({ 'a.csv': csv, 'b.csv': csv }), 'must hold one csv'],
    [zipOf({ 'a.txt': csv }), 'must hold one csv'],
    [zipOf({}), 'holds nothing'],
    [zipOf({ 'a.csv': csv }, { crc: 7 }), 'its checksum is another'],
    [zipOf({ 'a.csv': csv }).subarray(0, -50), 'is damaged'],
    [gzipSync(csv).subarray(0, -20), 'ends in the middle'],
  ] as const) {
    await expect(read(file('odd', Buffer.from(content))), words).rejects.toThrow(words)
  }
  await expect(read(join(folder, 'nowhere.zip'))).rejects.toThrow('does not exist')
  await expect(read(folder)).rejects.toThrow('directory')
})

test('lines are numbered as editors do, over pieces of the file', async () => {
  const path = file('lines.csv', csv)
  let seen = 0
  for await (const { lines, firstLine } of archiveLines(path)) {
    expect(firstLine).toBe(seen + 1)
    seen += lines.length
  }
  expect(seen).toBe(1_500)
})

test('a checksum file is read as the exchange writes it', async () => {
  const sum = createHash('sha256').update(csv).digest('hex')
  const path = file('sum.csv', csv)
  expect(await checksumBeside(path)).toBe(null)
  writeFileSync(`${path}.CHECKSUM`, `${sum.toUpperCase()}  sum.csv\n`)
  expect(await checksumBeside(path)).toBe(sum)
  expect(() => checksumIn('x', '<html>')).toThrow('does not begin with a SHA-256')
  expect(() => checksumIn('x', `${sum}0  sum.csv`)).toThrow('does not begin with a SHA-256')
})

test('names of archives say what is in them', () => {
  const zip = 'https://data.binance.vision/data/spot/monthly/klines/BTCUSDT/1mo/BTCUSDT-1mo-2024-08.zip'
  expect(archiveNameOf(zip)).toStrictEqual({ symbol: 'BTCUSDT', content: { interval: '1M' }, market: 'spot' })
  expect(archiveNameOf('/data/futures/um/daily/trades/BTCUSDT/BTCUSDT-trades-2024-08-08.zip?x=1')).toStrictEqual({
    symbol: 'BTCUSDT',
    content: { other: 'trades' },
    market: 'usdm',
  })
  expect(archiveNameOf('ETHUSDT-1m-2025-01-01.csv')).toMatchObject({ market: null, content: { interval: '1m' } })
  for (const name of ['klines.zip', 'BTCUSDT-1m.zip', 'BTCUSDT-1m-2024.zip', 'btcusdt-1m-2024-08.zip']) {
    expect(archiveNameOf(name), name).toBe(null)
  }
})

const shared = '../shared/data/klines-spot-2025-10-full-columns/BTCUSDT-1m.csv.gz'
test.skipIf(!existsSync(shared))(
  'three days of real candles, written as the archives of 2025 are, are read whole and exact',
  async () => {
    const lines = gunzipSync(readFileSync(shared)).toString().trim().split('\n').slice(1)
    const us = (text: string) => `${Date.parse(text.replace(' ', 'T'))}${text.includes('.') ? '999' : '000'}`
    const official = lines.map((line) => {
      const cells = line.split(',')
      return [us(cells[0] ?? ''), ...cells.slice(1, 6), us(cells[6] ?? ''), ...cells.slice(7, 12)].join(',')
    })
    const { klines, units } = await read(
      file('BTCUSDT-1m-2025-10.zip', zipOf({ 'BTCUSDT-1m-2025-10.csv': Buffer.from(official.join('\n')) })),
    )
    expect([klines.length, units]).toStrictEqual([4_320, ['us']])
    for (const [index, kline] of klines.entries()) {
      expect(kline.closeTime).toBe(kline.openTime + 59_999)
      if (index > 0) expect(kline.openTime).toBe((klines[index - 1] as RawKline).openTime + 60_000)
      expect(
        kline.low <= kline.open && kline.low <= kline.close && kline.high >= kline.open && kline.high >= kline.close,
      ).toBe(true)
    }
  },
)

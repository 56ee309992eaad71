import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { downloadArchive } from '../../../src/backfill/download.ts'
import { NotAllowed, plainUrl } from '../../../src/cli/settingReaders.ts'
import { binanceFeed } from '../../../src/sources/binance/binanceFeed.ts'
import { marketRules } from '../../../src/sources/binance/endpoints.ts'
import { RestTrades } from '../../../src/sources/binance/restTrades.ts'
import { coinbaseFeed } from '../../../src/sources/coinbase/coinbaseFeed.ts'
import { limitsOfAddress, waitOfRefusal } from '../../../src/sources/live/addressLimits.ts'
import { RestClient } from '../../../src/sources/live/restClient.ts'
import { SleepClock } from '../../backfill/apiFor.ts'
import { fakeRest } from '../../backfill/fakeRest.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-shown-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('an address of an exchange holds no secret, which would be told in every report, and what is wrong with one does not tell it', () => {
  const secret = 's3cret'
  const feeds = [
    () =>
      binanceFeed({
        market: 'spot',
        symbols: ['BTCUSDT'],
        endpoints: { streamUrl: `wss://me:${secret}@mirror.example` },
      }),
    () =>
      binanceFeed({
        market: 'spot',
        symbols: ['BTCUSDT'],
        endpoints: { restUrl: `https://mirror.example?k=${secret}` },
      }),
    () => coinbaseFeed({ symbols: ['BTC-USD'], endpoints: { restUrl: `https://me:${secret}@mirror.example` } }),
  ]
  for (const make of feeds) {
    expect(make).toThrow(/must have no user, password or query/)
    expect(make).not.toThrow(secret)
  }
  const read = plainUrl(['https:'])(`https://me:${secret}@mirror.example`)
  expect(read).toBeInstanceOf(NotAllowed)
  expect(read).toMatchObject({ says: expect.stringContaining('must have no user, password or query') })
  expect(JSON.stringify(read)).not.toContain(secret)
  expect(plainUrl(['https:'])('https://mirror.example/')).toBe('https://mirror.example')
})

test('an archive behind a signed address has its checksum beside it, and its signature in no message', async () => {
  const archive = Buffer.from('an archive')
  const sha256 = 'f'.repeat(64)
  const files = {
    '/a/BTCUSDT-1m-2024-08.zip': archive,
    '/a/BTCUSDT-1m-2024-08.zip.CHECKSUM': Buffer.from(`${sha256}  BTCUSDT-1m-2024-08.zip\n`),
  }
  const server = await fakeRest({ now: 0, files })
  const { signal } = new AbortController()
  try {
    const signed = (name: string) => downloadArchive(`${server.url}/a/${name}?signature=s3cret`, folder, signal)
    await expect(signed('BTCUSDT-1m-2024-08.zip')).rejects.toThrow(/is not what its checksum file says/)
    await expect(signed('BTCUSDT-1m-2024-08.zip')).rejects.not.toThrow(/s3cret/)
    await expect(signed('BTCUSDT-1m-2024-09.zip')).rejects.toThrow(/BTCUSDT-1m-2024-09\.zip is not there/)
  } finally {
    await server.close()
  }
})

test('a refusal that asks to be left alone for ever is a mistake, and is over in three days', () => {
  expect(waitOfRefusal(429, '99999999999')).toBe(3 * 86_400_000)
  expect(waitOfRefusal(418, '259200')).toBe(3 * 86_400_000)
  expect(waitOfRefusal(418, '-1')).toBe(120_000)
})

test('trades before those that were asked for, as of a page that somebody kept, are none', async () => {
  const row = (id: number) => ({ id, price: '1', qty: '1', time: 1, isBuyerMaker: true })
  const agg = (a: number) => ({ a, p: '1', q: '1', f: a, l: a, T: 1, m: true })
  const server = await fakeRest({
    now: 0,
    answers: { historicalTrades: () => [8, 9, 10, 11].map(row), aggTrades: () => [8, 9, 10, 11].map(agg) },
  })
  const clock = new SleepClock()
  const client = new RestClient({
    clock,
    timeoutMs: 5_000,
    limits: limitsOfAddress(clock, server.url, 6_000),
    isSimulated: null,
  })
  const hosts = [{ url: server.url, hasTradesById: true }]
  const rest = new RestTrades({ hosts, rules: marketRules.spot, timeUnit: 'ms', client })
  const { signal } = new AbortController()
  try {
    const answer = await rest.fromId('BTCUSDT', 10, signal)
    expect('trades' in answer && answer.trades.map(({ id }) => id)).toEqual([10, 11])
    const aggregates = await rest.aggTradesFrom('BTCUSDT', 10, signal)
    expect('rows' in aggregates && aggregates.rows.map(({ a }) => a)).toEqual([10, 11])
  } finally {
    await server.close()
  }
})

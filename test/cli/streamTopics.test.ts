import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, afterEach, expect, test } from 'vitest'
import { SimulatedExchange } from '../../src/testing/exchange/simulatedExchange.ts'
import { runCommand, startCommand } from '../support/commandLine.ts'
import { emptyDatabases } from '../support/emptyDatabases.ts'
import { unmarked } from '../support/unmarkedExchange.ts'

const databases = await emptyDatabases()
const folder = mkdtempSync(join(tmpdir(), 'millrace-streams-'))
let exchange: SimulatedExchange | null = null
let proxy: Awaited<ReturnType<typeof unmarked>> | null = null
afterEach(async () => {
  await exchange?.close()
  await proxy?.close()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function writeSymbols(...streams: readonly string[]): void {
  writeFileSync(
    join(folder, 'symbols.yaml'),
    `tiers: { hot: { streams: [${streams.join(', ')}] } }\nsymbols:\n  - { symbol: BTCUSDT, tier: hot }\n  - { symbol: ETHUSDT, tier: hot }\n`,
  )
}

test('every stream of the file comes into its topic, status tells of each feed, and a pipeline reads one of them', async () => {
  exchange = await SimulatedExchange.start({ symbols: ['BTCUSDT', 'ETHUSDT'] })
  proxy = await unmarked(exchange)
  const place = {
    cwd: folder,
    databases,
    env: {
      MILLRACE_BINANCE_WS_URL: proxy.streamUrl,
      MILLRACE_BINANCE_REST_URL: proxy.restUrl,
      MILLRACE_SYMBOLS_FILE: 'symbols.yaml',
    },
  }
  const all = ['trade', 'ticker', 'kline_1m', 'depth5', 'aggTrade', 'miniTicker', 'bookTicker']
  writeSymbols(...all)
  const ingest = startCommand(['ingest', '--source', 'binance', '--no-tty'], place)
  const open = exchange
  const carried = (stream: string, count = 1) =>
    expect.poll(() => open.subscribersOf(stream), { timeout: 30_000 }).toBe(count)
  // Two of them are heard by the feed of trades too, as words on what is quiet.
  for (const stream of all) await carried(`ethusdt@${stream}`, /^(?:ticker|kline_1m)$/.test(stream) ? 2 : 1)
  const start = Date.UTC(2024, 7, 9, 12)
  for (let second = 0; second < 130; second++) {
    for (const symbol of ['BTCUSDT', 'ETHUSDT']) open.trade(symbol, { time: start + second * 1_000 })
    open.tick(start + second * 1_000)
  }
  // An interval more is picked up by the feed that there is; a kind of which there is none asks for a new start.
  writeSymbols(...all, 'kline_5m', 'depth')
  await ingest.seen(/symbols\.yaml has changed: .*\+btcusdt@kline_5m/)
  await ingest.seen(/nobody wanted depth when this was started/)
  await carried('btcusdt@kline_5m')
  expect(open.connections).toHaveLength(7)
  await expect
    .poll(async () => (await runCommand(['status'], place)).stdout, { timeout: 30_000, interval: 500 })
    .toMatch(/log crypto\.tickers\.raw: 260 records/)
  const status = (await runCommand(['status'], place)).stdout
  expect(status).toMatch(/log crypto\.agg-trades\.raw: 260 records/)
  expect(status).toMatch(/log crypto\.book-tickers\.raw: 260 records/)
  expect(status).toMatch(/log crypto\.partial-depth\.raw: 260 records/)
  expect(status).toMatch(/log crypto\.mini-tickers\.raw: 260 records/)
  expect(status).toMatch(/log crypto\.klines\.raw: \d+ records/)
  expect(status).toMatch(/feed binance spot ticker: no gaps, no repeats, no reconnects/)
  ingest.process.kill('SIGINT')
  const ended = await ingest.ended
  expect(ended).toMatchObject({ code: 0 })
  expect(ended.stdout).toContain('260 records appended to crypto.tickers.raw.')

  const root = resolve(import.meta.dirname, '../..')
  const example = readFileSync(join(root, 'examples/spread.ts'), 'utf8').replace("'millrace'", `'${root}/src/index.ts'`)
  writeFileSync(join(folder, 'spread.ts'), example)
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const run = await runCommand(['run', 'spread.ts', '--until-end', '--close-open'], place)
  expect(run, run.stdout + run.stderr).toMatchObject({ code: 0 })
  expect(run.stdout).toMatch(/260 records/)
}, 120_000)

test('an exchange of invented prices fills topics of invented prices, and no other', async () => {
  exchange = await SimulatedExchange.start({ symbols: ['BTCUSDT', 'ETHUSDT'] })
  writeSymbols('trade', 'ticker')
  const place = {
    cwd: folder,
    databases,
    env: {
      MILLRACE_BINANCE_WS_URL: exchange.streamUrl,
      MILLRACE_BINANCE_REST_URL: exchange.restUrl,
      MILLRACE_DATA_DIR: join(folder, 'invented'),
      MILLRACE_SYMBOLS_FILE: 'symbols.yaml',
    },
  }
  const refused = await runCommand(['ingest', '--source', 'binance', '--no-tty'], place)
  expect(refused).toMatchObject({ code: 2 })
  expect(refused.stderr).toMatch(/says that its prices are invented.*--market simulated/)
  expect(await runCommand(['ingest', '--market', 'simulated', '--no-tty'], place)).toMatchObject({ code: 2 })
  const named = ['ingest', '--source', 'binance', '--market', 'simulated', '--no-tty']
  const elsewhere = await runCommand([...named, '--topic', 'crypto.trades.raw'], place)
  expect(elsewhere).toMatchObject({ code: 2, stderr: expect.stringContaining('with "simulated" in its name') })
  const ingest = startCommand(named, place)
  await exchange.untilSubscribed('BTCUSDT')
  await ingest.seen(/SIMULATED PRICES/)
  const invented = exchange
  await expect.poll(() => invented.subscribersOf('btcusdt@ticker')).toBe(2)
  exchange.trade('BTCUSDT')
  exchange.tick(Date.UTC(2024, 7, 9) + 1_000)
  await expect
    .poll(async () => (await runCommand(['status'], place)).stdout, { timeout: 30_000, interval: 500 })
    .toMatch(/log crypto\.tickers\.simulated\.raw: 1 records/)
  ingest.process.kill('SIGINT')
  expect(await ingest.ended).toMatchObject({ code: 0 })
  const { stdout } = await runCommand(['status'], place)
  expect(stdout).toMatch(/log crypto\.trades\.simulated\.raw: \d+ records/)
  // Made by the start that was refused.
  expect(stdout).toMatch(/log crypto\.trades\.raw: 0 records/)
}, 120_000)

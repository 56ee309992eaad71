import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { SimulatedExchange } from '../../src/testing/exchange/simulatedExchange.ts'
import { runCommand, startCommand } from '../support/commandLine.ts'
import { emptyDatabases } from '../support/emptyDatabases.ts'
import { candlesOf } from '../support/klines.ts'
import { unmarked } from '../support/unmarkedExchange.ts'

const databases = await emptyDatabases()
const folder = mkdtempSync(join(tmpdir(), 'millrace-coinbase-history-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const minuteMs = 60_000

test('Coinbase by a file of symbols: changes are picked up, minutes held against its candles, history brought', async () => {
  const start = Math.floor(Date.now() / minuteMs) * minuteMs - 10 * minuteMs
  const exchange = await SimulatedExchange.start({
    speaks: 'coinbase',
    symbols: ['BTC-USD', 'ETH-USD'],
    startMs: start,
  })
  const real = await unmarked(exchange)
  const place = {
    cwd: folder,
    databases,
    env: { MILLRACE_COINBASE_WS_URL: real.streamUrl, MILLRACE_COINBASE_REST_URL: real.restUrl },
  }
  try {
    const added = await runCommand(['symbols', 'add', 'btc-usd', '--market', 'coinbase'], place)
    expect(added).toMatchObject({ code: 0, stdout: 'BTC-USD added, tier standard.\n' })
    const unknown = await runCommand(['symbols', 'add', 'ETH-USDD'], place)
    expect(unknown.stderr).toMatch(/the exchange has no ETH-USDD on coinbase.*ETH-USD/)
    expect(await runCommand(['symbols', 'validate'], place)).toMatchObject({ code: 0 })
    const wrong = await runCommand(['ingest', '--source', 'binance', '--symbols-file', 'symbols.yaml'], place)
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('give --source coinbase') })

    const run = startCommand(['run', 'realtime', '--source', 'coinbase', '--symbols-file', 'symbols.yaml'], place)
    await exchange.untilSubscribed('BTC-USD')
    const tradeUntil = (product: string, from: number, to: number) => {
      for (let time = from; time < to; time += 2_000) exchange.trade(product, { time, quantity: '0.50000000' })
    }
    // Its id is read, so that nobody looks for it; its price is not.
    tradeUntil('BTC-USD', start, start + 30_000)
    const id = exchange.trade('BTC-USD', { time: start + 30_000, isMissed: true, price: '250.00000000' })
    const damaged = { type: 'match', trade_id: id, product_id: 'BTC-USD', time: new Date(start + 30_000).toISOString() }
    exchange.send('btc-usd@trade', JSON.stringify({ ...damaged, side: 'buy', size: '1', price: '25O.0' }))
    tradeUntil('BTC-USD', start + 32_000, start + minuteMs + 6_000)
    const ours = async () =>
      (await candlesOf(place, 'BTC-USD', '--interval', '1m', '--market', 'coinbase')).map((row) =>
        Number(row.trade_count),
      )
    await vi.waitFor(async () => expect((await ours())[0]).toBe(29), { timeout: 60_000, interval: 500 })
    const follow = startCommand(['reconcile', '--follow', '--market', 'coinbase'], place)
    await follow.seen(/BTC-USD \S+: our candle has 29 of 30 trades \(1 to 30\): they were brought in again/)
    await follow.seen(/1 minutes of the last hour compared: none differs/)
    expect((await ours())[0]).toBe(30)

    exchange.falsifyKline('BTC-USD', start + minuteMs, 7)
    tradeUntil('BTC-USD', start + minuteMs + 6_000, start + 3 * minuteMs)
    await follow.seen(/the exchange's own trades make our candle; its candle differs from them in volume/)
    follow.process.kill('SIGINT')
    expect(await follow.ended).toMatchObject({ code: 0 })

    expect(await runCommand(['symbols', 'add', 'ETH-USD'], place)).toMatchObject({ code: 0 })
    await exchange.untilSubscribed('ETH-USD')
    run.process.kill('SIGINT')
    expect(await run.ended).toMatchObject({ code: 0 })

    const history = [
      'backfill',
      '--market',
      'coinbase',
      '--symbols',
      'BTC-USD',
      '--from',
      new Date(start).toISOString(),
    ]
    const fetched = await runCommand([...history, '--interval', '1m,5m', '--again'], place)
    expect(fetched).toMatchObject({ code: 0, stdout: expect.stringMatching(/^BTC-USD 1m, 5m: .* 0 changed/) })
    const refused = await runCommand([...history, '--interval', '3m'], place)
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('it has 1m, 5m, 15m, 1h, 6h, 1d') })
    const trades = await runCommand([...history, '--trades'], place)
    expect(trades).toMatchObject({ code: 0, stdout: expect.stringMatching(/90 records appended/) })
    const [, command = ''] = /Candles of them: npx millrace (.*)/.exec(trades.stdout) ?? []
    expect(command).toContain('--market coinbase')
  } finally {
    await exchange.close()
    await real.close()
  }
}, 180_000)

test('an exchange that invents its prices is asked for names and history too, into a data set of its own', async () => {
  const start = Date.UTC(2024, 7, 9)
  const exchange = await SimulatedExchange.start({ symbols: ['BTCUSDT'], startMs: start })
  const cwd = mkdtempSync(join(folder, 'invented-'))
  const place = { cwd, env: { MILLRACE_BINANCE_REST_URL: exchange.restUrl } }
  try {
    for (let second = 0; second < 180; second++) exchange.trade('BTCUSDT', { time: start + second * 1_000 })
    expect(await runCommand(['symbols', 'add', 'BTCUSDT'], place)).toMatchObject({ code: 0, stderr: '' })
    const history = ['backfill', '--symbols', 'BTCUSDT', '--from', '2024-08-09']
    const real = await runCommand(history, place)
    expect(real).toMatchObject({ code: 2, stderr: expect.stringContaining('Take them with --market simulated') })
    const candles = await runCommand([...history, '--market', 'simulated', '--to', '2024-08-09T00:03'], place)
    expect(candles).toMatchObject({
      code: 0,
      stdout: 'BTCUSDT 1m: 3 candles added, 0 changed, 0 the same as before.\n',
    })
    const trades = await runCommand([...history, '--market', 'simulated', '--trades'], place)
    expect(trades).toMatchObject({ code: 0, stdout: expect.stringMatching(/crypto\.trades\.backfill\.simulated\./) })
  } finally {
    await exchange.close()
  }
}, 120_000)

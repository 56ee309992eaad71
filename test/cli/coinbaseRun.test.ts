import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { SimulatedExchange } from '../../src/testing/exchange/simulatedExchange.ts'
import { runCommand, startCommand } from '../support/commandLine.ts'
import { emptyDatabases } from '../support/emptyDatabases.ts'
import { candlesOf } from '../support/klines.ts'

const databases = await emptyDatabases()
const folder = mkdtempSync(join(tmpdir(), 'millrace-coinbase-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('trades of Coinbase make the candles of its trades, by the same pipeline, also over cuts and gaps', async () => {
  const minute = Math.floor(Date.now() / 60_000) * 60_000 - 600_000
  const exchange = await SimulatedExchange.start({ speaks: 'coinbase', symbols: ['BTC-USD'], startMs: minute })
  const place = {
    cwd: folder,
    databases,
    env: { MILLRACE_COINBASE_WS_URL: exchange.streamUrl, MILLRACE_COINBASE_REST_URL: exchange.restUrl },
  }
  try {
    const run = startCommand(
      ['run', 'realtime', '--source', 'coinbase', '--market', 'simulated', '--symbols', 'BTC-USD'],
      place,
    )
    await exchange.untilSubscribed('BTC-USD')
    for (let step = 0; step < 100; step++) {
      const options = { time: minute + step * 2_000, price: `${100 + (step % 7)}.25`, quantity: '0.12345678' }
      exchange.trade('BTC-USD', { ...options, isMissed: step % 9 === 4, isBuyerMaker: step % 3 === 0 })
      if (step === 50) {
        exchange.dropConnections()
        await exchange.untilSubscribed('BTC-USD')
      }
    }
    const right = exchange
      .klines('BTC-USD', '1m')
      .slice(0, 3)
      .map(({ openTime, tradeCount }) => [new Date(openTime).toISOString(), String(tradeCount)])
    await vi.waitFor(
      async () => {
        const rows = await candlesOf(place, 'BTC-USD', '--interval', '1m', '--market', 'simulated')
        expect(rows.slice(0, 3).map(({ open_time, trade_count }) => [open_time, trade_count])).toEqual(right)
      },
      { timeout: 60_000, interval: 500 },
    )
    const { stdout } = await runCommand(['status'], place)
    expect(stdout).toContain('crypto.trades.coinbase.simulated.raw')
    expect(stdout).toContain('no dead letters')
    run.process.kill('SIGINT')
    expect(await run.ended).toMatchObject({ code: 0 })
    const refused = await runCommand(['run', 'realtime', '--source', 'coinbase', '--market', 'spot'], place)
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('a market of its own') })
  } finally {
    await exchange.close()
  }
}, 120_000)

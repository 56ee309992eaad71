import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parsePortfolio } from '../../src/cli/portfolioFile.ts'
import { SimulatedExchange } from '../../src/testing/exchange/simulatedExchange.ts'
import { runCommand, startCommand } from '../support/commandLine.ts'
import { emptyDatabases } from '../support/emptyDatabases.ts'
import { unmarked } from '../support/unmarkedExchange.ts'

let folder: string
let exchange: SimulatedExchange | null = null
let real: Awaited<ReturnType<typeof unmarked>> | null = null
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-portfolio-'))
})
afterAll(async () => {
  await exchange?.close()
  await real?.close()
  rmSync(folder, { recursive: true, force: true })
})

it('a file of a portfolio is refused with its line', () => {
  const text =
    'trades:\n  - { at: 2026-01-01T00:00:00Z, side: buy, symbol: A, quantity: x, price: 1 }\n  - { at: soon, side: bu }'
  expect(() => parsePortfolio('p.yaml', text)).toThrow(
    /line 2: trades.quantity is no decimal number.*line 3: trades.side/,
  )
})

it('millrace portfolio values what is held by the candles that are closed', async () => {
  const minute = Math.floor(Date.now() / 60_000) * 60_000 - 600_000
  exchange = await SimulatedExchange.start({ symbols: ['BTCUSDT'], startMs: minute })
  real = await unmarked(exchange)
  const env = { MILLRACE_BINANCE_WS_URL: real.streamUrl, MILLRACE_BINANCE_REST_URL: real.restUrl }
  const place = { cwd: folder, env, databases: await emptyDatabases() }
  writeFileSync(
    join(folder, 'portfolio.yaml'),
    `trades:\n  - { at: ${new Date(minute).toISOString()}, side: buy, symbol: BTCUSDT, quantity: 0.5, price: 100 }\n`,
  )
  const run = startCommand(['run', 'realtime', '--source', 'binance', '--symbols', 'BTCUSDT'], place)
  await exchange.untilSubscribed('BTCUSDT')
  for (let step = 0; step < 60; step++) exchange.trade('BTCUSDT', { time: minute + step * 4_000 })
  let rows: readonly { minute: string; value: string; isComplete: boolean }[] = []
  while (rows.length < 2) {
    const { stdout, stderr, code } = await runCommand(['portfolio', '--format', 'json'], place)
    expect(code, stderr).toBe(0)
    rows = (JSON.parse(stdout) as typeof rows).filter((row) => Date.parse(row.minute) >= minute)
  }
  const listed = await runCommand(['candles', '--symbol', 'BTCUSDT', '--format', 'json'], place)
  const candles = JSON.parse(listed.stdout) as readonly { open_time: string; close: string }[]
  run.process.kill('SIGINT')
  await run.ended
  const [first] = rows
  const candle = candles.find(({ open_time }) => Date.parse(open_time) === Date.parse(first?.minute ?? ''))
  expect(first?.isComplete).toBe(true)
  expect(Number(first?.value)).toBeCloseTo(Number(candle?.close) / 2, 6)
}, 120_000)

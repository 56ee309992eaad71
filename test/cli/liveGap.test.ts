import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test } from 'vitest'
import { SimulatedExchange } from '../../src/testing/exchange/simulatedExchange.ts'
import { runCommand, startCommand } from '../support/commandLine.ts'
import { emptyDatabases } from '../support/emptyDatabases.ts'
import { candlesOf } from '../support/klines.ts'

const databases = await emptyDatabases()
const folder = mkdtempSync(join(tmpdir(), 'millrace-gap-'))
let exchange: SimulatedExchange | null = null
afterEach(() => exchange?.close())
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function statusUntil(place: Parameters<typeof runCommand>[1], isMet: (text: string) => boolean): Promise<string> {
  for (;;) {
    const { stdout } = await runCommand(['status'], place)
    if (isMet(stdout)) return stdout
    await pause(300)
  }
}

test('a gap is shown by status while it is open, and the candles are right once it is filled', async () => {
  const minute = Math.floor(Date.now() / 60_000) * 60_000 - 600_000
  exchange = await SimulatedExchange.start({ symbols: ['BTCUSDT'], startMs: minute })
  const place = {
    cwd: folder,
    databases,
    env: { MILLRACE_BINANCE_WS_URL: exchange.streamUrl, MILLRACE_BINANCE_REST_URL: exchange.restUrl },
  }
  const run = startCommand(
    ['run', 'realtime', '--source', 'binance', '--market', 'simulated', '--symbols', 'BTCUSDT'],
    place,
  )
  await exchange.untilSubscribed('BTCUSDT')
  exchange.trade('BTCUSDT', { time: minute })
  exchange.failRest({ status: 400, times: 1_000_000, path: 'historicalTrades' })
  for (let missed = 1; missed <= 50; missed++)
    exchange.trade('BTCUSDT', { time: minute + missed * 2_000, isMissed: true })
  // In steps, as a market goes: a leap of time would wait for its witnesses.
  for (let step = 0; step < 60; step++) exchange.trade('BTCUSDT', { time: minute + 102_000 + step * 4_000 })
  const open = await statusUntil(
    place,
    (text) =>
      /BTCUSDT \(simulated\): a gap is open/.test(text) && /feed binance simulated: 1 gap, 1 gap open/.test(text),
  )
  expect(open).toMatch(/feed binance simulated: 1 gap, 1 gap open, 50 trades missing/)
  expect(open).toMatch(
    /! a gap is open, 50 trades missing of BTCUSDT: .*historicalTrades answered 400.* \(since \d{4}-/,
  )
  expect(open).toMatch(
    /! BTCUSDT \(simulated\): a gap is open, 50 trades missing between .* Candles of that time are not complete/,
  )
  exchange.forgetRefusals()
  const filled = await statusUntil(place, (text) => !text.includes('a gap is open'))
  expect(filled).toMatch(/50 trades fetched later/)
  expect(filled).toContain('no dead letters')
  run.process.kill('SIGINT')
  expect(await run.ended).toMatchObject({ code: 0 })
  const candles = (await candlesOf(place, 'BTCUSDT', '--interval', '1m', '--market', 'simulated')).map(
    ({ open_time, trade_count }) => [open_time, trade_count],
  )
  const right = exchange
    .klines('BTCUSDT', '1m')
    .map(({ openTime, tradeCount }) => [new Date(openTime).toISOString(), String(tradeCount)])
  // The last one is open still.
  expect(new Map(candles as [string, string][])).toEqual(new Map([...(right as [string, string][])]))
}, 120_000)

test('the simulated exchange runs by itself and says how to use it', async () => {
  const run = startCommand(['exchange', '--port', '0', '--symbols', 'BTCUSDT', '--rate', '100', '--faults', '60'], {
    cwd: folder,
  })
  await run.seen(/npx millrace run realtime --source binance/)
  await run.seen(/fault: /)
  run.process.kill('SIGINT')
  const { code, stdout } = await run.ended
  expect(code).toBe(0)
  expect(stdout).toMatch(/Trades that there were: BTCUSDT \d+/)
  const port = Number(/ws:\/\/127\.0\.0\.1:(\d+)/.exec(stdout)?.[1])
  expect(port).toBeGreaterThan(0)
})

test('a port that is taken is told', async () => {
  exchange = await SimulatedExchange.start()
  const port = new URL(exchange.restUrl).port
  const { code, stderr } = await runCommand(['exchange', '--port', port], { cwd: folder })
  expect(code).toBe(2)
  expect(stderr).toContain(`port ${port} is taken`)
})

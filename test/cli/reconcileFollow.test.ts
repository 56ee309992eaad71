import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test, vi } from 'vitest'
import { SimulatedExchange } from '../../src/testing/exchange/simulatedExchange.ts'
import { runCommand, startCommand } from '../support/commandLine.ts'
import { emptyDatabases } from '../support/emptyDatabases.ts'
import { candlesOf } from '../support/klines.ts'
import { unmarked } from '../support/unmarkedExchange.ts'

const databases = await emptyDatabases()
const folder = mkdtempSync(join(tmpdir(), 'millrace-reconcile-'))
let exchange: SimulatedExchange
let real: Awaited<ReturnType<typeof unmarked>>
afterEach(async () => {
  await exchange.close()
  await real.close()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const minuteMs = 60_000

test('minutes are held against the exchange: lost trades are brought in again, wrong candles of the exchange explained', async () => {
  const start = Math.floor(Date.now() / minuteMs) * minuteMs - 10 * minuteMs
  exchange = await SimulatedExchange.start({ symbols: ['BTCUSDT'], startMs: start })
  real = await unmarked(exchange)
  const place = {
    cwd: folder,
    databases,
    env: { MILLRACE_BINANCE_WS_URL: real.streamUrl, MILLRACE_BINANCE_REST_URL: real.restUrl },
  }
  const run = startCommand(['run', 'realtime', '--source', 'binance', '--symbols', 'BTCUSDT'], place)
  await exchange.untilSubscribed('BTCUSDT')
  const tradeUntil = (from: number, to: number) => {
    for (let time = from; time < to; time += 2_000) exchange.trade('BTCUSDT', { time, quantity: '0.50000000' })
  }
  // Its id is read, so that nobody looks for it; its price is not.
  tradeUntil(start, start + 30_000)
  const id = exchange.trade('BTCUSDT', { time: start + 30_000, isMissed: true, price: '250.00000000' })
  const damaged = { e: 'trade', E: start + 30_001, s: 'BTCUSDT', t: id, p: '25O.0', q: '1', T: start + 30_000, m: true }
  exchange.send('btcusdt@trade', JSON.stringify({ ...damaged, M: true }))
  tradeUntil(start + 32_000, start + minuteMs + 6_000)
  const right = () => exchange.klines('BTCUSDT', '1m').map(({ openTime, tradeCount }) => [openTime, tradeCount])
  const ours = async () =>
    (await candlesOf(place, 'BTCUSDT', '--interval', '1m')).map((row) => [
      Date.parse(String(row.open_time)),
      Number(row.trade_count),
    ])
  await vi.waitFor(async () => expect((await ours())[0]?.[1]).toBe(29), { timeout: 60_000, interval: 500 })
  const follow = startCommand(['reconcile', '--follow'], place)
  await follow.seen(/BTCUSDT \S+: our candle has 29 of 30 trades \(1 to 30\): they were brought in again/)
  await follow.seen(/1 minutes of the last hour compared: none differs/)
  expect((await ours())[0]).toEqual(right()[0])

  // A candle that REST tells wrong, and no stream.
  exchange.faults.stalled.add('btcusdt@kline_1m')
  exchange.falsifyKline('BTCUSDT', start + minuteMs, 7)
  tradeUntil(start + minuteMs + 6_000, start + 3 * minuteMs + 6_000)
  await follow.seen(/the exchange's own trades make our candle; its candle differs from them in volume/)
  exchange.faults.stalled.clear()

  // A candle that the stream tells wrong, and REST does not.
  const [wrong] = exchange.klines('BTCUSDT', '1m').slice(3)
  const at = start + 3 * minuteMs
  tradeUntil(at + 6_000, at + minuteMs)
  const k = { t: at, T: at + minuteMs - 1, s: 'BTCUSDT', i: '1m', f: 1, L: 9, o: '1', c: '1', h: '1', l: '1', v: '1' }
  const told = { e: 'kline', E: at, s: 'BTCUSDT', k: { ...k, n: 1, x: true, q: '1', V: '1', Q: '1', B: '0' } }
  exchange.send('btcusdt@kline_1m', JSON.stringify(told))
  tradeUntil(at + minuteMs, at + minuteMs + 6_000)
  expect(wrong?.openTime).toBe(at)
  await follow.seen(/the exchange tells another candle by now/)
  await vi.waitFor(
    async () => {
      const { stdout } = await runCommand(['status'], place)
      expect(stdout).not.toContain('differs')
      expect(stdout).toMatch(/reconcile of spot/)
    },
    { timeout: 30_000, interval: 500 },
  )
  follow.process.kill('SIGINT')
  expect(await follow.ended).toMatchObject({ code: 0 })
  run.process.kill('SIGINT')
  expect(await run.ended).toMatchObject({ code: 0 })
  expect(await runCommand(['reconcile'], place)).toMatchObject({ code: 0, stdout: expect.stringContaining('0 differ') })
  const { stderr } = await runCommand(['reconcile', '--follow', '--json'], place)
  expect(stderr).toContain('--json is not for --follow')
}, 120_000)

test('a candle whose windows are over is told with what is left to do, which ends it', async () => {
  const start = Math.floor(Date.now() / minuteMs) * minuteMs - 10 * minuteMs
  exchange = await SimulatedExchange.start({ symbols: ['BTCUSDT'], startMs: start })
  real = await unmarked(exchange)
  const place = {
    cwd: mkdtempSync(join(folder, 'over-')),
    env: { MILLRACE_BINANCE_WS_URL: real.streamUrl, MILLRACE_BINANCE_REST_URL: real.restUrl },
  }
  const run = startCommand(['run', 'realtime', '--source', 'binance', '--symbols', 'BTCUSDT'], place)
  await exchange.untilSubscribed('BTCUSDT')
  const tradeUntil = (from: number, to: number) => {
    for (let time = from; time < to; time += 2_000) exchange.trade('BTCUSDT', { time, quantity: '0.50000000' })
  }
  tradeUntil(start, start + 30_000)
  const id = exchange.trade('BTCUSDT', { time: start + 30_000, isMissed: true, price: '250.00000000' })
  const damaged = { e: 'trade', E: start + 30_001, s: 'BTCUSDT', t: id, p: '25O.0', q: '1', T: start + 30_000, m: true }
  exchange.send('btcusdt@trade', JSON.stringify({ ...damaged, M: true }))
  tradeUntil(start + 32_000, start + 3 * minuteMs + 6_000)
  const minutes = async () => (await candlesOf(place, 'BTCUSDT', '--interval', '1m')).length
  await vi.waitFor(async () => expect(await minutes()).toBeGreaterThan(3), { timeout: 60_000, interval: 500 })
  const follow = startCommand(['reconcile', '--follow'], place)
  await follow.seen(/our candle has 29 of 30 trades \(1 to 30\), and its windows are over, so it stays as it is/)
  follow.process.kill('SIGINT')
  await follow.ended
  run.process.kill('SIGINT')
  await run.ended
  const { stdout } = await runCommand(['reconcile'], place)
  const [, command = ''] = /end this with (reconcile .* --explain) REASON/.exec(stdout) ?? []
  const explained = await runCommand([...command.split(' '), 'a frame was damaged on its way'], place)
  expect(explained).toMatchObject({ code: 0, stdout: '1 differences explained.\n' })
  expect(await runCommand(['reconcile'], place)).toMatchObject({ code: 0 })
}, 120_000)

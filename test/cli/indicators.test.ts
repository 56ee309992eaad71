import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { SimulatedExchange } from '../../src/testing/exchange/simulatedExchange.ts'
import { runCommand, startCommand } from '../support/commandLine.ts'
import { emptyDatabases } from '../support/emptyDatabases.ts'
import { unmarked } from '../support/unmarkedExchange.ts'

let folder: string
let exchange: SimulatedExchange | null = null
let passing: Awaited<ReturnType<typeof unmarked>> | null = null
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-indicators-'))
})
afterAll(async () => {
  await passing?.close()
  await exchange?.close()
  rmSync(folder, { recursive: true, force: true })
})

interface Row {
  readonly openTime: string
  readonly indicator: string
  readonly line: string
  readonly value: number
}

it('indicators of the closed candles are rows, and printed', async () => {
  const minute = Math.floor(Date.now() / 60_000) * 60_000 - 600_000
  exchange = await SimulatedExchange.start({ symbols: ['BTCUSDT'], startMs: minute })
  passing = await unmarked(exchange)
  const env = { MILLRACE_BINANCE_WS_URL: passing.streamUrl, MILLRACE_BINANCE_REST_URL: passing.restUrl }
  const place = { cwd: folder, env, databases: await emptyDatabases() }
  const wrong = await runCommand(['run', 'realtime', '--source', 'simulator', '--indicators', 'smo:3'], place)
  expect(wrong).toMatchObject({ code: 2 })
  expect(wrong.stderr).toContain('there is no indicator "smo:3"')
  const run = startCommand(
    ['run', 'realtime', '--source', 'binance', '--symbols', 'BTCUSDT', '--indicators', 'sma:2,bollinger:3,vwap'],
    place,
  )
  await exchange.untilSubscribed('BTCUSDT')
  for (let step = 0; step < 75; step++) exchange.trade('BTCUSDT', { time: minute + step * 4_000 })
  let rows: readonly Row[] = []
  while (new Set(rows.map(({ indicator, line }) => `${indicator} ${line}`)).size < 5) {
    const { stdout, stderr, code } = await runCommand(['indicators', 'BTCUSDT', '--json'], place)
    expect(code, stderr).toBe(0)
    rows = JSON.parse(stdout) as readonly Row[]
  }
  const listed = await runCommand(['candles', '--symbol', 'BTCUSDT', '--format', 'json'], place)
  run.process.kill('SIGINT')
  await run.ended
  const closes = (JSON.parse(listed.stdout) as readonly { open_time: string; close: string }[]).map(
    ({ open_time, close }) => [Date.parse(open_time), Number(close)] as const,
  )
  const average = rows.find(({ indicator }) => indicator === 'sma:2') as Row
  const at = closes.findIndex(([time]) => time === Date.parse(average.openTime))
  expect(average.value).toBeCloseTo(((closes[at]?.[1] ?? 0) + (closes[at - 1]?.[1] ?? 0)) / 2, 6)
}, 120_000)

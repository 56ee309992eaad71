import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { channelsOf, planAlerts } from '../../src/cli/alerts/alertPlan.ts'
import { parseAlerts } from '../../src/cli/alerts/alertsFile.ts'
import { startOrJoin } from '../../src/embedded/embeddedPostgres.ts'
import type { AlertEvent } from '../../src/market/alertEvent.ts'
import { ConfigurationError } from '../../src/runtime/errors.ts'
import { openPool } from '../../src/sinks/postgres/connection.ts'
import { migrate } from '../../src/sinks/postgres/migrate.ts'
import { runCommand } from '../support/commandLine.ts'

let folder: string
let server: Server
let url: string
const bodies: string[] = []
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-alerts-'))
  server = createServer((request, response) => {
    let body = ''
    request.on('data', (part: Buffer) => {
      body += part.toString()
    })
    request.on('end', () => {
      bodies.push(body)
      response.writeHead(request.url === '/no' ? 404 : 200).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.close()
  rmSync(folder, { recursive: true, force: true })
})

const text = `# What wakes us.
rules:
  - { name: btc-high, kind: price, symbols: [BTCUSDT], above: 70000 } # Ada's
  - { name: lagging, kind: lag, above: 10000, severity: page }
channels:
  - { name: pager, kind: webhook, urlFrom: PAGER_URL, severities: [page] }
`

describe('a file of alerts', () => {
  it.each([
    ['rules: [{ name: a, kind: price }]', /line 1: rule a needs either above or below/],
    ['rules:\n  - { name: a, kind: gap }\n  - { name: a, kind: gap }', /line 3: rule a is there twice/],
    ['rules: [{ name: a, kind: gap, abov: 3 }]', /abov, which nothing reads/],
    ['channels: [{ name: a, kind: slack }]', /channel a needs urlFrom/],
    ['channels: [{ name: a, kind: log, rules: [b] }]', /is for b, which is no rule/],
    ['silences: [{ rule: b, until: 2026-01-01T00:00:00Z }]', /no rule b to silence/],
    ['rules: [', /no YAML/],
  ])('is refused with its line: %s', (wrong, message) => {
    expect(() => parseAlerts('alerts.yaml', wrong)).toThrow(ConfigurationError)
    expect(() => parseAlerts('alerts.yaml', wrong)).toThrow(message)
  })

  it('has the names of variables alone, and is refused where one is not set', () => {
    const path = join(folder, 'plan.yaml')
    writeFileSync(path, text)
    expect(() => planAlerts(path, {})).toThrow(/PAGER_URL says, and that is not set/)
    expect(channelsOf(planAlerts(path, { PAGER_URL: url })).get('pager')).toMatchObject({ kind: 'webhook', url })
  })

  it('may silence a rule while it is in use, and is left as it was otherwise', async () => {
    const path = join(folder, 'silence.yaml')
    writeFileSync(path, text)
    const silenced = channelsOf(planAlerts(path, { PAGER_URL: url })).get('pager')?.isSilenced
    const high = { rule: 'btc-high', symbol: 'BTCUSDT' } as AlertEvent
    expect(silenced?.(high, Date.now())).toBe(false)
    const said = await runCommand(['alerts', 'silence', 'btc-high', 'BTCUSDT', '--for', '30m', '--alerts-file', path], {
      cwd: folder,
    })
    expect(said).toMatchObject({ code: 0 })
    expect(readFileSync(path, 'utf8')).toContain("# Ada's")
    expect(silenced?.(high, Date.now())).toBe(true)
    expect(silenced?.(high, Date.now() + 31 * 60_000)).toBe(false)
    expect(silenced?.({ ...high, symbol: 'ETHUSDT' }, Date.now())).toBe(false)
    writeFileSync(path, 'rules: [')
    expect(silenced?.(high, Date.now())).toBe(true)
  }, 60_000)
})

describe('alerts test', () => {
  it('sends a test to each channel, and fails where one does not take it', async () => {
    const path = join(folder, 'test.yaml')
    writeFileSync(path, text)
    const taken = await runCommand(['alerts', 'test', '--alerts-file', path], { cwd: folder, env: { PAGER_URL: url } })
    expect(taken).toMatchObject({ code: 0 })
    expect(taken.stdout).toContain('pager (127.0.0.1')
    expect(JSON.parse(bodies.at(-1) ?? '')).toMatchObject({ text: 'Test of the alert channel pager: it works.' })
    const refused = await runCommand(['alerts', 'test', '--alerts-file', path], {
      cwd: folder,
      env: { PAGER_URL: `${url}/no` },
    })
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('did not take the test')
    expect(refused.stderr).not.toContain('/no')
  }, 60_000)

  it('names symbols of rules of which there is no candle, where there is a database', async () => {
    const path = join(folder, 'heard.yaml')
    writeFileSync(
      path,
      'rules:\n  - { name: high, kind: price, symbols: [BTCUSDT, BTCUSD, XRPUSDC], above: 1 }\n  - { name: all, kind: gap }\nchannels: []\n',
    )
    const place = { cwd: folder, env: { MILLRACE_DATA_DIR: join(folder, 'heard') } }
    const without = await runCommand(['alerts', 'test', '--alerts-file', path], place)
    expect(without).toMatchObject({ code: 0, stderr: '' })
    const server = await startOrJoin(join(folder, 'heard'))
    const pool = openPool(server.connection, { schema: 'public' })
    try {
      await migrate(pool, 'public')
      await pool.query(
        `INSERT INTO fact_realtime_trades_1m VALUES ('spot', 'BTCUSDT', '1m', now(), 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, true, 1)`,
      )
      const found = await runCommand(['alerts', 'test', '--alerts-file', path], place)
      expect(found.code).toBe(0)
      expect(found.stderr.split('\n').filter((line) => line.startsWith('warning'))).toEqual([
        'warning: rule high: there is no candle of BTCUSD yet (did you mean BTCUSDT?), and the rule decides nothing about it until there is one.',
        'warning: rule high: there is no candle of XRPUSDC yet, and the rule decides nothing about it until there is one.',
      ])
    } finally {
      await pool.end()
      await server.stop()
    }
  }, 60_000)
})

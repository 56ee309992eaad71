import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { settingNames, settings } from '../../src/cli/settings.ts'
import { SimulatedExchange } from '../../src/testing/exchange/simulatedExchange.ts'
import { startCommand } from '../support/commandLine.ts'
import { unmarked } from '../support/unmarkedExchange.ts'

const root = resolve(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly runbook: string }
}
const { groups } = parse(read('ops/prometheus/alerts.yml')) as { groups: readonly { rules: readonly Rule[] }[] }
const rules = groups.flatMap((group) => group.rules)
const dashboard = JSON.parse(read('ops/grafana/dashboards/millrace.json')) as {
  panels: readonly { title: string; datasource: { uid: string }; targets: readonly { expr: string }[] }[]
}
const shown = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))

const promtool = spawnSync('promtool', ['--version'])
const hasPrometheus = promtool.error === undefined && spawnSync('prometheus', ['--version']).error === undefined
if (!hasPrometheus)
  console.warn('SKIPPED: alerts against Prometheus: promtool and prometheus are not here (Debian: prometheus)')

const hasSystemd = spawnSync('systemd-analyze', ['--version']).error === undefined
if (!hasSystemd) console.warn('SKIPPED: units of systemd: systemd-analyze is not here (Debian: systemd)')

describe('alerts of Prometheus', () => {
  it('have a runbook each, under their name, and no runbook is of none', () => {
    const headings = [...read('docs/run/runbooks.md').matchAll(/^## (\S+)$/gm)].map(([, name]) => name)
    expect(headings).toEqual(rules.map(({ alert }) => alert))
    for (const { alert, annotations, labels } of rules) {
      expect(annotations.runbook).toBe(`docs/run/runbooks.md#${alert.toLowerCase()}`)
      expect(['page', 'ticket', 'none']).toContain(labels.severity)
    }
  })

  it.skipIf(!hasPrometheus)('are what promtool takes, and do what their tests say', () => {
    for (const args of [
      ['check', 'rules', 'ops/prometheus/alerts.yml'],
      ['test', 'rules', 'ops/prometheus/alerts.test.yml'],
      ['check', 'config', '--syntax-only', 'ops/prometheus/prometheus.yml'],
    ]) {
      const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: root, encoding: 'utf8' })
      expect(status, stdout + stderr).toBe(0)
    }
  })
})

describe('files for others', () => {
  it('name one source of data in every panel, which is provisioned', () => {
    const { datasources } = parse(read('ops/grafana/provisioning/datasources/millrace.yml')) as {
      datasources: readonly { uid: string }[]
    }
    for (const { title, datasource } of dashboard.panels) expect(datasource.uid, title).toBe(datasources[0]?.uid)
  })

  it('use settings that there are', () => {
    const known = new Set<string>(settingNames.flatMap((name) => settings[name].env ?? []))
    const kubernetes = parseAllDocuments(read('ops/kubernetes/millrace.yaml'))
    expect(kubernetes.flatMap(({ errors }) => errors)).toEqual([])
    const texts = [
      read('ops/kubernetes/millrace.yaml'),
      ...readdirSync(join(root, 'ops/systemd')).map((name) => read(`ops/systemd/${name}`)),
    ]
    for (const text of texts) {
      const used = [...text.matchAll(/\bMILLRACE_[A-Z_]+\b/g)].map(([name]) => name)
      expect(used.filter((name) => !known.has(name))).toEqual([])
    }
    // One that is started again; a backup that failed waits for the next day.
    for (const name of readdirSync(join(root, 'ops/systemd')))
      if (read(`ops/systemd/${name}`).includes('Restart='))
        expect(read(`ops/systemd/${name}`)).toContain('RestartPreventExitStatus=2')
  })

  it.skipIf(!hasSystemd)('are units that systemd takes, without a word', () => {
    const units = readdirSync(join(root, 'ops/systemd')).map((name) => join(root, 'ops/systemd', name))
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', ...units], { encoding: 'utf8' })
    expect({ status, said: stdout + stderr }).toEqual({ status: 0, said: '' })
  })
})

describe.skipIf(!hasPrometheus)('what Prometheus reads of a live run', () => {
  let folder: string
  let exchange: SimulatedExchange
  let real: Awaited<ReturnType<typeof unmarked>> | null = null
  let silent: Server
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-operations-'))
  })
  afterAll(async () => {
    await exchange?.close()
    await real?.close()
    silent?.closeAllConnections()
    silent?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  it('has a series for each expression of an alert and of the dashboard', async () => {
    // An exchange that has lost trades, and a receiver of alerts that never answers.
    const minute = Math.floor(Date.now() / 60_000) * 60_000 - 600_000
    exchange = await SimulatedExchange.start({ symbols: ['BTCUSDT'], startMs: minute })
    real = await unmarked(exchange)
    silent = createServer(() => undefined)
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    writeFileSync(
      join(folder, 'alerts.yaml'),
      'rules: [{ name: any, kind: price, above: 0 }]\nchannels: [{ name: pager, kind: webhook, urlFrom: PAGER }]\n',
    )
    const place = {
      cwd: folder,
      env: {
        MILLRACE_BINANCE_WS_URL: real.streamUrl,
        MILLRACE_BINANCE_REST_URL: real.restUrl,
        MILLRACE_ALERTS_FILE: 'alerts.yaml',
        PAGER: `http://127.0.0.1:${(silent.address() as AddressInfo).port}/`,
      },
    }
    const run = startCommand(['run', 'realtime', '--source', 'binance', '--symbols', 'BTCUSDT'], place)
    await exchange.untilSubscribed('BTCUSDT')
    exchange.trade('BTCUSDT', { time: minute })
    exchange.failRest({ status: 400, times: 1_000_000, path: 'historicalTrades' })
    exchange.trade('BTCUSDT', { time: minute + 2_000, isMissed: true })
    for (let step = 0; step < 60; step++) exchange.trade('BTCUSDT', { time: minute + 4_000 + step * 4_000 })
    const monitor = startCommand(['monitor', '--metrics-port', '0'], {
      cwd: folder,
      env: { MILLRACE_BACKUP: join(folder, 'backups') },
    })
    let url = ''
    monitor.process.stdout.on('data', (data: Buffer) => {
      url ||= /Metrics: http:\/\/(\S+)\/metrics/.exec(data.toString())?.[1] ?? ''
    })
    await monitor.seen(/Metrics: /)
    writeFileSync(
      join(folder, 'prometheus.yml'),
      `global: { scrape_interval: 1s }\nscrape_configs: [{ job_name: millrace, static_configs: [{ targets: ["${url}"] }] }]\n`,
    )
    const port = await freePort()
    const prometheus = spawn(
      'prometheus',
      [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'tsdb')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: 'ignore' },
    )
    try {
      const empty = async () => {
        const without: string[] = []
        for (const expr of [...rules.map(({ expr }) => withoutBounds(expr)), ...shown])
          if (!(await hasSeries(port, expr))) without.push(expr)
        return without
      }
      let without = await empty()
      for (let tries = 0; tries < 90 && without.length > 0; tries++) {
        await sleep(1_000)
        without = await empty()
      }
      expect(without).toEqual([])
    } finally {
      prometheus.kill('SIGTERM')
      monitor.process.kill('SIGINT')
      run.process.kill('SIGINT')
      await Promise.all([once(prometheus, 'exit'), monitor.ended, run.ended])
    }
  }, 240_000)
})

/** What an alert looks at, whatever it holds it against. */
function withoutBounds(expr: string): string {
  return expr.replace(/ (?:>|<|==) -?[\d.]+/g, '')
}

async function hasSeries(port: number, expr: string): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(expr)}`)
    const { data } = (await answer.json()) as { data?: { result: readonly unknown[] } }
    return (data?.result.length ?? 0) > 0
  } catch {
    return false
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

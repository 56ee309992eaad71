import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { problemsOf } from '../../src/cli/monitor/judge.ts'
import { measurementsOf } from '../../src/cli/monitor/measurements.ts'
import { metricsText } from '../../src/cli/monitor/metrics.ts'
import { openDoor } from '../../src/cli/monitor/monitorDoor.ts'
import type { Watched, WatchedDataSet } from '../../src/cli/monitor/watched.ts'
import type { TaskStatus } from '../../src/queries/status.ts'
import { ConfigurationError } from '../../src/runtime/errors.ts'
import { runCommand, startCommand } from '../support/commandLine.ts'
import { emptyDatabases } from '../support/emptyDatabases.ts'

const at = Date.UTC(2026, 0, 1)
const task = (over: Partial<TaskStatus> = {}): TaskStatus => ({
  pipeline: 'realtime',
  topic: 'crypto.trades.raw',
  partition: 0,
  generation: 1,
  owner: 'h',
  nextOffset: 10,
  logEnd: 20,
  lagRecords: 10,
  watermark: new Date(at - 2_000).toISOString(),
  watermarkLagMs: 2_000,
  committedAt: new Date(at - 100).toISOString(),
  checkpointAgeMs: 100,
  stateBytes: 5,
  archiveNextOffset: null,
  archiveLagRecords: null,
  inputs: [],
  ...over,
})
const dataSet = (over: Partial<WatchedDataSet> = {}): WatchedDataSet => ({
  name: 'real',
  schema: 'public',
  tasks: [task()],
  deadLetters: [],
  archive: [],
  logs: [],
  outbox: [],
  skipped: [],
  openGaps: [],
  differences: [],
  retention: [],
  facts: { newestCandles: [{ market: 'spot', closedAt: at - 60_000 }], candlesDifferent: 0, alerts: [] },
  ...over,
})
const watched = (...dataSets: readonly WatchedDataSet[]): Watched => ({
  at,
  version: '1',
  dataDir: '/d',
  database: 'embedded',
  databaseProblem: null,
  archive: 'none',
  running: {
    pid: 1,
    host: 'h',
    folder: '/d/pipelines/realtime',
    report: {
      pid: 1,
      source: 's',
      at,
      records: 7,
      recordsPerS: 1,
      waitingFor: null,
      waitingSince: null,
      work: null,
      feeds: [],
    },
  },
  others: [],
  kafka: null,
  dataSets,
})
const bounds = {
  maxWatermarkLagMs: 120_000,
  maxLagRecords: 100,
  maxCandleAgeMs: 300_000,
  maxOpenGaps: 0,
  maxDeadLetters: 10,
  maxOutboxAgeMs: 1_000,
  maxSilenceMs: 15_000,
}
const codes = (one: Watched) => problemsOf(one, bounds).map(({ code }) => code)
const outbox = [
  {
    pipeline: 'realtime',
    topic: 'crypto.trades.raw',
    partition: 0,
    outlet: 'a',
    waiting: 2,
    oldestAgeMs: 9_000,
    refused: 1,
  },
]
const openGaps = [{ market: 'spot', symbol: 'A', gaps: 2, missing: 9, seenAt: 1, fromTime: 1, toTime: 2, reason: 'r' }]
const deadLetters = [{ pipeline: 'realtime', topic: 'crypto.trades.raw', reason: 'late', waiting: 11, redriven: 3 }]

describe('what is not well', () => {
  it('is nothing where all is within its bounds', () => {
    expect(codes(watched(dataSet()))).toEqual([])
  })

  it.each([
    ['watermark', { tasks: [task({ watermarkLagMs: 120_001 })] }],
    ['lag', { tasks: [task({ lagRecords: 101 })] }],
    ['candles', { facts: { ...dataSet().facts, newestCandles: [{ market: 'spot', closedAt: at - 300_001 }] } }],
    ['gaps', { openGaps }],
    ['dead-letters', { deadLetters }],
    ['outbox', { outbox }],
  ])('is told: %s', (code, over) => {
    expect(codes(watched(dataSet(over)))).toEqual([code])
  })

  it('is a database that does not answer, a process that is silent, and nothing that runs', () => {
    expect(codes({ ...watched(), databaseProblem: 'away' })).toEqual(['database'])
    expect(codes({ ...watched(), at: at + 20_000 })).toEqual(['silent'])
    expect(codes({ ...watched(), running: null })).toEqual(['nothing-runs'])
    expect(codes({ ...watched(), running: null, database: 'db.example.org:5432/millrace' })).toEqual([])
  })

  it('is not that a tape is of long ago', () => {
    const tape = task({ topic: 'crypto.trades.tape.x', watermarkLagMs: 1e12 })
    const facts = { ...dataSet().facts, newestCandles: [{ market: 'spot', closedAt: 0 }] }
    expect(codes(watched(dataSet({ tasks: [tape], facts })))).toEqual([])
  })
})

describe('metrics', () => {
  it('are what promtool takes, without a symbol', async () => {
    const text = await metricsText(
      watched(dataSet({ outbox, openGaps, deadLetters, facts: { ...dataSet().facts, candlesDifferent: 4 } })),
    )
    expect(text).toContain(
      'millrace_lag_records{data="real",pipeline="realtime",topic="crypto.trades.raw",partition="0"} 10',
    )
    expect(text).toContain('millrace_gaps_open{data="real"} 2')
    expect(text).toContain('millrace_candles_different{data="real"} 4')
    expect(text).toContain(
      `millrace_watermark_timestamp_seconds{data="real",pipeline="realtime",topic="crypto.trades.raw",partition="0"} ${at / 1_000 - 2}`,
    )
    expect(text).not.toContain('symbol')
    const checked = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })
    if (checked.error === undefined) expect(checked).toMatchObject({ status: 0, stderr: '' })
  })
})

describe('measures', () => {
  it('are told of each pipeline and topic, also where there is nothing wrong, so that an alert ends', () => {
    const told = (one: WatchedDataSet) =>
      measurementsOf(watched(one)).map(({ measure, subject, value }) => `${measure} ${subject} ${value}`)
    const subject = 'realtime/crypto.trades.raw'
    expect(told(dataSet({ tasks: [task(), task({ partition: 1, lagRecords: 5, watermarkLagMs: 7_000 })] }))).toEqual([
      `lag ${subject} 15`,
      `watermark ${subject} 7`,
      `checkpoint ${subject} 0`,
      `deadLetters ${subject} 0`,
      `outbox ${subject} 0`,
      'gaps feed 0',
    ])
    expect(told(dataSet({ deadLetters, outbox, openGaps, tasks: [task({ checkpointAgeMs: 90_000 })] }))).toEqual([
      `lag ${subject} 10`,
      `watermark ${subject} 2`,
      `checkpoint ${subject} 90`,
      `deadLetters ${subject} 11`,
      `outbox ${subject} 9`,
      'gaps feed 2',
    ])
    expect(told(dataSet({ tasks: [task({ pipeline: 'monitor' })] }))).toEqual([])
  })
})

describe('the door', () => {
  const answers = {
    metrics: async () => 'm 1\n',
    problems: async () => [{ code: 'lag', text: 'behind' }],
    onError: () => undefined,
  }

  it('tells others nothing, and is healthy whatever is wrong', async () => {
    const door = await openDoor({ host: '127.0.0.1', port: 0, token: undefined }, answers)
    const get = (path: string, headers = {}) => fetch(`${door.url}${path}`, { headers })
    expect(await (await get('/metrics')).text()).toBe('m 1\n')
    const readyz = await get('/readyz')
    expect([readyz.status, await readyz.json()]).toEqual([
      503,
      { ready: false, problems: [{ code: 'lag', text: 'behind' }] },
    ])
    expect((await get('/healthz')).status).toBe(200)
    expect((await get('/')).status).toBe(404)
    expect((await fetch(`${door.url}/metrics`, { method: 'POST' })).status).toBe(405)
    await door.close()
  })

  it('wants its token, and is not opened to others without one', async () => {
    await expect(openDoor({ host: '0.0.0.0', port: 0, token: undefined }, answers)).rejects.toThrow(ConfigurationError)
    const token = 'x'.repeat(32)
    const door = await openDoor({ host: '127.0.0.1', port: 0, token }, answers)
    expect((await fetch(`${door.url}/metrics`)).status).toBe(401)
    const given = { headers: { authorization: `Bearer ${token}` } }
    expect((await fetch(`${door.url}/metrics`, given)).status).toBe(200)
    expect((await fetch(`${door.url}/healthz`)).status).toBe(200)
    await door.close()
  })
})

const databases = await emptyDatabases()

describe('millrace monitor, while things are killed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-kills-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('is healthy throughout, and ready only while all is well', async () => {
    const place = { cwd: folder, databases }
    const args = ['run', 'realtime', '--source', 'simulator', '--symbols', 'AAAUSDT', '--no-tty', '--no-console']
    const run = startCommand(args, place)
    await run.seen(/First candle after/)
    const monitor = startCommand(['monitor', '--metrics-port', '0', '--max-candle-age', '600'], place)
    let printed = ''
    monitor.process.stdout.on('data', (data: Buffer) => {
      printed += data.toString()
    })
    await monitor.seen(/Metrics: /)
    const url = /Metrics: (\S+)\/metrics/.exec(printed)?.[1] ?? ''
    const codes = async () => {
      expect((await fetch(`${url}/healthz`)).status).toBe(200)
      const answer = await fetch(`${url}/readyz`)
      const { problems } = (await answer.json()) as { problems: { code: string }[] }
      expect(answer.status).toBe(problems.length === 0 ? 200 : 503)
      return problems.map(({ code }) => code)
    }
    const becomes = (wanted: readonly string[]) =>
      expect.poll(codes, { timeout: 30_000, interval: 300 }).toEqual(wanted)
    await becomes([])
    const server = Number(readFileSync(join(clusterOf(folder), 'postmaster.pid'), 'utf8').split('\n')[0])
    process.kill(server, 'SIGSTOP')
    await expect.poll(codes, { timeout: 40_000, interval: 300 }).toContain('database')
    process.kill(server, 'SIGCONT')
    await becomes([])
    run.process.kill('SIGKILL')
    await run.ended
    await becomes(['nothing-runs'])
    const again = startCommand(args, place)
    await becomes([])
    again.process.kill('SIGTERM')
    monitor.process.kill('SIGTERM')
    expect((await again.ended).code).toBe(0)
    expect((await monitor.ended).code).toBe(0)
  }, 180_000)
})

/** As root it may lie elsewhere. */
function clusterOf(folder: string): string {
  const root = join(folder, '.millrace', 'postgres')
  const note = join(root, 'location')
  return existsSync(note) ? readFileSync(note, 'utf8').trim() : join(root, 'data')
}

describe('millrace monitor', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-monitor-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('serves what runs, and decides alerts over what it measures', async () => {
    const alertsFile = join(folder, 'alerts.yaml')
    writeFileSync(
      alertsFile,
      'rules: [{ name: any, kind: watermark, above: 0 }]\nchannels: [{ name: log, kind: log }]\n',
    )
    const place = { cwd: folder, databases }
    const run = startCommand(['run', 'realtime', '--source', 'simulator', '--log-format', 'json'], place)
    await run.seen(/records · /)
    const monitor = startCommand(
      ['monitor', '--metrics-port', '0', '--measure-every', '1', '--alerts-file', alertsFile],
      place,
    )
    let url = ''
    await monitor.seen(/Metrics: (\S+)\/metrics/)
    await monitor.seen(/"code":"ALERT".*FIRING any/)
    monitor.process.kill('SIGINT')
    run.process.kill('SIGINT')
    const [ended, ran] = await Promise.all([monitor.ended, run.ended])
    url = /Metrics: (\S+)\/metrics/.exec(ended.stdout)?.[1] ?? ''
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect([ended.code, ran.code]).toEqual([0, 0])
    for (const line of ran.stdout.trim().split('\n')) expect(JSON.parse(line)).toMatchObject({ level: 'info' })
    const listed = await runCommand(['alerts', 'list', '--json'], place)
    expect(JSON.parse(listed.stdout)).toEqual(
      expect.arrayContaining([expect.objectContaining({ rule: 'any', transition: 'firing' })]),
    )
    expect((await runCommand(['health', '--ready'], place)).code).toBe(1)
  }, 180_000)
})

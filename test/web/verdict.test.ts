import { expect, test } from 'vitest'
import type { StoredRunReport } from '../../src/queries/runReports.ts'
import { pipelineView } from '../../src/web/pipelineView.ts'

const now = 1_000_000_000
const graph = JSON.stringify({ pipeline: 'p', nodes: [{ id: 'input:a', kind: 'input', name: 'a' }], edges: [] })

const task = (partition: number, over: object = {}) => ({
  partition,
  phase: 'running',
  waitingFor: null,
  generation: 1,
  nextOffset: 10,
  committedOffset: 10,
  logEndOffset: 10,
  watermark: now - 1_000,
  committedAt: now - 200,
  commitMs: 5,
  restarts: 0,
  ...over,
})

const input = (lagRecords: number) => ({ name: 'a', topic: 't', nextOffset: 10, lagRecords, lagMs: 1_000 })
const work = (over: object = {}) => ({
  deadLetters: 0,
  watermarkLagMs: 1_000,
  inputs: [input(0)],
  operators: [],
  outlets: [],
  ...over,
})

function stored(report: object = {}, row: Partial<StoredRunReport> = {}): StoredRunReport {
  const whole = {
    pid: 1,
    source: 'test',
    at: now,
    records: 100,
    recordsPerS: 50,
    waitingFor: null,
    waitingSince: null,
    work: work(),
    feeds: [],
    isOfThePast: false,
    taskCount: 1,
    tasks: [task(0)],
    ...report,
  }
  return {
    pipeline: 'p',
    process: 'host:1',
    startedAt: now - 60_000,
    ageMs: 500,
    endedAt: null,
    graph,
    report: JSON.stringify(whole),
    ...row,
  }
}

const view = (reports: readonly StoredRunReport[], lags: readonly number[] = []) =>
  pipelineView('public', 'p', reports, { recordsPerS: [], lagRecords: lags }, now)

test.each([
  ['healthy', 'good', [stored()], []],
  ['healthy', 'good', [stored({ work: work({ deadLetters: 3 }) })], []],
  ['waiting for PostgreSQL, 12 s', 'warn', [stored({ waitingFor: 'PostgreSQL', waitingSince: now - 12_000 })], []],
  ['waiting for PostgreSQL, 40 s', 'bad', [stored({ waitingFor: 'PostgreSQL', waitingSince: now - 40_000 })], []],
  ['host:1 has not reported for 12 s', 'bad', [stored({}, { ageMs: 12_000 })], []],
  ['stopped in order 5 s ago', 'off', [stored({}, { ageMs: 5_000, endedAt: now - 5_000 })], []],
  [
    'catching up: 20,000 records behind, about 6 min 40 s at this rate',
    'busy',
    [stored({ work: work({ inputs: [input(20_000)] }) })],
    [],
  ],
  [
    'lag grows: 20,000 records, 2,000 half a minute ago',
    'warn',
    [stored({ work: work({ inputs: [input(20_000)] }) })],
    Array.from({ length: 30 }, () => 2_000),
  ],
  [
    'nothing was committed for 20 s',
    'warn',
    [stored({ tasks: [task(0, { committedAt: now - 20_000 })], work: work({ inputs: [input(5)] }) })],
    [],
  ],
  [
    'binance: the stream stands still, for 7 s',
    'warn',
    [
      stored({
        feeds: [{ name: 'binance', counts: {}, troubles: [{ what: 'the stream stands still', since: now - 7_000 }] }],
      }),
    ],
    [],
  ],
  [
    'pager refused 2 messages of alerts',
    'warn',
    [
      stored({
        work: work({
          outlets: [{ outlet: 'alerts', kind: 'messages', to: 'pager', count: 5, perS: 1, waiting: 0, refused: 2 }],
        }),
      }),
    ],
    [],
  ],
  [
    'a process of another release runs it, whose report cannot be read',
    'warn',
    [stored(), stored({ tasks: 'other' })],
    [],
  ],
] as const)('%s', (text, level, reports, lags) => {
  expect(view(reports, lags).verdict).toEqual({ level, text })
})

test('two processes that work on one partition are two owners, and that comes first', () => {
  const both = view([stored(), stored({ tasks: [task(0, { generation: 2 })] }, { process: 'host:2' })])
  expect(both.verdict.level).toBe('bad')
  expect(both.verdict.text).toContain('two owners: host:1 (generation 1) and host:2 (generation 2)')
  expect(both.worries[0]?.where).toBe('partition 0')
  // Two that share the partitions are none.
  const shared = view([stored(), stored({ tasks: [task(1)] }, { process: 'host:2' })])
  expect(shared.verdict.text).toBe('healthy')
  expect(shared).toMatchObject({ recordsPerS: 100, taskCount: 2, lagRecords: 0 })
})

test('one that was killed is history once another runs, and its numbers are not counted', () => {
  const after = view([stored(), stored({}, { process: 'host:0', ageMs: 60_000 })])
  expect(after.verdict.text).toBe('healthy')
  expect(after.recordsPerS).toBe(50)
  expect(after.processes.map(({ state }) => state)).toEqual(['runs', 'silent'])
})

test('what no report says is said to be unknown', () => {
  const none = view([stored({}, { report: '{}', graph: 'no json' })])
  expect(none).toMatchObject({ graph: null, lagRecords: null, watermark: null, checkpointAgeMs: null })
  expect(none.verdict).toEqual({ level: 'off', text: 'nothing is known of it yet' })
})

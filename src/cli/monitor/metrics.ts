import { basename } from 'node:path'
import { Counter, Gauge, Registry } from 'prom-client'
import type { Watched, WatchedDataSet } from './watched.ts'

type Labels = Readonly<Record<string, string | number>>
interface Sample {
  readonly labels: Labels
  readonly value: number | null
}

/**
 * The text of all metrics, as Prometheus reads it. Names and labels: docs/run/operations.md.
 * @param newestBackupAt ms UTC; null where it is not known
 */
export async function metricsText(watched: Watched, newestBackupAt: number | null = null): Promise<string> {
  const registry = new Registry()
  const add = (kind: 'gauge' | 'counter', name: string, help: string, samples: readonly Sample[]) => {
    const known = samples.filter(({ value }) => value !== null)
    const options = {
      name: `millrace_${name}`,
      help,
      registers: [registry],
      labelNames: Object.keys(known[0]?.labels ?? {}),
    }
    if (kind === 'gauge') {
      const gauge = new Gauge(options)
      for (const { labels, value } of known) gauge.set({ ...labels }, value as number)
    } else {
      const counter = new Counter(options)
      for (const { labels, value } of known) counter.inc({ ...labels }, value as number)
    }
  }
  const gauge = (name: string, help: string, samples: readonly Sample[]) => add('gauge', name, help, samples)
  const counter = (name: string, help: string, samples: readonly Sample[]) => add('counter', name, help, samples)

  gauge('build_info', 'Version that runs.', [{ labels: { version: watched.version }, value: 1 }])
  const isUp = watched.databaseProblem === null && watched.database !== null
  gauge('database_up', '1 where the database answers.', [{ labels: {}, value: isUp ? 1 : 0 }])
  gauge('backup_timestamp_seconds', 'When the newest whole backup was taken; 0 for none.', [
    { labels: {}, value: newestBackupAt === null ? null : newestBackupAt / 1_000 },
  ])
  ofProcesses(watched, gauge, counter)
  ofTasks(watched, gauge)
  ofData(watched, gauge, counter)
  return registry.metrics()
}

type Add = (name: string, help: string, samples: readonly Sample[]) => void

function ofProcesses({ running, others }: Watched, gauge: Add, counter: Add): void {
  const processes = [running, ...others].flatMap((one) => (one?.report == null ? [] : [{ ...one, report: one.report }]))
  const of = (value: (one: (typeof processes)[number]) => number | null): readonly Sample[] =>
    processes.map((one) => ({ labels: { process: basename(one.folder) }, value: value(one) }))
  gauge(
    'report_timestamp_seconds',
    'When a process of the data folder last said how it is.',
    of(({ report }) => report.at / 1_000),
  )
  gauge(
    'waiting',
    '1 where a process waits for something.',
    of(({ report }) => (report.waitingFor === null ? 0 : 1)),
  )
  counter(
    'records_total',
    'Records committed since the start of a process.',
    of(({ report }) => report.records),
  )
  gauge(
    'commit_duration_seconds',
    'How long the last checkpoint took, of the slowest task.',
    of(({ report }) => (report.work?.commitMs == null ? null : report.work.commitMs / 1_000)),
  )
  counter(
    'task_restarts_total',
    'How often tasks have begun again since the start of a process.',
    of(({ report }) => report.work?.restarts ?? null),
  )
  const operators = processes.flatMap(({ folder, report }) =>
    (report.work?.operators ?? []).map((operator) => ({
      labels: { process: basename(folder), operator: operator.name },
      operator,
    })),
  )
  counter(
    'operator_values_in_total',
    'Values that came to an operator.',
    operators.map(({ labels, operator }) => ({ labels, value: operator.valuesIn })),
  )
  counter(
    'operator_values_out_total',
    'Values that an operator passed on.',
    operators.map(({ labels, operator }) => ({ labels, value: operator.valuesOut })),
  )
  gauge(
    'operator_keys',
    'Keys that an operator holds.',
    operators.map(({ labels, operator }) => ({ labels, value: operator.keyCount })),
  )
  const feeds = processes.flatMap(({ report }) => report.feeds)
  gauge(
    'feed_troubles',
    'How many things are wrong with a feed.',
    feeds.map(({ name, troubles }) => ({ labels: { feed: name }, value: troubles.length })),
  )
  counter(
    'feed_events_total',
    'What a feed counts, since its start.',
    feeds.flatMap(({ name, counts }) =>
      Object.entries(counts).map(([event, value]) => ({ labels: { feed: name, event }, value })),
    ),
  )
}

function ofTasks({ dataSets }: Watched, gauge: Add): void {
  const tasks = dataSets.flatMap(({ name, tasks }) =>
    tasks.map((task) => ({
      task,
      labels: { data: name, pipeline: task.pipeline, topic: task.topic, partition: task.partition },
    })),
  )
  const of = (value: (task: (typeof tasks)[number]['task']) => number | null): readonly Sample[] =>
    tasks.map(({ task, labels }) => ({ labels, value: value(task) }))
  const seconds = (iso: string | null) => (iso === null ? null : Date.parse(iso) / 1_000)
  gauge(
    'lag_records',
    'Records in the log that are not committed yet.',
    of(({ lagRecords }) => lagRecords),
  )
  gauge(
    'watermark_timestamp_seconds',
    'How far a task is in event time.',
    of(({ watermark }) => seconds(watermark)),
  )
  gauge(
    'last_commit_timestamp_seconds',
    'When a task last committed.',
    of(({ committedAt }) => seconds(committedAt)),
  )
  gauge(
    'state_bytes',
    'Size of what a task keeps.',
    of(({ stateBytes }) => stateBytes),
  )
  gauge(
    'archive_lag_records',
    'Records that are not in an object of the archive yet.',
    of(({ archiveLagRecords }) => archiveLagRecords),
  )
}

function ofData({ dataSets }: Watched, gauge: Add, counter: Add): void {
  const each = (samples: (one: WatchedDataSet) => readonly Sample[]): readonly Sample[] =>
    dataSets.flatMap((one) =>
      samples(one).map(({ labels, value }) => ({ labels: { data: one.name, ...labels }, value })),
    )
  counter(
    'dead_letters_total',
    'Records that were set aside.',
    each((one) =>
      lettersOf(one).map(({ pipeline, topic, reason, waiting, redriven }) => ({
        labels: { pipeline, topic, reason },
        value: waiting + redriven,
      })),
    ),
  )
  gauge(
    'dead_letters_waiting',
    'Records that were set aside and not redriven.',
    each((one) =>
      lettersOf(one).map(({ pipeline, topic, reason, waiting }) => ({
        labels: { pipeline, topic, reason },
        value: waiting,
      })),
    ),
  )
  gauge(
    'gaps_open',
    'Gaps of the feed that are not filled.',
    each(({ openGaps }) => [{ labels: {}, value: openGaps.reduce((sum, { gaps }) => sum + gaps, 0) }]),
  )
  gauge(
    'candle_closed_timestamp_seconds',
    'End of the newest closed 1m candle of a market.',
    each(({ facts }) =>
      facts.newestCandles.map(({ market, closedAt }) => ({ labels: { market }, value: closedAt / 1_000 })),
    ),
  )
  gauge(
    'candles_different',
    "Candles that differ from the exchange's own, and nobody has explained why.",
    each(({ facts }) => [{ labels: {}, value: facts.candlesDifferent }]),
  )
  gauge(
    'notifications_waiting',
    'Messages that wait to be sent.',
    each(({ outbox }) => outlets(outbox, ({ waiting }) => waiting)),
  )
  gauge(
    'notifications_refused',
    'Messages that their destination has refused.',
    each(({ outbox }) => outlets(outbox, ({ refused }) => refused)),
  )
  gauge(
    'notifications_oldest_seconds',
    'How long the oldest message has been waiting.',
    each(({ outbox }) =>
      outlets(outbox, ({ oldestAgeMs }) => (oldestAgeMs === null ? 0 : Math.max(0, oldestAgeMs) / 1_000)),
    ),
  )
  counter(
    'alerts_total',
    'Decisions of alert rules.',
    each(({ facts }) =>
      facts.alerts.map(({ transition, severity, count }) => ({ labels: { transition, severity }, value: count })),
    ),
  )
}

/** A topic of which nothing was set aside is told as such: what has no series cannot rise. */
function lettersOf({ tasks, deadLetters }: WatchedDataSet): WatchedDataSet['deadLetters'] {
  const known = new Set(deadLetters.map(({ pipeline, topic }) => JSON.stringify([pipeline, topic])))
  const clean = new Map(tasks.map(({ pipeline, topic }) => [JSON.stringify([pipeline, topic]), { pipeline, topic }]))
  return [
    ...deadLetters,
    ...[...clean]
      .filter(([key]) => !known.has(key))
      .map(([, topic]) => ({ ...topic, reason: 'none', waiting: 0, redriven: 0 })),
  ]
}

/** Of all partitions together. */
function outlets(
  outbox: WatchedDataSet['outbox'],
  of: (one: WatchedDataSet['outbox'][number]) => number,
): readonly Sample[] {
  const values = new Map<string, { labels: Labels; value: number }>()
  for (const one of outbox) {
    const { pipeline, outlet } = one
    const key = JSON.stringify([pipeline, outlet])
    values.set(key, { labels: { pipeline, outlet }, value: (values.get(key)?.value ?? 0) + of(one) })
  }
  return [...values.values()]
}

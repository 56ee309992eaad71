import { durationText } from '../../console/text.ts'
import { oneLine } from '../exit.ts'
import type { Thresholds } from './thresholds.ts'
import { isOfThePast, type Watched, type WatchedDataSet } from './watched.ts'

/** Something that is not as it should be. */
export interface Problem {
  /** Stable, for machines: `watermark`, `lag`, … */
  readonly code: string
  readonly text: string
}

/** What of all that is watched is not within its bounds; none where it is ready. */
export function problemsOf(watched: Watched, thresholds: Thresholds): readonly Problem[] {
  const { databaseProblem, kafka } = watched
  return [
    ...(databaseProblem === null ? [] : [{ code: 'database', text: oneLine(databaseProblem) }]),
    ...(kafka?.problem == null ? [] : [{ code: 'kafka', text: oneLine(kafka.problem) }]),
    ...silent(watched, thresholds),
    ...watched.dataSets.flatMap((one) => ofDataSet(one, thresholds, watched.at)),
  ]
}

function silent({ running, others, at, database }: Watched, { maxSilenceMs }: Thresholds): readonly Problem[] {
  const processes = [running, ...others].filter((one) => one !== null)
  // Where the database is a server, the pipeline may run on another machine: how far it is says whether it does.
  if (processes.length === 0 && (database === null || database.startsWith('embedded')))
    return [{ code: 'nothing-runs', text: 'nothing runs on the data folder' }]
  return processes.flatMap(({ pid, report }) => {
    if (report === null) return [{ code: 'silent', text: `process ${pid} has not reported yet` }]
    const silentMs = at - report.at
    if (silentMs > maxSilenceMs)
      return [{ code: 'silent', text: `process ${pid} is silent for ${durationText(silentMs)}` }]
    if (report.waitingFor !== null)
      return [{ code: 'waiting', text: `process ${pid} waits for ${oneLine(report.waitingFor)}` }]
    return []
  })
}

function ofDataSet(one: WatchedDataSet, thresholds: Thresholds, at: number): readonly Problem[] {
  const { maxWatermarkLagMs, maxLagRecords, maxCandleAgeMs, maxOpenGaps, maxDeadLetters, maxOutboxAgeMs } = thresholds
  const problems: Problem[] = []
  for (const task of one.tasks) {
    const name = `${task.pipeline} ${task.topic}/${task.partition}`
    if (task.watermarkLagMs !== null && task.watermarkLagMs > maxWatermarkLagMs && !isOfThePast(task.topic))
      problems.push({ code: 'watermark', text: `${name} is ${durationText(task.watermarkLagMs)} behind in event time` })
    if (task.lagRecords !== null && task.lagRecords > maxLagRecords)
      problems.push({ code: 'lag', text: `${name} is ${task.lagRecords} records behind` })
  }
  const isLive = one.tasks.some(({ topic }) => !isOfThePast(topic))
  for (const { market, closedAt } of isLive ? one.facts.newestCandles : [])
    if (at - closedAt > maxCandleAgeMs)
      problems.push({
        code: 'candles',
        text: `the newest closed candle of ${market} ended ${durationText(at - closedAt)} ago`,
      })
  const gaps = one.openGaps.reduce((sum, { gaps }) => sum + gaps, 0)
  if (gaps > maxOpenGaps) problems.push({ code: 'gaps', text: `${gaps} gaps of the feed are open` })
  const letters = one.deadLetters.reduce((sum, { waiting }) => sum + waiting, 0)
  if (letters > maxDeadLetters) problems.push({ code: 'dead-letters', text: `${letters} dead letters wait` })
  for (const { pipeline, outlet, partition, oldestAgeMs } of one.outbox)
    if (oldestAgeMs !== null && oldestAgeMs > maxOutboxAgeMs)
      problems.push({
        code: 'outbox',
        text: `the oldest message of ${pipeline}, outlet ${outlet}/${partition}, waits for ${durationText(oldestAgeMs)}`,
      })
  return problems.map(({ code, text }) => ({ code, text: one.name === 'real' ? text : `${one.name}: ${text}` }))
}

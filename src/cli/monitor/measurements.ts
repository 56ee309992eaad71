import type { Measure, Measurement } from '../../market/measurement.ts'
import type { TaskStatus } from '../../queries/status.ts'
import { isOfThePast, type Watched, type WatchedDataSet } from './watched.ts'

/** What monitors themselves is not measured. */
export const monitorName = 'monitor'

/** What alert rules over measures look at; none while the database does not answer. */
export function measurementsOf({ dataSets, at }: Watched): readonly Measurement[] {
  return dataSets.flatMap((one) => ofDataSet(one, at))
}

function ofDataSet(one: WatchedDataSet, at: number): readonly Measurement[] {
  const measured: Measurement[] = []
  const add = (measure: Measure, subject: string, value: number) =>
    measured.push({
      type: 'measurement',
      measure,
      subject: one.name === 'real' ? subject : `${one.name}:${subject}`,
      value: Math.max(0, Math.round(value)),
      at,
    })
  const bySubject = new Map<string, TaskStatus[]>()
  for (const task of one.tasks) {
    if (task.pipeline === monitorName) continue
    const subject = `${task.pipeline}/${task.topic}`
    bySubject.set(subject, [...(bySubject.get(subject) ?? []), task])
  }
  const lettersOf = (subject: string) =>
    sum(
      one.deadLetters.filter(({ pipeline, topic }) => `${pipeline}/${topic}` === subject).map(({ waiting }) => waiting),
    )
  const oldestOf = (subject: string) =>
    one.outbox
      .filter(({ pipeline, topic }) => `${pipeline}/${topic}` === subject)
      .reduce((most, { oldestAgeMs }) => Math.max(most, oldestAgeMs ?? 0), 0)
  for (const [subject, tasks] of bySubject) {
    const lags = tasks.flatMap(({ lagRecords }) => lagRecords ?? [])
    if (lags.length > 0) add('lag', subject, sum(lags))
    const behind = tasks.flatMap(({ watermarkLagMs }) => watermarkLagMs ?? [])
    if (behind.length > 0 && !isOfThePast(subject)) add('watermark', subject, Math.max(...behind) / 1_000)
    // Where nothing waits there is nothing to commit.
    const ages = tasks.flatMap(({ checkpointAgeMs, lagRecords }) =>
      (lagRecords ?? 0) > 0 ? (checkpointAgeMs ?? 0) : 0,
    )
    add('checkpoint', subject, Math.max(...ages) / 1_000)
    add('deadLetters', subject, lettersOf(subject))
    add('outbox', subject, oldestOf(subject) / 1_000)
  }
  if (bySubject.size > 0) add('gaps', 'feed', sum(one.openGaps.map(({ gaps }) => gaps)))
  return measured
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

import { feedCountsText, troubleLines } from './feedText.ts'
import type { ConsoleSnapshot, Progress, RunFacts } from './snapshot.ts'
import { bytesText, countText, durationText } from './text.ts'

export const separator = ' · '

/** The facts below the live table. */
export function renderFacts(snapshot: RunFacts): readonly string[] {
  const lines = [facts(snapshot).join(separator)]
  if (snapshot.progress !== null) lines.push(progressText(snapshot.progress))
  for (const feed of snapshot.feeds ?? []) {
    const counts = feedCountsText(feed.counts)
    if (counts !== null) lines.push(`${feed.name}: ${counts}`)
    lines.push(...troubleLines(feed).map((line) => `! ${line}`))
  }
  if (snapshot.waitingFor !== null) lines.push(`Waiting for ${snapshot.waitingFor}`)
  return lines
}

/** The same on one line, for where there is no terminal. */
export function renderLine(snapshot: ConsoleSnapshot, now: number): string {
  const { panel, caution } = snapshot
  const parts = [
    ...facts(snapshot),
    ...(snapshot.progress === null ? [] : [progressText(snapshot.progress)]),
    ...(panel.brief === null ? [] : [panel.brief]),
    ...(caution === null ? [] : [caution.word]),
    ...(snapshot.feeds ?? []).flatMap((feed) => troubleLines(feed).map((line) => `! ${line}`)),
    ...(snapshot.waitingFor === null ? [] : [`waiting for ${snapshot.waitingFor}`]),
  ]
  return `${new Date(now).toISOString()} ${parts.join(separator)}`
}

function facts(snapshot: RunFacts): readonly string[] {
  const { watermarkLagMs, checkpointAgeMs, logLag } = snapshot
  return [
    `${countText(snapshot.records)} records`,
    `${countText(snapshot.recordsPerS)} records/s`,
    ...(logLag === null ? [] : [`${countText(logLag)} behind${byInput(snapshot)}`]),
    `watermark ${watermarkLagMs === null ? 'not yet' : `${durationText(Math.max(0, watermarkLagMs))} behind`}`,
    `checkpoint ${checkpointAgeMs === null ? 'not yet' : `${durationText(Math.max(0, checkpointAgeMs))} ago`}`,
    `${countText(snapshot.deadLetters)} dead letters`,
  ]
}

/** Which of several inputs are behind. */
function byInput({ inputs }: RunFacts): string {
  const behind = inputs.filter(({ lagRecords }) => lagRecords > 0)
  if (inputs.length < 2 || behind.length === 0) return ''
  return ` (${behind.map(({ name, lagRecords }) => `${name} ${countText(lagRecords)}`).join(', ')})`
}

export function progressText(progress: Progress): string {
  const { done, total, unit, leftMs } = progress
  const percent = total === 0 ? 100 : Math.min(100, Math.floor((done / total) * 100))
  const amount =
    unit === 'bytes' ? `${bytesText(done)} of ${bytesText(total)}` : `${countText(done)} of ${countText(total)} records`
  return `${percent} % (${amount})${leftMs === null ? '' : `, ${durationText(leftMs)} left`}`
}

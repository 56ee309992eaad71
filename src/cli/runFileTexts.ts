import { resolve } from 'node:path'
import { countText } from '../console/text.ts'
import { operatorFacts } from '../host/graphFacts.ts'
import type { RunJob, RunPlaces } from '../host/openRun.ts'
import type { RunEnd } from '../host/pipelineRun.ts'
import { isSimulatedTopic } from '../host/simulatedTopic.ts'
import { version } from './version.ts'

/** What a run of a file says of itself before it begins. */
export function fileBanner(file: string, { pipeline, topics, settings }: RunJob, places: RunPlaces): readonly string[] {
  return [
    `millrace ${version()} · ${pipeline.name}`,
    `  file         ${file}`,
    `  topics       ${topics.map(({ name }) => name).join(', ')}`,
    ...(places.log === null ? [] : [`  log          ${places.log}`]),
    `  data folder  ${resolve(settings.dataDir)}`,
    `  database     ${places.database}, schema ${settings.schema}`,
    `  archive      ${places.archive}`,
    ...topics
      .filter(({ name }) => isSimulatedTopic(name))
      .map(
        ({ name }) =>
          `warning: the records of ${name} are invented, by its name, and so are the rows that are made of them.`,
      ),
  ]
}

/** What a run of a file says of itself after its end. */
export function fileSummary(
  { end, tasks, totals, outlets }: RunEnd,
  command: (words: string) => string,
): readonly string[] {
  const letters = totals.deadLetters
  const records = countText(totals.records)
  const isBehind = tasks.some((task) => task.committedOffset < task.nextOffset)
  return [
    end === 'committed'
      ? `All that the topics hold is committed: ${records} records, ${countText(letters)} dead letters.`
      : isBehind
        ? 'Stopped before everything was committed, because the database did not answer in time. The next start reads it again.'
        : `Stopped cleanly: ${records} records committed, ${countText(letters)} dead letters. The next start goes on from here.`,
    ...outlets.map(({ outlet, kind, to, count }) => `  ${outlet}: ${countText(count)} ${kind} for ${to}`),
    ...heldTexts(tasks, totals),
    ...(letters === 0 ? [] : [`\`${command('dead-letters list')}\` shows what was set aside, and why.`]),
  ]
}

/** What is still open because time waits for somebody above. */
function heldTexts(tasks: RunEnd['tasks'], totals: RunEnd['totals']): readonly string[] {
  const operators = operatorFacts(tasks, totals)
  if (operators.every(({ openUntil }) => openUntil === null)) return []
  return operators.flatMap(({ name, heldBy }) =>
    heldBy === null ? [] : [`  ${name}: what is open waits for ${heldBy}`],
  )
}

import { countText, wrapText } from '../../console/text.ts'
import type { RunEnd } from '../../host/pipelineRun.ts'
import { frameNotes } from './frameCounts.ts'
import type { RunPlan } from './runPlan.ts'

export interface BannerTexts {
  readonly version: string
  readonly plan: RunPlan
  /** True when nobody asked for the simulator and the exchange did not answer. */
  readonly isFallback: boolean
  /** The command that looks for the reason. */
  readonly doctor: string
  /** How wide the terminal is. */
  readonly columns: number
  readonly dataDir: string
  readonly database: string
  readonly archive: string
  /** Where the log is; null for the embedded one, which is in the database. */
  readonly log: string | null
}

/** What a run says of itself before it begins; invented prices cannot be overlooked. */
export function banner(facts: BannerTexts): readonly string[] {
  const { plan } = facts
  const dataSet =
    plan.dataSet === 'simulated'
      ? `simulated (schema ${plan.schema}, apart from real data)`
      : `real (schema ${plan.schema})`
  return [
    `millrace ${facts.version} · realtime`,
    `  source       ${plan.sourceText}`,
    `  market       ${plan.market}${plan.market === 'simulated' ? '' : `, times in ${plan.timeUnit}`}`,
    `  symbols      ${plan.symbols === null ? `all of the ${plan.source === 'tape' ? 'tape' : 'topic'}` : plan.symbols.join(', ')}`,
    `  data set     ${dataSet}`,
    `  topic        ${plan.topic}`,
    ...(facts.log === null ? [] : [`  log          ${facts.log}`]),
    `  data folder  ${facts.dataDir}`,
    `  database     ${facts.database}`,
    `  archive      ${facts.archive}`,
    ...(plan.dataSet === 'simulated' ? simulatedBanner(facts.isFallback ? facts.doctor : null, facts.columns) : []),
  ]
}

/** @param doctor the command that looks for the reason, where the exchange did not answer; null where nobody asked it */
export function simulatedBanner(doctor: string | null, columns: number): readonly string[] {
  const lines = [
    'SIMULATED PRICES: invented by a random generator. Not a market.',
    'They are kept apart from real data, under the market "simulated".',
    ...(doctor === null ? [] : [`The exchange did not answer within 2 s; \`${doctor}\` looks for the reason.`]),
  ].flatMap((line) => wrapText(line, Math.max(20, columns - 4)))
  const edge = '*'.repeat(Math.max(...lines.map((line) => line.length)) + 4)
  return ['', edge, ...lines.map((line) => `* ${line.padEnd(edge.length - 4)} *`), edge, '']
}

/** What a run says of itself after its end. */
export function summary(
  plan: RunPlan,
  { end, ingests, tasks, totals }: RunEnd,
  command: (words: string) => string,
): readonly string[] {
  const letters = totals.deadLetters
  const records = countText(totals.records)
  const isBehind = tasks.some((task) => task.committedOffset < task.nextOffset)
  const wasRead = ingests.some(({ counts }) => counts.frames === 0 && (counts.linesBefore ?? 0) > 0)
  const unstored = ingests.reduce((total, ingest) => total + ingest.unconfirmedRecords, 0)
  return [
    end === 'committed'
      ? `All of the ${plan.source === 'none' ? 'topic' : plan.source} is committed: ${records} records, ${countText(letters)} dead letters.${wasRead ? ' It was read before: nothing of it is new.' : ''}`
      : isBehind
        ? 'Stopped before everything was committed, because the database did not answer in time. The next start reads it again.'
        : `Stopped cleanly: ${records} records committed, ${countText(letters)} dead letters. The next start goes on from here.`,
    ...ingests.flatMap(({ counts }) => frameNotes(plan, counts)),
    ...(unstored === 0
      ? []
      : [
          `${countText(unstored)} records were read but are not in the log, because the database did not answer in time.`,
        ]),
    ...(letters === 0 ? [] : [`\`${command('dead-letters list')}\` shows what was set aside, and why.`]),
  ]
}

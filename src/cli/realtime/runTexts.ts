import { countText } from '../../console/text.ts'
import type { RunEnd } from '../../host/pipelineRun.ts'
import type { RunPlan } from './runPlan.ts'

export interface BannerTexts {
  readonly version: string
  readonly plan: RunPlan
  /** True when nobody asked for the simulator and the exchange did not answer. */
  readonly isFallback: boolean
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
    ...(plan.dataSet === 'simulated' ? simulatedBanner(facts.isFallback) : []),
  ]
}

export function simulatedBanner(isFallback: boolean): readonly string[] {
  const lines = [
    'SIMULATED PRICES: invented by a random generator. Not a market.',
    'They are kept apart from real data, under the market "simulated".',
    ...(isFallback ? ['The exchange did not answer within 2 s; `millrace doctor` looks for the reason.'] : []),
  ]
  const edge = '*'.repeat(Math.max(...lines.map((line) => line.length)) + 4)
  return ['', edge, ...lines.map((line) => `* ${line.padEnd(edge.length - 4)} *`), edge, '']
}

/** What a run says of itself after its end. */
export function summary(plan: RunPlan, { end, ingests, tasks, totals }: RunEnd): readonly string[] {
  const letters = totals.deadLetters
  const records = countText(totals.records)
  const isBehind = tasks.some((task) => task.committedOffset < task.nextOffset)
  const unstored = ingests.reduce((total, ingest) => total + ingest.unconfirmedRecords, 0)
  return [
    end === 'committed'
      ? `All of the ${plan.source === 'none' ? 'topic' : plan.source} is committed: ${records} records, ${countText(letters)} dead letters.`
      : isBehind
        ? 'Stopped before everything was committed, because the database did not answer in time. The next start reads it again.'
        : `Stopped cleanly: ${records} records committed, ${countText(letters)} dead letters. The next start goes on from here.`,
    ...(unstored === 0
      ? []
      : [
          `${countText(unstored)} records were read but are not in the log, because the database did not answer in time.`,
        ]),
    ...(letters === 0 ? [] : ['`npx millrace dead-letters list` shows what was set aside, and why.']),
  ]
}

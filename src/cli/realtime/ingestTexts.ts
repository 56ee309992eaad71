import { countText } from '../../console/text.ts'
import type { IngestReport } from '../../sources/ingest/runIngest.ts'
import { version } from '../version.ts'
import type { RunPlan } from './runPlan.ts'
import { simulatedBanner } from './runTexts.ts'

/** What an ingest says of itself before it begins. */
export function ingestBanner(plan: RunPlan, location: string, isFallback: boolean): readonly string[] {
  return [
    `millrace ${version()} · ingest`,
    `  source       ${plan.sourceText}`,
    `  symbols      ${plan.symbols === null ? 'all of the tape' : plan.symbols.join(', ')}`,
    `  topic        ${plan.topic}`,
    `  log          ${location}`,
    ...(plan.market === 'simulated' ? simulatedBanner(isFallback) : []),
  ]
}

/** What an ingest says of itself after its end. */
export function ingestSummary(plan: RunPlan, report: IngestReport): readonly string[] {
  const { unreadable = 0, otherStreams = 0, otherSymbols = 0 } = report.counts
  const leftOut = otherStreams + otherSymbols
  return [
    report.end === 'feed-ended'
      ? `All of the ${plan.source} is in ${plan.topic}: ${countText(report.records)} records appended in this run.`
      : `Stopped cleanly: ${countText(report.records)} records appended to ${plan.topic}. The next start goes on from here.`,
    ...(unreadable === 0
      ? []
      : [`${countText(unreadable)} frames cannot be read; the worker sets them aside as dead letters.`]),
    ...(leftOut === 0 ? [] : [`${countText(leftOut)} frames of other streams or symbols were left out.`]),
    ...(report.unconfirmedRecords === 0
      ? []
      : [
          `${countText(report.unconfirmedRecords)} records were read but are not known to be in the log, which did not answer in time.`,
        ]),
  ]
}

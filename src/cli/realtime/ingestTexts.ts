import { countText } from '../../console/text.ts'
import type { IngestReport } from '../../sources/ingest/runIngest.ts'
import { version } from '../version.ts'
import { frameNotes } from './frameCounts.ts'
import type { RunPlan } from './runPlan.ts'
import { simulatedBanner } from './runTexts.ts'

/**
 * What an ingest says of itself before it begins.
 * @param doctor the command that looks for the reason, where the exchange did not answer
 */
export function ingestBanner(
  plan: RunPlan,
  location: string,
  doctor: string | null,
  columns: number,
): readonly string[] {
  return [
    `millrace ${version()} · ingest`,
    `  source       ${plan.sourceText}`,
    `  symbols      ${plan.symbols === null ? 'all of the tape' : plan.symbols.join(', ')}`,
    `  topic        ${plan.topic}`,
    `  log          ${location}`,
    ...(plan.market === 'simulated' ? simulatedBanner(doctor, columns) : []),
  ]
}

/** What an ingest says of itself after its end. */
export function ingestSummary(plan: RunPlan, report: IngestReport): readonly string[] {
  return [
    report.end === 'feed-ended'
      ? `All of the ${plan.source} is in ${plan.topic}: ${countText(report.records)} records appended in this run.`
      : `Stopped cleanly: ${countText(report.records)} records appended to ${plan.topic}. The next start goes on from here.`,
    ...frameNotes(plan, report.counts),
    ...(report.unconfirmedRecords === 0
      ? []
      : [
          `${countText(report.unconfirmedRecords)} records were read but are not known to be in the log, which did not answer in time.`,
        ]),
  ]
}

import type { StoredRunReport } from '../queries/runReports.ts'
import { type PipelineView, pipelineView, type Trend } from './pipelineView.ts'

const trendSamples = 120
/** After that what has ended is no news. */
const forgottenAfterMs = 6 * 3_600_000

interface Kept {
  readonly schema: string
  readonly pipeline: string
  reports: readonly StoredRunReport[]
  recordsPerS: number[]
  lagRecords: number[]
  takenAt: number
}

/** The pipelines of all data sets, with two minutes of what they did. */
export class PipelineWatch {
  readonly #kept = new Map<string, Kept>()

  /** @param reports all that there are in the schema */
  take(schema: string, reports: readonly StoredRunReport[], now: number): void {
    const found = new Map<string, StoredRunReport[]>()
    for (const report of reports) {
      if (report.ageMs > forgottenAfterMs) continue
      found.set(report.pipeline, [...(found.get(report.pipeline) ?? []), report])
    }
    for (const [key, { schema: of, pipeline }] of this.#kept) {
      if (of === schema && !found.has(pipeline)) this.#kept.delete(key)
    }
    for (const [pipeline, own] of found) {
      const key = `${schema}/${pipeline}`
      const kept = this.#kept.get(key) ?? {
        schema,
        pipeline,
        reports: own,
        recordsPerS: [],
        lagRecords: [],
        takenAt: now,
      }
      kept.reports = own
      kept.takenAt = now
      const { recordsPerS, lagRecords } = pipelineView(schema, pipeline, own, trendOf(kept), now)
      kept.recordsPerS = [...kept.recordsPerS, recordsPerS].slice(-trendSamples)
      kept.lagRecords = [...kept.lagRecords, lagRecords ?? 0].slice(-trendSamples)
      this.#kept.set(key, kept)
    }
  }

  /** Those that want somebody first. */
  views(now: number): readonly PipelineView[] {
    const rank = ['bad', 'warn', 'busy', 'good', 'off']
    return [...this.#kept.values()]
      .map((kept) => pipelineView(kept.schema, kept.pipeline, kept.reports, trendOf(kept), now))
      .sort(
        (a, b) => rank.indexOf(a.verdict.level) - rank.indexOf(b.verdict.level) || (a.pipeline < b.pipeline ? -1 : 1),
      )
  }
}

function trendOf({ recordsPerS, lagRecords }: Kept): Trend {
  return { recordsPerS, lagRecords }
}

import type { IngestLog, IngestTopic } from '../../host/openIngestLog.ts'
import type { Feed } from '../../runtime/log/feed.ts'
import type { IngestReport } from '../../sources/ingest/runIngest.ts'

/** What one `millrace ingest` brings in, and what it says about it. */
export interface IngestJob {
  /** Where it goes. */
  readonly topic: IngestTopic
  /** Of the embedded log. */
  readonly schema: string
  /** In whose name the position is kept. */
  readonly producer: string
  /** Holds the lock and the report. */
  readonly folder: string
  /** For `status`: `ingest of readings.jsonl`. */
  readonly title: string
  banner(log: IngestLog): readonly string[]
  /** @param onNotice gets lines for people while the feed is read */
  openFeed(onNotice: (line: string) => void): Promise<Feed>
  /** Topics that are filled beside it. None if left out. */
  readonly topicsBeside?: readonly string[]
  /** The feeds of those, in their order. */
  openBeside?(onNotice: (line: string) => void): Promise<readonly Feed[]>
  summary(report: IngestReport): readonly string[]
  /** Why an ingest that came to its end is a failure all the same, or null. */
  problem(report: IngestReport): string | null
  /** An error of code that is not ours, in words; null for any other. */
  explain(error: unknown): string | null
}

import { feedCountsText, troubleLines } from '../../console/feedText.ts'
import type { FeedFacts } from '../../console/snapshot.ts'
import { countText, durationText } from '../../console/text.ts'
import type { RunReporter } from '../../host/runReport.ts'
import type { IngestProgress } from '../../sources/ingest/runIngest.ts'

const reportEveryMs = 1_000
const lineEveryMs = 5_000

export interface IngestConsoleOptions {
  readonly say: (line: string) => void
  readonly reporter: RunReporter
  /** What is filled, and the name of the feed that fills it; what the ingest is about comes first. */
  readonly topics: readonly { readonly topic: string; readonly name: string }[]
  readonly now: () => number
}

/** Prints how far an ingest is, now and then, and leaves the report that `status` and `health` read. */
export class IngestConsole {
  readonly #options: IngestConsoleOptions
  readonly #reporting: NodeJS.Timeout
  readonly #printing: NodeJS.Timeout
  readonly #progress: (IngestProgress | null)[]

  constructor(options: IngestConsoleOptions) {
    this.#options = options
    this.#progress = options.topics.map(() => null)
    this.#report()
    this.#reporting = setInterval(() => this.#report(), reportEveryMs)
    this.#printing = setInterval(() => this.#print(), lineEveryMs)
  }

  /** @param index of the topic */
  progress(index: number, progress: IngestProgress): void {
    this.#progress[index] = progress
  }

  end(): void {
    clearInterval(this.#reporting)
    clearInterval(this.#printing)
  }

  // By a timer and not by progress: an ingest that waits for a quiet market or a broker is alive, too.
  #report(): void {
    const { reporter, now } = this.#options
    const [lead, ...others] = this.#progress
    const all = [lead, ...others].filter((one) => one != null)
    reporter.write(
      {
        records: all.reduce((sum, { records }) => sum + records, 0),
        recordsPerS: all.reduce((sum, { recordsPerSecond }) => sum + recordsPerSecond, 0),
        waitingFor: lead?.waitingFor ?? null,
        feeds: this.#feeds(),
      },
      now(),
    )
  }

  #feeds(): readonly FeedFacts[] {
    return this.#options.topics.flatMap(({ name }, index) => feedFacts(name, this.#progress[index] ?? null))
  }

  #print(): void {
    const { say, now, topics } = this.#options
    const [lead, ...others] = this.#progress
    if (lead == null) return
    say(progressLine(lead, now()))
    const beside = others.map((one, index) => `${topics[index + 1]?.topic} ${countText(one?.records ?? 0)}`)
    if (beside.length > 0) say(`  beside: ${beside.join(' · ')}`)
    for (const feed of this.#feeds()) for (const line of troubleLines(feed)) say(`  ! ${line}`)
  }
}

/** Of a feed that says how it is; otherwise none. */
function feedFacts(name: string, progress: IngestProgress | null): readonly FeedFacts[] {
  const { troubles, counts } = progress?.feed ?? {}
  return troubles === undefined || counts === undefined ? [] : [{ name, counts, troubles }]
}

export function progressLine(progress: IngestProgress, now: number): string {
  const { records, recordsPerSecond, feed, timeLeftMs, waitingFor } = progress
  const { bytesDone = null, bytesTotal = null, newestTime = null } = feed ?? {}
  const isFile = bytesDone !== null && bytesTotal !== null && bytesTotal > 0
  return [
    `${countText(records)} records in the log`,
    `${countText(Math.round(recordsPerSecond))} records/s`,
    isFile ? `${Math.floor((100 * bytesDone) / bytesTotal)} % of the file` : null,
    isFile && timeLeftMs !== null ? `${durationText(timeLeftMs)} left` : null,
    !isFile && newestTime !== null ? `newest event ${durationText(Math.max(0, now - newestTime))} ago` : null,
    feed?.troubles === undefined ? null : feedCountsText(feed.counts),
    waitingFor === null ? null : `waiting for ${waitingFor}`,
  ]
    .filter((part) => part !== null)
    .join(' · ')
}

import type { TaskLimits } from './workerLimits.ts'

/** A larger result does not gain by coming together with others. */
const mostShare = 64 * 1024

/** What one record has brought about by itself, against what it may: it has to fit into one checkpoint. */
export class RecordResults {
  readonly #limits: TaskLimits
  #results = 0
  #bytes = 0

  constructor(limits: TaskLimits) {
    this.#limits = limits
  }

  /** Of a record that brings about one result in each of so many outlets: how many bytes each may have, and is certainly not too much; below zero where so many results are. */
  shareOf(outlets: number): number {
    const { maxRecordResults, maxRecordResultBytes } = this.#limits
    return maxRecordResults < outlets ? -1 : Math.min(mostShare, Math.floor(maxRecordResultBytes / outlets))
  }

  /** Another record is pushed. */
  begin(): void {
    this.#results = 0
    this.#bytes = 0
  }

  /** Counts more of them, and gives what is wrong where that is too much; null where it is not. */
  add(results: number, bytes: number): string | null {
    const { maxRecordResults, maxRecordResultBytes } = this.#limits
    this.#results += results
    this.#bytes += bytes
    if (this.#results <= maxRecordResults && this.#bytes <= maxRecordResultBytes) return null
    const what =
      this.#results > maxRecordResults
        ? `more than ${maxRecordResults} rows and messages (limits.maxRecordResults, MILLRACE_MAX_RECORD_RESULTS)`
        : `more than ${maxRecordResultBytes} bytes of rows and messages (limits.maxRecordResultBytes, MILLRACE_MAX_RECORD_RESULT_BYTES)`
    return `this record alone brings about ${what}, which do not fit into one checkpoint: let it become several records, or raise the limit, and redrive it`
  }
}

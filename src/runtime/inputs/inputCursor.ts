import { collectGarbage } from '../collectGarbage.ts'
import { MillraceError } from '../errors.ts'
import type { FetchOptions, LeaderEpochStart, LogBounds, LogReader, RecordBatch } from '../log/log.ts'
import type { ReadAhead } from '../log/readAhead.ts'
import type { RecordView } from '../log/record.ts'
import { SkippedOffsets } from '../log/skippedOffsets.ts'
import { withSkipRemedy } from '../log/skipRemedy.ts'
import type { ResolvedInput } from '../pipeline/input.ts'
import type { ArchiveTap } from './archiveTap.ts'

/** A batch that is larger than what is asked for, because a record in it is. */
const largeBatchBytes = 1.5 * 1024 * 1024
/** So much of large batches, and of what was made of them, may lie about. */
const garbageBytes = 12 * 1024 * 1024

/** One input of a task as it is read: the batch at hand and the record in it, and since when nothing has come. */
export class InputCursor {
  readonly input: ResolvedInput
  readonly topic: string
  readonly reader: LogReader
  /** Records that were read ahead, and which of them is at hand. */
  readonly ahead: ReadAhead
  readonly logId: string | undefined
  archive: ArchiveTap | null = null
  /** The first offset that the log had. */
  readonly earliest: number
  /** Where a task begins that has no place in it. */
  readonly begin: number
  /** The log's end, as last seen. */
  logEnd: number
  /** Processing time, ms UTC. */
  lastRecordAt: number
  /** True where nothing has come for so long, from a log that truly has no more, that the others may go on. */
  isIdle = false
  /** Where a drain ends; null while none was asked for. */
  end: number | null = null
  /** The epoch of the record before the place of the task, and those that begin behind it. */
  #epochs: LeaderEpochStart[] = []
  /** What a person has decided to leave out. */
  skipped = new SkippedOffsets([], 0)
  readonly #pipeline: string
  #batch: RecordBatch | null = null
  /** Of large batches since memory was cleaned up. */
  #largeBytes = 0
  /** Where the reader goes on behind the batch at hand. */
  #fetchOffset = 0
  /** Behind offsets that were left out, until the task has been told. */
  #jumpedTo: number | null = null
  #hasNews = false
  #fetching: Promise<boolean> | null = null

  constructor(
    pipeline: string,
    input: ResolvedInput,
    reader: LogReader,
    bounds: LogBounds,
    { topic, begin, now }: { readonly topic: string; readonly begin: number | null; readonly now: number },
    ahead: ReadAhead,
  ) {
    this.ahead = ahead
    this.#pipeline = pipeline
    this.input = input
    this.topic = topic
    this.reader = reader
    this.logId = bounds.logId
    this.earliest = bounds.earliest
    this.begin = begin ?? bounds.earliest
    this.logEnd = bounds.next
    this.lastRecordAt = now
  }

  /** Whether values of several records at hand may be read together. */
  get lends(): boolean {
    return this.ahead.count > 1
  }

  /** The record at hand. */
  get view(): RecordView {
    return this.ahead.show()
  }

  get partition(): number {
    return this.reader.partition
  }

  /** What tells it from the other inputs of its task: the topic, and the partition where it is not the task's own. */
  get name(): string {
    return this.input.partition === undefined ? this.topic : `${this.topic}/${this.partition}`
  }

  /** The next batch begins at the offset, or behind what is left out there. */
  seek(offset: number): void {
    const start = this.skipped.behind(offset)
    if (start !== offset) this.#jumpedTo = start
    this.#fetchOffset = start
    this.reader.seek(start)
  }

  /** Moves to the next record of the batch at or behind the offset; what is before it, or is left out, goes to the archive alone. False when the batch is used up. */
  read(nextOffset: number): boolean {
    const batch = this.#batch
    if (batch === null) return false
    const { ahead } = this
    try {
      while (ahead.next(batch)) {
        const offset = ahead.offsets[ahead.at] as number
        if (offset >= nextOffset && !this.skipped.has(offset)) return true
        this.archive?.append(ahead.show())
      }
    } catch (error) {
      this.#leaveOut(error)
    }
    return false
  }

  /** Lets go of the used-up batch and gives the offset behind it and what is left out there, or null without one. */
  finishBatch(): number | null {
    const jumpedTo = this.#jumpedTo
    this.#jumpedTo = null
    const behind = this.#batch?.nextOffset ?? null
    this.#batch = null
    if (jumpedTo === null && behind === null) return null
    const nextOffset = Math.max(jumpedTo ?? 0, behind ?? 0)
    this.archive?.skipTo(nextOffset)
    if (nextOffset > this.logEnd) this.logEnd = nextOffset
    return nextOffset
  }

  /** Waits for the next batch; false where nothing came. */
  async fetch(options: FetchOptions): Promise<boolean> {
    if (this.#batch !== null) throw new Error(`bug: ${this.topic} was fetched while a batch was at hand`)
    this.ahead.release()
    if (this.skipped.has(this.#fetchOffset)) this.seek(this.#fetchOffset)
    if (this.#jumpedTo !== null) return true
    const batch = await this.#fetched(options)
    if (batch === null) return false
    if (batch.byteLength > largeBatchBytes) this.#cleanUpBehind(batch.byteLength)
    this.#batch = batch
    this.#fetchOffset = batch.nextOffset
    this.#hasNews = true
    this.isIdle = false
    for (const start of batch.leaderEpochs ?? []) this.#learnEpoch(start)
    return true
  }

  /** The task goes on behind a record that was written under this epoch. */
  resumeIn(leaderEpoch: number): void {
    this.#epochs = [{ leaderEpoch, offset: 0 }]
  }

  /** Of the record before the offset, which does not go back; undefined where the log does not tell. */
  epochBefore(nextOffset: number): number | undefined {
    const at = this.#epochs.findLastIndex(({ offset }) => offset < nextOffset)
    if (at > 0) this.#epochs.splice(0, at)
    return at < 0 ? undefined : this.#epochs[0]?.leaderEpoch
  }

  #learnEpoch(start: LeaderEpochStart): void {
    if (start.leaderEpoch > (this.#epochs.at(-1)?.leaderEpoch ?? -1)) this.#epochs.push(start)
  }

  #cleanUpBehind(batchBytes: number): void {
    this.#largeBytes += batchBytes
    if (this.#largeBytes < garbageBytes) return
    this.#largeBytes = 0
    collectGarbage()
  }

  async #fetched(options: FetchOptions): Promise<RecordBatch | null> {
    try {
      return await this.reader.fetch(options)
    } catch (error) {
      // What is left out is not fetched, so this is something else.
      throw this.#told(error)
    }
  }

  /** Goes on behind what cannot be read, where a person has said so. */
  #leaveOut(error: unknown): void {
    const offset = error instanceof MillraceError ? error.offset : undefined
    if (offset === undefined || !this.skipped.has(offset)) throw this.#told(error)
    this.#batch = null
    this.seek(offset)
  }

  #told(error: unknown): unknown {
    return withSkipRemedy(error, {
      pipeline: this.#pipeline,
      topic: this.topic,
      partition: this.reader.partition,
    })
  }

  /** True where a batch has come since the last call. */
  takeNews(): boolean {
    const hasNews = this.#hasNews
    this.#hasNews = false
    return hasNews
  }

  /** Starts to wait for the next batch, unless it waits already. */
  startFetch(options: FetchOptions): Promise<boolean> {
    this.#fetching ??= this.fetch(options).finally(() => {
      this.#fetching = null
    })
    return this.#fetching
  }

  get isFetching(): boolean {
    return this.#fetching !== null
  }

  /** True where a batch is there that is not used up. */
  get isAtHand(): boolean {
    return this.#batch !== null
  }

  /** True once everything was read that there was when a drain was asked for. */
  hasReached(nextOffset: number): boolean {
    return this.end !== null && nextOffset >= this.end && this.archive?.has(this.end) !== false
  }

  /** True where the log had nothing behind the offset when it was asked just now. */
  async hasNoMore(nextOffset: number): Promise<boolean> {
    return (await this.reader.bounds()).next <= nextOffset
  }
}

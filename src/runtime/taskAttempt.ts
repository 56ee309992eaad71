import type { Archive, ArchiveWriter } from './archive.ts'
import type { Backoff } from './backoff.ts'
import { BadRowError } from './badRow.ts'
import type { ArchivedObject, Checkpoint, CheckpointStore, Claim, TaskId } from './checkpoint.ts'
import type { Clock } from './clock.ts'
import { CommitSlot } from './commitSlot.ts'
import { ConfigurationError, OffsetOutOfRangeError, RetryableError } from './errors.ts'
import type { LeftOutValues } from './leftOutValues.ts'
import type { LogReader, LogSource, OpenOutgoingTopic, RecordBatch } from './log.ts'
import { inputsOf, type Pipeline } from './pipeline.ts'
import { RecordView } from './record.ts'
import { RecordedSteps } from './recordedSteps.ts'
import { Relays } from './relays.ts'
import { StreamTask } from './streamTask.ts'
import type { TaskStatus } from './taskStatus.ts'
import type { WorkerLimits } from './workerLimits.ts'

/** What a task works on and with. */
export interface TaskOptions {
  readonly pipeline: Pipeline
  /** The log that is read; that of the leading input where the pipeline has several. */
  readonly source: LogSource
  /** The logs of the other inputs, in the order in which the pipeline names them. */
  readonly others?: readonly LogSource[]
  /** For outlets that send to topics. */
  readonly openTopic?: OpenOutgoingTopic
  /** Where checkpoints and results go. */
  readonly store: CheckpointStore
  /** Where outlets made by `toArchive` keep raw records; null keeps none. */
  readonly archive: Archive | null
  readonly clock: Clock
  /** How much it may hold, and how often it commits. */
  readonly limits: WorkerLimits
  /** A replay: steps of time that this pipeline recorded on the same topic are taken where it took them. */
  readonly replayOf?: string
  /** Told after each commit, for lag tools. */
  readonly onCommit: (partition: number, nextOffset: number) => void
}

/**
 * How a task is asked to end: `now` cuts and commits what it has; `drain` first reads to where the log ends at that moment and ends the archive's open object;
 * `drain-and-close` also fires the windows that are still open.
 */
export type StopMode = 'now' | 'drain' | 'drain-and-close'

/** After a stop that is meant to come at once, asynchronous calls have so long to end. */
const asyncGraceMs = 5_000

/** Provisional results may wait for their turn, so cuts go on for this long after the last record. */
const settleAfterMs = 2_000

/**
 * One life of a task, from its claim to its end or its first failure.
 *
 * Memory is bounded by credit: with so many records or results uncommitted, or an archive without room, nothing more is fetched. One commit is under way
 * at most; meanwhile the task goes on, and what it emits belongs to the next checkpoint.
 */
export class TaskAttempt {
  readonly #id: TaskId
  readonly #options: TaskOptions
  readonly #status: TaskStatus
  readonly #signal: AbortSignal
  readonly #commits = new CommitSlot()
  readonly #view = new RecordView()
  readonly #leftOut: LeftOutValues
  readonly #idleAfterMs: number | undefined
  #recorded: RecordedSteps | null = null
  #task: StreamTask | null = null
  #isWatching = false
  #reader: LogReader | null = null
  #archive: ArchiveWriter | null = null
  #relays: Relays | null = null
  /** What the next checkpoint will store as the archive's next offset. */
  #archiveNextOffset: number | null = null
  #archivedObjects: ArchivedObject[] = []
  #feedArchiveFrom = 0
  #logId: string | undefined
  #cutAt = 0
  #lastRecordAt = 0
  /** Records in the commit under way. */
  #committingRecords = 0

  constructor(id: TaskId, options: TaskOptions, status: TaskStatus, signal: AbortSignal, leftOut: LeftOutValues) {
    this.#id = id
    this.#options = options
    this.#status = status
    this.#signal = signal
    this.#leftOut = leftOut
    this.#idleAfterMs = inputsOf(options.pipeline)[0]?.idleAfterMs
  }

  async run(stopMode: () => StopMode | null, backoff: Backoff): Promise<void> {
    const { pipeline, source, store, clock, replayOf } = this.#options
    this.#status.phase = 'claiming'
    const claim = await store.claim(this.#id, (await source.partitions()).length, pipeline.partitionGrowth)
    const reader = source.reader(this.#id.partition)
    this.#reader = reader
    const { earliest, next, logId } = await reader.bounds()
    this.#logId = logId
    this.#refuseOtherLog(claim, logId)
    const task = new StreamTask(pipeline, claim.restored, earliest)
    this.#task = task
    if (replayOf !== undefined) this.#recorded = new RecordedSteps(store, { ...this.#id, pipeline: replayOf }, task)
    task.rendersRows = this.#leftOut.hasBadRowFrom(task.nextOffset)
    this.#watchStepsAt(task, task.nextOffset - 1)
    const start = this.#openArchive(claim, task)
    if (start < earliest || start > next) throw this.#outOfRange(start, earliest, next)
    this.#relays = new Relays(claim, task.sending, this.#options)
    this.#status.outlets = this.#relays.status
    reader.seek(start)
    this.#cutAt = clock.now()
    this.#lastRecordAt = this.#cutAt
    this.#reportStart(claim, task, next)
    await this.#readUntilStopped(claim, task, reader, stopMode, backoff)
    await this.#end(claim, task, stopMode() ?? 'now', backoff)
  }

  /** Lets go of everything; what was not committed is read again. */
  async close(): Promise<void> {
    this.#task?.abandon()
    this.#archive?.abandon()
    await this.#relays?.close()
    await this.#reader?.close()
  }

  /** Opens the archive at its own next offset and gives the offset to seek to: the smaller of the two. */
  #openArchive(claim: Claim, task: StreamTask): number {
    this.#archiveNextOffset = claim.restored?.archiveNextOffset ?? null
    if (this.#options.archive === null) return task.nextOffset
    const from = this.#archiveNextOffset ?? task.nextOffset
    this.#archiveNextOffset = from
    this.#feedArchiveFrom = from
    this.#archive = this.#options.archive.open(this.#id, from, this.#options.clock)
    return Math.min(from, task.nextOffset)
  }

  async #readUntilStopped(
    claim: Claim,
    task: StreamTask,
    reader: LogReader,
    stopMode: () => StopMode | null,
    backoff: Backoff,
  ): Promise<void> {
    const { clock, limits } = this.#options
    let end: number | null = null
    while (!this.#signal.aborted) {
      this.#commits.check()
      this.#relays?.check()
      if (end === null && stopMode() !== null) end = (await reader.bounds()).next
      if (end !== null && task.nextOffset >= end && this.#archiveHas(end)) {
        await this.#recorded?.takeUpTo(task.nextOffset, clock.now())
        return
      }
      await this.#awaitCredit(claim, task, backoff)
      const untilCutMs = this.#cutAt + limits.checkpointIntervalMs - clock.now()
      const batch = await reader.fetch({
        maxBytes: limits.fetchMaxBytes,
        maxWaitMs: end === null ? Math.min(limits.fetchMaxWaitMs, Math.max(untilCutMs, 1)) : 1,
        signal: this.#signal,
      })
      if (batch === null) await this.#advanceIdle(task, reader)
      else {
        await this.#take(claim, task, batch, backoff)
        this.#lastRecordAt = clock.now()
      }
      this.#status.nextOffset = task.nextOffset
      if (this.#isCutDue(task) && this.#commits.isFree) await this.#cutIfDirty(claim, task, backoff)
      this.#status.waitingFor = this.#archive?.waitingFor ?? this.#relays?.waitingFor ?? null
    }
  }

  #archiveHas(end: number): boolean {
    return this.#archive === null || this.#feedArchiveFrom >= end
  }

  async #take(claim: Claim, task: StreamTask, batch: RecordBatch, backoff: Backoff): Promise<void> {
    const view = this.#view
    const { maxUncommittedRecords, maxUncommittedResults } = this.#options.limits
    while (batch.read(view)) {
      const isNew = view.offset >= task.nextOffset
      if (isNew) {
        if (this.#recorded?.isDueBefore(view.offset) === true)
          await this.#recorded.takeUpTo(view.offset, this.#options.clock.now())
        this.#push(task, view)
      }
      // After the push: what the graph has found out about the bytes, the archive need not.
      if (this.#archive !== null && view.offset >= this.#feedArchiveFrom) {
        this.#archive.append(view, task.facts)
        this.#feedArchiveFrom = view.offset + 1
      }
      if (!isNew) continue
      if (task.isSaturated) await this.#quiet(task.settle())
      const isFull = task.uncutRecords >= maxUncommittedRecords || task.uncutResults >= maxUncommittedResults
      // Behind a value that was left out, so that it is not met again.
      if (isFull || (this.#isWatching && this.#leftOut.at(view.offset) !== undefined))
        await this.#cut(claim, task, false, backoff)
    }
    task.skipTo(batch.nextOffset)
    this.#feedArchiveFrom = Math.max(this.#feedArchiveFrom, batch.nextOffset)
    if (batch.nextOffset > this.#status.logEndOffset) this.#status.logEndOffset = batch.nextOffset
  }

  #push(task: StreamTask, view: RecordView): void {
    if (this.#isWatching) this.#watchStepsAt(task, view.offset)
    task.push(view)
  }

  /** As long as values are known that a step fails on, what is emitted at their offsets is watched. */
  #watchStepsAt(task: StreamTask, offset: number): void {
    const leftOut = this.#leftOut.at(offset)
    task.stopWatching()
    if (leftOut !== undefined) task.startWatching(leftOut)
    this.#isWatching = !this.#leftOut.isEmpty
  }

  /** Waits until there is room for another batch: of records that no commit has confirmed, and in the archive. */
  async #awaitCredit(claim: Claim, task: StreamTask, backoff: Backoff): Promise<void> {
    const { maxUncommittedRecords } = this.#options.limits
    if (this.#committingRecords + task.uncutRecords >= maxUncommittedRecords) {
      this.#status.waitingFor = 'the commit under way'
      await this.#commits.wait()
    }
    await this.#awaitRelays(claim, task, backoff)
    const archive = this.#archive
    if (archive?.isBehind === true) await archive.catchUp(this.#signal)
    if (archive === null || archive.hasRoom) return
    // Results need not wait for the archive: they are committed first, and the archive's own next offset stays behind.
    if (task.uncutRecords > 0) await this.#cut(claim, task, false, backoff)
    while (!archive.hasRoom && !this.#signal.aborted) {
      this.#status.waitingFor = archive.waitingFor ?? 'the archive, which has no room'
      await archive.waitForRoom(this.#signal)
      await this.#cutIfDirty(claim, task, backoff)
    }
  }

  /** Waits while an outlet has more to send than it may, and goes on committing meanwhile. */
  async #awaitRelays(claim: Claim, task: StreamTask, backoff: Backoff): Promise<void> {
    const relays = this.#relays
    while (relays?.hasRoom === false && !this.#signal.aborted) {
      this.#status.waitingFor = relays.waitingFor ?? 'an outlet to send what it has'
      if (!this.#leftOut.hasFrom(task.nextOffset)) await this.#cutIfDirty(claim, task, backoff)
      await relays.progress(this.#options.limits.checkpointIntervalMs, this.#signal)
      relays.check()
    }
  }

  /** A clock that was set back must not hold checkpoints up until it has caught up. Before a value that is left out none falls, so that it is met where it was. */
  #isCutDue(task: StreamTask): boolean {
    if (this.#leftOut.hasFrom(task.nextOffset)) return false
    const sinceCutMs = this.#options.clock.now() - this.#cutAt
    return sinceCutMs < 0 || sinceCutMs >= this.#options.limits.checkpointIntervalMs
  }

  /** Nothing came: where that is so for long enough, and the log truly has no more, time moves by itself. */
  async #advanceIdle(task: StreamTask, reader: LogReader): Promise<void> {
    const { clock } = this.#options
    if (this.#signal.aborted) return
    if (this.#recorded?.isOver === false) return this.#recorded.takeUpTo(task.nextOffset, clock.now())
    const idleAfterMs = this.#idleAfterMs
    const now = clock.now()
    if (idleAfterMs === undefined || now - this.#lastRecordAt < idleAfterMs) return
    const { next } = await reader.bounds()
    if (next > task.nextOffset || this.#signal.aborted) return
    await this.#quiet(task.quiesce({ now, isFinal: false }))
    task.advanceIdle(now - idleAfterMs)
  }

  async #cutIfDirty(claim: Claim, task: StreamTask, backoff: Backoff): Promise<void> {
    this.#takeArchived()
    const isSettling = this.#options.clock.now() - this.#lastRecordAt < settleAfterMs
    if (task.uncutRecords > 0 || task.uncutResults > 0 || this.#archivedObjects.length > 0 || isSettling)
      await this.#cut(claim, task, false, backoff)
    else this.#cutAt = this.#options.clock.now()
  }

  #takeArchived(): void {
    if (this.#archive === null) return
    const { objects, nextOffset } = this.#archive.take()
    this.#archivedObjects.push(...objects)
    this.#archiveNextOffset = nextOffset
  }

  /** Cuts the task and starts the commit, after the one under way. */
  async #cut(claim: Claim, task: StreamTask, isFinal: boolean, backoff: Backoff): Promise<void> {
    const { clock } = this.#options
    await this.#commits.wait()
    this.#takeArchived()
    const objects = this.#archivedObjects
    this.#archivedObjects = []
    const startedAt = clock.now()
    this.#committingRecords = task.uncutRecords
    const { otherOffsets: _, ...cut } = await this.#quiet(task.cutWhenQuiet({ now: startedAt, isFinal }))
    const checkpoint = {
      ...cut,
      archiveNextOffset: this.#archiveNextOffset,
      ...(this.#logId === undefined ? {} : { logId: this.#logId }),
      objects,
    }
    this.#cutAt = startedAt
    this.#status.records += this.#committingRecords
    this.#status.watermark = checkpoint.watermark
    this.#commits.start(
      this.#commit(claim, checkpoint, task.rendersRows).then(() => {
        this.#committingRecords = 0
        this.#relays?.committed(checkpoint.messages)
        backoff.reset()
        this.#leftOut.forgetBefore(checkpoint.nextOffset)
        task.rendersRows = this.#leftOut.hasBadRowFrom(checkpoint.nextOffset)
        const status = this.#status
        status.committedAt = clock.now()
        status.commitMs = status.committedAt - startedAt
        status.committedOffset = checkpoint.nextOffset
        status.archiveNextOffset = checkpoint.archiveNextOffset
        status.deadLetters += checkpoint.deadLetters.length
        status.commits += 1
        this.#options.onCommit(this.#id.partition, checkpoint.nextOffset)
      }),
    )
  }

  /** Waits for asynchronous work of the graph, and says so; after a stop that is meant to come at once not for ever. */
  async #quiet<T>(work: Promise<T>): Promise<T> {
    const status = this.#status
    const before = status.waitingFor
    status.waitingFor = 'asynchronous calls of the pipeline'
    const over = new AbortController()
    try {
      const late = this.#stoppedFor(asyncGraceMs, over.signal)
      const result = await Promise.race([work, late])
      status.waitingFor = before
      return result
    } finally {
      over.abort()
      work.catch(() => undefined)
    }
  }

  /** Rejects so long after a stop that is meant to come at once, unless it is over before. */
  async #stoppedFor(ms: number, over: AbortSignal): Promise<never> {
    await fired(this.#signal, over)
    await this.#options.clock.sleep(ms, over)
    if (over.aborted) return new Promise<never>(() => undefined)
    throw new RetryableError(`asynchronous calls of the pipeline have not ended ${ms} ms after the stop`, this.#id)
  }

  /** @param isRendered whether bad rows were looked for before, so that none can be left */
  async #commit(claim: Claim, checkpoint: Checkpoint, isRendered: boolean): Promise<void> {
    try {
      await this.#options.store.commit(claim, checkpoint)
    } catch (error) {
      if (!(error instanceof BadRowError)) throw error
      if (isRendered) throw new ConfigurationError(error.message, { ...this.#id, cause: error })
      throw new BadRowError(error.message, { ...this.#id, offset: checkpoint.nextOffset, cause: error })
    }
  }

  async #end(claim: Claim, task: StreamTask, mode: StopMode, backoff: Backoff): Promise<void> {
    if (mode === 'drain-and-close') {
      await this.#quiet(task.quiesce({ now: this.#options.clock.now(), isFinal: false }))
      task.closeOpen()
    }
    if (mode !== 'now' && this.#archive !== null) {
      this.#status.waitingFor = 'the archive to store its last object'
      await this.#archive.finish(this.#signal)
    }
    await this.#cut(claim, task, true, backoff)
    await this.#commits.wait()
    if (this.#relays?.status.length === 0) return
    this.#status.waitingFor = 'outlets to send what is committed'
    await this.#relays?.finish(this.#signal)
  }

  #reportStart(claim: Claim, task: StreamTask, logEnd: number): void {
    const status = this.#status
    status.phase = 'running'
    status.waitingFor = null
    status.generation = claim.generation
    status.nextOffset = task.nextOffset
    status.committedOffset = task.nextOffset
    status.logEndOffset = logEnd
    status.watermark = claim.restored?.watermark ?? null
    status.archiveNextOffset = this.#archiveNextOffset
  }

  /** A topic that was made anew may have grown past our offset, so its length does not give it away. */
  #refuseOtherLog(claim: Claim, logId: string | undefined): void {
    const saved = claim.restored?.logId
    if (saved === undefined || logId === undefined || saved === logId) return
    const { pipeline, topic, partition } = this.#id
    throw new OffsetOutOfRangeError(
      `${topic}/${partition}: the topic was deleted and made anew since pipeline ${pipeline} last read it (its id was ${saved}, now it is ${logId}), ` +
        'so its offsets mean other records. Start under a new pipeline name to read the new topic from its beginning.',
      { pipeline, topic, partition, offset: claim.restored?.nextOffset ?? 0 },
    )
  }

  #outOfRange(start: number, earliest: number, next: number): OffsetOutOfRangeError {
    const { pipeline, topic, partition } = this.#id
    const what =
      start < earliest
        ? `records ${start} to ${earliest - 1} were deleted before they were processed; keep the log longer than the archive's objects span`
        : `the log ends at ${next}, so it was replaced or lost its end`
    return new OffsetOutOfRangeError(
      `${topic}/${partition}: pipeline ${pipeline} must go on at offset ${start}, but ${what}. ` +
        'Bring the log back, or accept the loss by starting under a new pipeline name.',
      { pipeline, topic, partition, offset: start },
    )
  }
}

/** Resolves when either signal fires. */
function fired(first: AbortSignal, second: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (first.aborted || second.aborted) return resolve()
    const done = () => {
      first.removeEventListener('abort', done)
      second.removeEventListener('abort', done)
      resolve()
    }
    first.addEventListener('abort', done)
    second.addEventListener('abort', done)
  })
}

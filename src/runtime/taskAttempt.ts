import type { Archive } from './archive.ts'
import { ArchiveTap } from './archiveTap.ts'
import type { Backoff } from './backoff.ts'
import { BadRowError } from './badRow.ts'
import type { Checkpoint, CheckpointStore, Claim, InputPosition, TaskId } from './checkpoint.ts'
import { type Clock, sleptEnough } from './clock.ts'
import { CommitSlot } from './commitSlot.ts'
import type { Elsewhere, RefusedCheckpoint } from './elsewhere.ts'
import { ConfigurationError } from './errors.ts'
import { ForeignRowsError } from './foreignRows.ts'
import type { ResolvedInput } from './input.ts'
import type { InputCursor } from './inputCursor.ts'
import { InputMerge } from './inputMerge.ts'
import { InputReader } from './inputReader.ts'
import type { LeftOutValues } from './leftOutValues.ts'
import type { LogSource, OpenOutgoingTopic } from './log.ts'
import { openCursors, outOfRange, refuseLostEnd, refuseOtherLog, refuseOtherPartitions } from './openCursors.ts'
import { OperatorTally } from './operatorTally.ts'
import type { Pipeline } from './pipeline.ts'
import { ProgressReport } from './progressReport.ts'
import { QuietWait } from './quietWait.ts'
import { RecordedAnswers } from './recordedAnswers.ts'
import { RecordedNotes } from './recordedNotes.ts'
import { RecordedSteps } from './recordedSteps.ts'
import { Relays, type WatchSends } from './relays.ts'
import { nameToday } from './renamedOperators.ts'
import { SkippedOffsets } from './skippedOffsets.ts'
import type { StartFrom } from './startFrom.ts'
import { StreamTask } from './streamTask.ts'
import { RepeatedOrder, TakenOrder } from './takenOrder.ts'
import type { TaskStatus } from './taskStatus.ts'
import { isShared, taskCount } from './wholeInputs.ts'
import type { WorkerLimits } from './workerLimits.ts'

/** What a task works on and with. */
export interface TaskOptions {
  readonly pipeline: Pipeline
  /** The log that is read; that of the leading input where the pipeline has several. */
  readonly source: LogSource
  /** The logs of the other inputs, in the order in which the pipeline names them. */
  readonly others?: readonly LogSource[]
  /** What is read of these logs, one for each. */
  readonly inputs: readonly ResolvedInput[]
  /** For outlets that send to topics. */
  readonly openTopic?: OpenOutgoingTopic
  /** Gives what takes an outlet's messages as it is to be used: for whoever wants to know of each send. */
  readonly watchSends?: WatchSends
  /** Where checkpoints and results go. */
  readonly store: CheckpointStore
  /** Where outlets made by `toArchive` keep raw records; null keeps none. */
  readonly archive: Archive | null
  readonly clock: Clock
  /** So many records, at most 512, are read ahead and decoded together; as many if left out. With 1, each goes through the graph by itself. Results are the same, whatever it is. */
  readonly mostAhead?: number
  /** How much it may hold, and how often it commits. */
  readonly limits: WorkerLimits
  /** Where partitions begin in which nothing was committed for the pipeline; `earliest` if left out. Those that have a checkpoint go on from there. */
  readonly from?: StartFrom
  /** A replay: steps of time that this pipeline recorded on the same topic are taken where it took them. */
  readonly replayOf?: string
  /** Messages of outlets are made and committed, and sent to nobody: no topic and no destination is opened. For a replay that is looked at, and not meant to do anything. */
  readonly sendsNothing?: boolean
  /** Told after each commit, for lag tools. */
  readonly onCommit: (partition: number, nextOffset: number) => void
}

/**
 * How a task is asked to end: `now` cuts and commits what it has; `settle` does so too, and ends the archive's open object before, where the store takes it
 * in time, so that readers have it; `drain` first reads to where the log ends at that moment and ends the archive's open object;
 * `drain-and-close` also fires the windows that are still open.
 */
export type StopMode = 'now' | 'settle' | 'drain' | 'drain-and-close'

/** Whether it is to end without reading on. */
export function isPrompt(mode: StopMode | null): boolean {
  return mode === 'now' || mode === 'settle'
}

/** How often it is told what a task waits for at its end. */
const tellEveryMs = 500

/** A stop does not wait for a store that is away. */
const settleWithinMs = 5_000

/** Provisional results may wait for their turn, so cuts go on for this long after the last record. */
const settleAfterMs = 2_000

/**
 * One life of a task, from its claim to its end or its first failure.
 *
 * Memory is bounded by credit: with so many records or results uncommitted, by their number or their bytes, or an archive without room, nothing more is fetched. One commit is under way
 * at most; meanwhile the task goes on, and what it emits belongs to the next checkpoint.
 */
export class TaskAttempt {
  /** What it did since its last checkpoint, for another attempt. */
  readonly order = new TakenOrder()
  readonly #id: TaskId
  readonly #options: TaskOptions
  readonly #status: TaskStatus
  readonly #signal: AbortSignal
  readonly #quiet: QuietWait
  readonly #commits = new CommitSlot()
  readonly #leftOut: LeftOutValues
  readonly #elsewhere: Elsewhere
  #recorded: RecordedSteps | null = null
  #answers: RecordedAnswers | null = null
  #repeated: RepeatedOrder | null = null
  #task: StreamTask | null = null
  #cursors: readonly InputCursor[] = []
  #archives: readonly ArchiveTap[] = []
  #relays: Relays | null = null
  #cutAt = 0
  #idleAt = 0
  #progress: ProgressReport | null = null
  readonly #tally: OperatorTally
  /** Records in the commit under way. */
  #committingRecords = 0

  constructor(
    id: TaskId,
    options: TaskOptions,
    status: TaskStatus,
    signal: AbortSignal,
    leftOut: LeftOutValues,
    elsewhere: Elsewhere,
  ) {
    this.#id = id
    this.#options = options
    this.#status = status
    this.#signal = signal
    this.#quiet = new QuietWait(id, options.clock, status, signal)
    this.#leftOut = leftOut
    this.#elsewhere = elsewhere
    this.#tally = new OperatorTally(status.operators)
  }

  async run(stopMode: () => StopMode | null, backoff: Backoff): Promise<void> {
    const { pipeline, source, store, clock, replayOf, from = 'earliest' } = this.#options
    this.#status.phase = 'claiming'
    const tasks = (await source.partitions()).length
    const claim = await store.claim(this.#id, tasks, pipeline.partitionGrowth)
    const cursors = await openCursors(this.#id, this.#options, claim.restored === null ? from : 'earliest')
    this.#cursors = cursors
    refuseOtherPartitions(this.#id, cursors, claim.restored)
    refuseOtherLog(this.#id, cursors, claim.restored)
    await refuseLostEnd(this.#id, cursors, claim.restored)
    const recordedOf = replayOf === undefined ? null : { ...this.#id, pipeline: replayOf }
    const { order } = this.#leftOut
    if (order !== null) this.order.repeats(order)
    const answers = new RecordedAnswers(
      store,
      recordedOf ?? this.#id,
      (operator) => nameToday(operator, pipeline),
      this.order,
      order,
    )
    this.#answers = answers
    const task = new StreamTask(
      pipeline,
      claim.restored,
      cursors.map(({ begin }) => begin),
      this.#options.limits,
      this.#options.inputs,
      {
        ...{ clock, tasks: taskCount(pipeline, tasks), task: this.#id.partition, topic: this.#id.topic, answers },
        openPacker: store.openPacker,
      },
    )
    this.#task = task
    if (recordedOf !== null) this.#recorded = new RecordedSteps(store, recordedOf, task)
    // A replay takes everything where it was taken, whatever fails.
    if (recordedOf === null && order !== null) this.#repeated = new RepeatedOrder(order, task.nextOffsets)
    task.rendersRows = this.#leftOut.hasBadRowFrom(task.nextOffsets)
    if (!this.#leftOut.isEmpty) task.startWatching(this.#leftOut)
    task.leaveElsewhere(this.#elsewhere)
    this.#archives = this.#openArchives(claim, task)
    for (const [input, cursor] of cursors.entries()) {
      cursor.skipped = new SkippedOffsets(claim.skipped ?? [], input)
      const from = Math.min(task.nextOffsets[input] as number, cursor.archive?.nextOffset ?? Number.POSITIVE_INFINITY)
      const start = cursor.skipped.behind(from)
      if (start < cursor.earliest || start > cursor.logEnd) throw outOfRange(this.#id, cursor, start, from)
      cursor.seek(from)
    }
    const reader = await this.#openReader(claim, task, recordedOf)
    this.#relays = new Relays(claim, this.#options.sendsNothing === true ? [] : task.sending, this.#options)
    this.#status.sending = this.#relays.status
    this.#cutAt = clock.now()
    this.#progress = new ProgressReport(this.#status, clock, task, cursors, this.#tally)
    this.#progress.started(claim)
    await this.#readUntilStopped(claim, task, reader, stopMode, backoff)
    await this.#end(claim, task, reader, stopMode() ?? 'now', backoff)
  }

  /** Lets go of everything; what was not committed is read again. */
  async close(): Promise<void> {
    this.#task?.abandon()
    for (const { writer } of this.#archives) writer.abandon()
    await this.#relays?.close()
    await Promise.all(this.#cursors.map(({ reader }) => reader.close()))
  }

  /** Opens the archives that the pipeline attaches, each at its own next offset. */
  #openArchives({ restored, archivedUntilOffsets }: Claim, task: StreamTask): readonly ArchiveTap[] {
    const { archive, clock } = this.#options
    if (archive === null) return []
    const archived = new Set([...task.archives.values()].map((input) => this.#cursors[input]?.topic))
    return [...this.#cursors.entries()].flatMap(([input, { topic }]) => {
      if (!archived.has(topic)) return []
      const cursor = this.#cursors[input] as InputCursor
      // What every task reads is in the archive once.
      if (this.#id.partition !== 0 && isShared(this.#options.inputs, cursor.input)) return []
      const saved = input === 0 ? restored?.archiveNextOffset : restored?.others?.[input - 1]?.archiveNextOffset
      const from = saved ?? Math.max(task.nextOffsets[input] as number, archivedUntilOffsets?.[input] ?? 0)
      cursor.archive = new ArchiveTap(
        archive.open({ ...this.#id, topic: cursor.topic, partition: cursor.partition }, from, clock),
        input,
        from,
      )
      return cursor.archive
    })
  }

  async #openReader(claim: Claim, task: StreamTask, recordedOf: TaskId | null): Promise<InputReader> {
    const { store, clock, limits } = this.#options
    const cursors = this.#cursors
    const notes = recordedOf === null ? null : new RecordedNotes(store, recordedOf)
    const merged = cursors.map(({ name, input: { maxAdvanceMs, movesTime } }) => {
      return { topic: name, maxAdvanceMs, movesTime }
    })
    const merge = cursors.length === 1 ? null : new InputMerge(merged, task.savedMerge, notes !== null)
    const reader = new InputReader({
      ...{ cursors, merge, notes, repeated: this.#repeated, clock, limits },
      signal: this.#signal,
    })
    if (merge === null) return reader
    task.mergeState = () => merge.snapshot()
    if (claim.restored !== null) return reader
    // At the first start, tables are read before the streams that look things up in them.
    for (const [input, { input: options, logEnd }] of cursors.entries()) {
      if (options.movesTime) continue
      const repeated = this.#repeated?.firstUntil(input) ?? logEnd
      const firstUntil = notes === null ? repeated : await notes.firstUntil(input)
      if (firstUntil <= (task.nextOffsets[input] as number)) continue
      merge.readFirst(input, firstUntil)
      this.order.readFirst(input, firstUntil)
      reader.note({ input, offsets: task.nextOffsets.with(input, firstUntil), isFirst: true })
    }
    return reader
  }

  async #readUntilStopped(
    claim: Claim,
    task: StreamTask,
    reader: InputReader,
    stopMode: () => StopMode | null,
    backoff: Backoff,
  ): Promise<void> {
    const { clock, limits } = this.#options
    const { nextOffsets } = task
    let isDraining = false
    while (!this.#signal.aborted) {
      this.#commits.check()
      this.#relays?.check()
      if (!isDraining && stopMode() !== null) {
        for (const cursor of this.#cursors) cursor.end = (await cursor.reader.bounds()).next
        isDraining = true
      }
      if (this.#repeated?.isOver === false) await this.#repeatSteps(task, this.#repeated)
      if (isDraining && this.#cursors.every((cursor, input) => cursor.hasReached(nextOffsets[input] as number))) {
        await this.#recorded?.takeDue(clock.now())
        return
      }
      await this.#awaitCredit(claim, task, reader, backoff)
      const hasMore = (await this.#take(claim, task, reader, backoff)) || (await reader.findIdle(nextOffsets))
      if (!hasMore) {
        const untilCutMs = this.#cutAt + limits.checkpointIntervalMs - clock.now()
        const hasCome = await reader.more(nextOffsets, Math.max(untilCutMs, 1))
        if (!hasCome || this.#isIdleDue()) await this.#advanceIdle(task)
      }
      this.#progress?.progressed()
      if (this.#isCutDue(task) && this.#commits.isFree) await this.#cutIfDirty(claim, task, reader, backoff)
      this.#status.waitingFor =
        this.#archiveWaitingFor() ?? this.#relays?.waitingFor ?? reader.waitingFor(nextOffsets) ?? stuckTime(task)
    }
  }

  /** Runs the records at hand through the graph, as far as they may go; false where there was none. */
  async #take(claim: Claim, task: StreamTask, reader: InputReader, backoff: Backoff): Promise<boolean> {
    const { limits } = this.#options
    const { nextOffsets } = task
    const skipTo = (offset: number, input: number) => task.skipTo(offset, input)
    let hasTaken = false
    while (!this.#isStepRepeatedNext(task)) {
      const input = reader.next(nextOffsets, skipTo)
      if (input < 0) break
      hasTaken = true
      const cursor = this.#cursors[input] as InputCursor
      const { ahead } = cursor
      const offset = ahead.offsets[ahead.at] as number
      if (this.#recorded?.isDueBefore(input, offset) === true)
        await this.#recorded.takeBefore(input, offset, this.#options.clock.now())
      const preparing = task.needsPrepare ? task.prepare(cursor.view, input) : undefined
      if (preparing !== undefined) await this.#quiet.until(preparing)
      reader.take(input, nextOffsets)
      try {
        if (task.mayLend && cursor.lends)
          task.pushAhead(
            ahead,
            input,
            this.#mayGoAhead(task, cursor) ? limits : null,
            cursor.archive,
            this.#recorded?.dueAt(input),
          )
        else {
          task.push(cursor.view, input)
          // After the push: what the graph has found out about the bytes, the archive need not.
          cursor.archive?.append(cursor.view, task.facts)
        }
      } finally {
        this.order.took(input, Math.max(nextOffsets[input] as number, offset + 1))
      }
      if (task.isSaturated) await this.#quiet.until(task.settle())
      const isFull = hasNoCredit(task, limits) || this.#elsewhere.endsAt(nextOffsets)
      // Behind a value that was left out, so that it is not met again.
      if (isFull || this.#leftOut.at(input, offset) !== undefined) await this.#cut(claim, task, reader, false, backoff)
      if (isFull) break
    }
    const now = this.#options.clock.now()
    for (const cursor of this.#cursors) if (cursor.takeNews()) cursor.lastRecordAt = now
    return hasTaken
  }

  /** True where nothing is to be done between two records of an input, save steps of time that were recorded: no other input, nothing to skip and nothing that was failed on before. */
  #mayGoAhead(task: StreamTask, { skipped }: InputCursor): boolean {
    return (
      this.#cursors.length === 1 &&
      skipped.isEmpty &&
      task.isSynchronous &&
      (this.#repeated === null || this.#repeated.isOver) &&
      this.#leftOut.isEmpty &&
      this.#elsewhere.isEmpty
    )
  }

  /** Waits until there is room for another batch: of records that no commit has confirmed, and in the archives. */
  async #awaitCredit(claim: Claim, task: StreamTask, reader: InputReader, backoff: Backoff): Promise<void> {
    const { maxUncommittedRecords } = this.#options.limits
    if (this.#committingRecords + task.uncutRecords >= maxUncommittedRecords) {
      this.#status.waitingFor = 'the commit under way'
      await this.#commits.wait()
    }
    await this.#awaitRelays(claim, task, reader, backoff)
    for (const { writer } of this.#archives) {
      if (writer.isBehind) await writer.catchUp(this.#signal)
      if (writer.hasRoom) continue
      // Results need not wait for the archive: they are committed first, and the archive's own next offset stays behind.
      if (task.uncutRecords > 0) await this.#cut(claim, task, reader, false, backoff)
      while (!writer.hasRoom && !this.#signal.aborted) {
        this.#status.waitingFor = writer.waitingFor ?? 'the archive, which has no room'
        await writer.waitForRoom(this.#signal)
        await this.#cutIfDirty(claim, task, reader, backoff)
      }
    }
  }

  /** Waits while an outlet has more to send than it may, and goes on committing meanwhile. */
  async #awaitRelays(claim: Claim, task: StreamTask, reader: InputReader, backoff: Backoff): Promise<void> {
    const relays = this.#relays
    while (relays?.hasRoom === false && !this.#signal.aborted) {
      this.#status.waitingFor = relays.waitingFor ?? 'an outlet to send what it has'
      if (!this.#leftOut.hasFrom(task.nextOffsets)) await this.#cutIfDirty(claim, task, reader, backoff)
      await relays.progress(this.#options.limits.checkpointIntervalMs, this.#signal)
      relays.check()
    }
  }

  /** A clock that was set back must not hold checkpoints up until it has caught up. Before a value that is left out none falls, so that it is met where it was. */
  #isCutDue(task: StreamTask): boolean {
    if (this.#leftOut.hasFrom(task.nextOffsets)) return false
    const sinceCutMs = this.#options.clock.now() - this.#cutAt
    return sinceCutMs < 0 || sinceCutMs >= this.#options.limits.checkpointIntervalMs
  }

  /** One input may be silent while others are not. */
  #isIdleDue(): boolean {
    const sinceIdleMs = this.#options.clock.now() - this.#idleAt
    return this.#cursors.length > 1 && (sinceIdleMs < 0 || sinceIdleMs >= this.#options.limits.checkpointIntervalMs)
  }

  /** Nothing came: where that is so for long enough, and the log truly has no more, time moves by itself. */
  async #advanceIdle(task: StreamTask): Promise<void> {
    const { clock } = this.#options
    if (this.#signal.aborted) return
    if (this.#recorded?.isOver === false) return this.#recorded.takeDue(clock.now())
    if (this.#repeated?.next(task.nextOffsets) !== undefined) return
    const now = clock.now()
    this.#idleAt = now
    for (const { name, inputs } of task.idleClocks) {
      const idleAfterMs = await this.#silenceOf(inputs, task, now)
      if (idleAfterMs === null || this.#signal.aborted) continue
      await this.#quiet.until(task.quiesce({ now, isFinal: false }))
      this.order.did({ kind: 'step', watermark: now - idleAfterMs, clock: name })
      task.advanceIdle(now - idleAfterMs, name)
    }
  }

  #isStepRepeatedNext(task: StreamTask): boolean {
    const next = this.#repeated?.isOver === false ? this.#repeated.next(task.nextOffsets) : undefined
    return next !== undefined && next.kind !== 'records'
  }

  /** Moves time where the attempt before did. */
  async #repeatSteps(task: StreamTask, repeated: RepeatedOrder): Promise<void> {
    const { clock } = this.#options
    for (;;) {
      const deed = repeated.next(task.nextOffsets)
      if (deed === undefined || deed.kind === 'records') return
      await this.#quiet.until(task.quiesce({ now: clock.now(), isFinal: false }))
      repeated.done()
      this.order.did(deed)
      if (deed.kind === 'end') task.closeOpen()
      else task.advanceIdle(deed.watermark, deed.clock)
    }
  }

  /** At which distance the clock may be followed, because all of these inputs have been silent for so long, ms; null where they have not. */
  async #silenceOf(inputs: readonly number[], task: StreamTask, now: number): Promise<number | null> {
    const streams = inputs.filter((input) => (this.#cursors[input] as InputCursor).input.movesTime)
    let longestMs: number | null = null
    for (const input of streams) {
      const cursor = this.#cursors[input] as InputCursor
      const { idleAfterMs } = cursor.input
      if (idleAfterMs === undefined || now - cursor.lastRecordAt < idleAfterMs || cursor.isAtHand) return null
      longestMs = Math.max(longestMs ?? 0, idleAfterMs)
    }
    for (const input of streams) {
      if (!(await (this.#cursors[input] as InputCursor).hasNoMore(task.nextOffsets[input] as number))) return null
    }
    return longestMs
  }

  async #cutIfDirty(claim: Claim, task: StreamTask, reader: InputReader, backoff: Backoff): Promise<void> {
    const hasObjects = this.#collectArchived()
    const now = this.#options.clock.now()
    const isSettling = this.#cursors.some(({ lastRecordAt }) => now - lastRecordAt < settleAfterMs)
    if (task.uncutRecords > 0 || task.uncutResults > 0 || hasObjects || isSettling)
      await this.#cut(claim, task, reader, false, backoff)
    else this.#cutAt = now
  }

  #collectArchived(): boolean {
    return this.#archives.map((archive) => archive.collect()).includes(true)
  }

  /** Cuts the task and starts the commit, after the one under way. */
  async #cut(claim: Claim, task: StreamTask, reader: InputReader, isFinal: boolean, backoff: Backoff): Promise<void> {
    const { clock } = this.#options
    await this.#commits.wait()
    await this.#recorded?.takePassed(clock.now())
    this.#collectArchived()
    const objects = this.#archives.flatMap((archive) => archive.takeObjects())
    const startedAt = clock.now()
    this.#committingRecords = task.uncutRecords
    const { otherOffsets, results, makers, ...cut } = await this.#quiet.until(
      task.cutWhenQuiet({ now: startedAt, isFinal }),
    )
    const mark = this.order.mark()
    const [lead, ...others] = this.#positions([cut.nextOffset, ...otherOffsets])
    const mergeNotes = reader.takeNotes()
    const checkpoint = {
      ...cut,
      ...(lead as InputPosition),
      ...(others.length === 0 ? {} : { others }),
      ...(mergeNotes.length === 0 ? {} : { mergeNotes }),
      objects,
    }
    const nextOffsets = [cut.nextOffset, ...otherOffsets]
    this.#answers?.forgetBefore(nextOffsets)
    const counts = task.operatorCounts()
    this.#cutAt = startedAt
    this.#status.watermark = checkpoint.watermark
    this.#commits.start(
      this.#commit(claim, checkpoint, { writes: cut.writes, makers, nextOffsets }, task.rendersRows).then(() => {
        this.#status.records += this.#committingRecords
        this.#committingRecords = 0
        this.order.forget(mark)
        this.#relays?.committed(checkpoint.messages)
        backoff.reset()
        this.#leftOut.forgetBefore(nextOffsets)
        if (this.#leftOut.isEmpty) {
          task.stopWatching()
          this.order.repeatsNoMore()
        }
        this.#elsewhere.committed(nextOffsets)
        task.rendersRows = this.#leftOut.hasBadRowFrom(nextOffsets)
        const status = this.#status
        status.committedAt = clock.now()
        status.commitMs = status.committedAt - startedAt
        status.committedOffset = checkpoint.nextOffset
        status.archiveNextOffset = checkpoint.archiveNextOffset
        status.deadLetters += checkpoint.deadLetters.length
        status.commits += 1
        this.#tally.committed(counts)
        status.operators = this.#tally.status()
        for (const [outlet, count] of results) status.outlets[outlet] = (status.outlets[outlet] ?? 0) + count
        for (const [input, { topic, partition }] of this.#cursors.entries())
          if (topic === this.#id.topic) this.#options.onCommit(partition, nextOffsets[input] as number)
      }),
    )
  }

  #positions(nextOffsets: readonly number[]): readonly InputPosition[] {
    return this.#cursors.map((cursor, input) => {
      const { archive, logId } = cursor
      const nextOffset = nextOffsets[input] as number
      const leaderEpoch = cursor.epochBefore(nextOffset)
      return {
        nextOffset,
        archiveNextOffset: archive?.nextOffset ?? null,
        ...(logId === undefined ? {} : { logId }),
        ...(leaderEpoch === undefined ? {} : { leaderEpoch }),
      }
    })
  }

  /** @param isRendered whether bad rows were looked for before, so that none can be left */
  async #commit(claim: Claim, checkpoint: Checkpoint, cut: RefusedCheckpoint, isRendered: boolean): Promise<void> {
    try {
      await this.#options.store.commit(claim, checkpoint)
    } catch (error) {
      if (error instanceof ForeignRowsError) this.#learnElsewhere(error, cut)
      if (!(error instanceof BadRowError)) throw error
      if (isRendered) throw new ConfigurationError(error.message, { ...this.#id, cause: error })
      this.#leftOut.learnBadRow(cut.nextOffsets)
      throw new BadRowError(error.message, { ...this.#id, offset: checkpoint.nextOffset, cause: error })
    }
  }

  /** Throws where rows are refused that were to be set aside, so that another attempt would fail as well. */
  #learnElsewhere(error: ForeignRowsError, cut: RefusedCheckpoint): void {
    if (this.#elsewhere.learn(this.#id, error.rows, cut)) return
    throw new ConfigurationError(error.message, { ...this.#id, cause: error })
  }

  async #end(claim: Claim, task: StreamTask, reader: InputReader, mode: StopMode, backoff: Backoff): Promise<void> {
    if (mode === 'drain-and-close' && this.#recorded?.hasEnded !== true) {
      await this.#quiet.until(task.quiesce({ now: this.#options.clock.now(), isFinal: false }))
      this.order.did({ kind: 'end' })
      task.closeOpen()
    }
    if (mode !== 'now' && this.#archives.length > 0)
      await this.#finishArchives(mode === 'settle' ? settleWithinMs : null)
    await this.#cut(claim, task, reader, true, backoff)
    await this.#commits.wait()
    this.#progress?.progressed(true)
    if (this.#relays?.status.length === 0) return
    await this.#finishRelays()
  }

  /** @param withinMs after which the object is left to the next start, which makes it anew from the log; null to wait for as long as it takes */
  async #finishArchives(withinMs: number | null): Promise<void> {
    this.#status.waitingFor = 'the archive to store its last object'
    const finish = (signal: AbortSignal) => Promise.all(this.#archives.map(({ writer }) => writer.finish(signal)))
    if (withinMs === null) {
      await finish(this.#signal)
      return
    }
    const over = new AbortController()
    const finishing = finish(over.signal)
    await Promise.race([finishing, this.#options.clock.sleep(withinMs, over.signal)])
    over.abort(sleptEnough)
    await finishing
  }

  /** Sends what is committed, and says meanwhile what keeps it from being sent. */
  async #finishRelays(): Promise<void> {
    const relays = this.#relays
    const over = new AbortController()
    const tell = async () => {
      while (!over.signal.aborted) {
        this.#status.waitingFor = relays?.waitingFor ?? 'outlets to send what is committed'
        await this.#options.clock.sleep(tellEveryMs, over.signal)
      }
    }
    const telling = tell()
    try {
      await relays?.finish(this.#signal)
    } finally {
      over.abort(sleptEnough)
      await telling
    }
  }

  #archiveWaitingFor(): string | null {
    return this.#archives.map(({ writer }) => writer.waitingFor).find((text) => text !== null) ?? null
  }
}

/** Why no time is known that markers should tell; null where it is. */
function stuckTime(task: StreamTask): string | null {
  for (const [operator, { text, isStuck }] of task.timeHolders()) if (isStuck) return `${operator}: ${text}`
  return null
}

/** True where what has come together since the last checkpoint is as much as may wait for the next. */
function hasNoCredit(task: StreamTask, limits: WorkerLimits): boolean {
  return (
    task.uncutRecords >= limits.maxUncommittedRecords ||
    task.uncutBytes >= limits.maxUncommittedBytes ||
    task.uncutResults >= limits.maxUncommittedResults ||
    task.uncutResultBytes >= limits.maxUncommittedResultBytes
  )
}

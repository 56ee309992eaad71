import { BadRowError } from '../badRow.ts'
import { ConfigurationError } from '../errors.ts'
import type { MoreWait } from '../inputs/inputReader.ts'
import type { RefusedCheckpoint } from '../letters/elsewhere.ts'
import type { Checkpoint, InputPosition } from '../store/checkpoint.ts'
import { ForeignRowsError } from '../store/foreignRows.ts'
import type { TaskCut } from '../task/taskCut.ts'
import type { Attempt } from './attempt.ts'
import { CommitSlot } from './commitSlot.ts'
import type { OperatorCounts } from './operatorTally.ts'

/** Provisional results may wait for their turn, so they are asked for at each cut for this long after the last record. */
const settleAfterMs = 2_000

/** What becomes of a checkpoint once it is stored. */
interface StoredCheckpoint {
  readonly checkpoint: Checkpoint & Pick<TaskCut, 'messages'>
  readonly nextOffsets: readonly number[]
  readonly results: ReadonlyMap<string, number>
  readonly counts: OperatorCounts
  /** ms UTC of processing time. */
  readonly startedAt: number
  /** Of the order of what was done. */
  readonly mark: number
}

/** The checkpoints of one attempt: when one is due, what is in it, and what its commit changes. One commit is under way at most; meanwhile the task goes on. */
export class AttemptCheckpoints {
  readonly #attempt: Attempt
  readonly #commits = new CommitSlot()
  #cutAt: number
  /** By input: where the task stood at the last cut. Empty before the first, which stores where the task begins. */
  #cutOffsets: readonly number[] = []
  /** Records in the commit under way. */
  #committingRecords = 0

  constructor(attempt: Attempt) {
    this.#attempt = attempt
    this.#cutAt = attempt.options.clock.now()
  }

  /** Throws what the last commit failed with. */
  check(): void {
    this.#commits.check()
  }

  /** Resolves when no commit is under way; rejects with what it failed with. */
  async wait(): Promise<void> {
    await this.#commits.wait()
  }

  /** Records that no commit has confirmed. */
  get uncommittedRecords(): number {
    return this.#committingRecords + this.#attempt.task.uncutRecords
  }

  /** Records are waited for until a cut is due. While a commit is under way none is made, so its end is what they are waited for. */
  get untilDue(): MoreWait {
    const { clock, limits } = this.#attempt.options
    const until = this.#commits.over
    const untilCutMs = this.#cutAt + limits.checkpointIntervalMs - clock.now()
    return { mostMs: until === null ? Math.max(untilCutMs, 1) : limits.fetchMaxWaitMs, until }
  }

  /** Cuts where that is due, and nothing keeps it from being committed at once. */
  async cutIfDue(): Promise<void> {
    if (this.#isDue() && this.#commits.isFree) await this.cutIfDirty()
  }

  /** A clock that was set back must not hold checkpoints up until it has caught up. Before a value that is left out none falls, so that it is met where it was. */
  #isDue(): boolean {
    const { task, leftOut, options } = this.#attempt
    if (leftOut.hasFrom(task.nextOffsets)) return false
    const sinceCutMs = options.clock.now() - this.#cutAt
    return sinceCutMs < 0 || sinceCutMs >= options.limits.checkpointIntervalMs
  }

  /** Cuts where there is something to be stored. */
  async cutIfDirty(): Promise<void> {
    const { task, options } = this.#attempt
    const hasObjects = this.#collectArchived()
    const isDirty = task.uncutRecords > 0 || task.uncutResults > 0 || hasObjects
    if (isDirty || (await this.#settlesMore())) await this.cut()
    else this.#cutAt = options.clock.now()
  }

  /** True where there is something to store though no record has come: results that waited for their turn, or a place behind what the log has nothing of. */
  async #settlesMore(): Promise<boolean> {
    const { task, cursors, quiet, options } = this.#attempt
    const now = options.clock.now()
    if (cursors.every(({ lastRecordAt }) => now - lastRecordAt >= settleAfterMs)) return false
    if (task.nextOffsets.some((offset, input) => offset !== this.#cutOffsets[input])) return true
    const when = { now, isFinal: false }
    if (task.isSynchronous) task.letGo(when)
    else await quiet.until(task.quiesce(when))
    return task.uncutResults > 0
  }

  /**
   * Cuts the task and starts the commit, after the one under way.
   * @param isFinal true where the task will not go on
   */
  async cut(isFinal = false): Promise<void> {
    const { options, task, recorded, archives, quiet, order, reader, answers, status } = this.#attempt
    const { clock } = options
    await this.#commits.wait()
    await recorded?.takePassed(clock.now())
    this.#collectArchived()
    const objects = archives.flatMap((archive) => archive.takeObjects())
    const startedAt = clock.now()
    this.#committingRecords = task.uncutRecords
    const when = { now: startedAt, isFinal }
    const taken = task.isSynchronous ? task.cut(when) : await quiet.until(task.cutWhenQuiet(when))
    const { otherOffsets, results, makers, ...cut } = taken
    const mark = order.mark()
    const nextOffsets = [cut.nextOffset, ...otherOffsets]
    const [lead, ...others] = this.#positions(nextOffsets)
    const mergeNotes = reader.takeNotes()
    const checkpoint = {
      ...cut,
      ...(lead as InputPosition),
      ...(others.length === 0 ? {} : { others }),
      ...(mergeNotes.length === 0 ? {} : { mergeNotes }),
      objects,
    }
    this.#cutOffsets = nextOffsets
    answers.forgetBefore(nextOffsets)
    const counts = task.operatorCounts()
    this.#cutAt = startedAt
    status.watermark = checkpoint.watermark
    const stored = { checkpoint, nextOffsets, results, counts, startedAt, mark }
    const refusable = { writes: cut.writes, makers, nextOffsets }
    this.#commits.start(this.#commit(checkpoint, refusable, task.rendersRows).then(() => this.#committed(stored)))
  }

  #collectArchived(): boolean {
    return this.#attempt.archives.map((archive) => archive.collect()).includes(true)
  }

  #positions(nextOffsets: readonly number[]): readonly InputPosition[] {
    return this.#attempt.cursors.map((cursor, input) => {
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
  async #commit(checkpoint: Checkpoint, cut: RefusedCheckpoint, isRendered: boolean): Promise<void> {
    const { id, options, claim, leftOut } = this.#attempt
    try {
      await options.store.commit(claim, checkpoint)
    } catch (error) {
      if (error instanceof ForeignRowsError) this.#learnElsewhere(error, cut)
      if (!(error instanceof BadRowError)) throw error
      if (isRendered) throw new ConfigurationError(error.message, { ...id, cause: error })
      leftOut.learnBadRow(cut.nextOffsets)
      throw new BadRowError(error.message, { ...id, offset: checkpoint.nextOffset, cause: error })
    }
  }

  /** Throws where rows are refused that were to be set aside, so that another attempt would fail as well. */
  #learnElsewhere(error: ForeignRowsError, cut: RefusedCheckpoint): void {
    const { id, elsewhere } = this.#attempt
    if (elsewhere.learn(id, error.rows, cut)) return
    throw new ConfigurationError(error.message, { ...id, cause: error })
  }

  #committed(stored: StoredCheckpoint): void {
    const { task, order, relays, backoff, leftOut, elsewhere } = this.#attempt
    const { checkpoint, nextOffsets, mark } = stored
    const records = this.#committingRecords
    this.#committingRecords = 0
    order.forget(mark)
    relays.committed(checkpoint.messages)
    backoff.reset()
    leftOut.forgetBefore(nextOffsets)
    if (leftOut.isEmpty) {
      task.stopWatching()
      order.repeatsNoMore()
    }
    elsewhere.committed(nextOffsets)
    task.rendersRows = leftOut.hasBadRowFrom(nextOffsets)
    this.#tell(records, stored)
  }

  #tell(records: number, { checkpoint, nextOffsets, results, counts, startedAt }: StoredCheckpoint): void {
    const { id, options, cursors, status, tally } = this.#attempt
    status.records += records
    status.committedAt = options.clock.now()
    status.commitMs = status.committedAt - startedAt
    status.committedOffset = checkpoint.nextOffset
    status.archiveNextOffset = checkpoint.archiveNextOffset
    status.deadLetters += checkpoint.deadLetters.length
    status.commits += 1
    tally.committed(counts)
    status.operators = tally.status()
    for (const [outlet, count] of results) status.outlets[outlet] = (status.outlets[outlet] ?? 0) + count
    for (const [input, { topic, partition }] of cursors.entries())
      if (topic === id.topic) options.onCommit(partition, nextOffsets[input] as number)
  }
}

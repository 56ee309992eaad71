import type { ArchiveTap } from '../inputs/archiveTap.ts'
import type { InputCursor } from '../inputs/inputCursor.ts'
import { openCursors, refuseLostEnd, refuseOtherLog, refuseOtherPartitions } from '../inputs/openCursors.ts'
import { RepeatedOrder, TakenOrder } from '../inputs/takenOrder.ts'
import { Relays } from '../outlets/relays.ts'
import { taskCount } from '../pipeline/wholeInputs.ts'
import { nameToday } from '../state/renamedOperators.ts'
import { StreamTask } from '../task/streamTask.ts'
import type { Attempt, AttemptContext } from './attempt.ts'
import { AttemptCheckpoints } from './attemptCheckpoints.ts'
import { AttemptCredit } from './attemptCredit.ts'
import { sendRest, storeRest } from './attemptEnd.ts'
import { openArchives, openReader, seek } from './openInputs.ts'
import { OperatorTally } from './operatorTally.ts'
import { ProgressReport } from './progressReport.ts'
import { QuietWait } from './quietWait.ts'
import { ReadLoop } from './readLoop.ts'
import { RecordedAnswers } from './recordedAnswers.ts'
import { RecordedSteps } from './recordedSteps.ts'
import type { StopMode } from './stopMode.ts'
import { UnpromptedTime } from './unpromptedTime.ts'

/** What a runner gives each attempt. */
export type AttemptOptions = Omit<AttemptContext, 'quiet' | 'tally' | 'order'>

/**
 * One life of a task, from its claim to its end or its first failure.
 *
 * Memory is bounded by credit: with so many records or results uncommitted, by their number or their bytes, or an archive without room, nothing more is fetched. One commit is under way
 * at most; meanwhile the task goes on, and what it emits belongs to the next checkpoint.
 */
export class TaskAttempt {
  /** What it did since its last checkpoint, for another attempt. */
  readonly order = new TakenOrder()
  readonly #context: AttemptContext
  #task: StreamTask | null = null
  #cursors: readonly InputCursor[] = []
  #archives: readonly ArchiveTap[] = []
  #relays: Relays | null = null

  constructor(given: AttemptOptions) {
    const { id, options, status, signal } = given
    const quiet = new QuietWait(id, options.clock, status, signal)
    this.#context = { ...given, quiet, tally: new OperatorTally(status.operators), order: this.order }
  }

  async run(stopMode: () => StopMode | null): Promise<void> {
    const attempt = await this.#open()
    const { status, options, claim, task, cursors, tally } = attempt
    const checkpoints = new AttemptCheckpoints(attempt)
    const credit = new AttemptCredit(attempt, checkpoints)
    const time = new UnpromptedTime(attempt)
    const progress = new ProgressReport(status, options.clock, task, cursors, tally)
    progress.started(claim)
    await new ReadLoop(attempt, checkpoints, credit, time, progress).run(stopMode)
    await storeRest(attempt, checkpoints, time, stopMode() ?? 'now')
    progress.progressed(true)
    await sendRest(attempt)
  }

  /** Lets go of everything; what was not committed is read again. */
  async close(): Promise<void> {
    this.#task?.abandon()
    for (const { writer } of this.#archives) writer.abandon()
    await this.#relays?.close()
    await Promise.all(this.#cursors.map(({ reader }) => reader.close()))
  }

  /** Claims the task, restores it and opens all that it reads and writes, at the places where it stands. */
  async #open(): Promise<Attempt> {
    const { id, options, status, leftOut, elsewhere } = this.#context
    const { pipeline, source, store, clock, limits, inputs, replayOf, from = 'earliest' } = options
    status.phase = 'claiming'
    const tasks = (await source.partitions()).length
    const claim = await store.claim(id, tasks, pipeline.partitionGrowth)
    const cursors = await openCursors(id, options, claim.restored === null ? from : 'earliest')
    this.#cursors = cursors
    refuseOtherPartitions(id, cursors, claim.restored)
    refuseOtherLog(id, cursors, claim.restored)
    await refuseLostEnd(id, cursors, claim.restored)
    const recordedOf = replayOf === undefined ? null : { ...id, pipeline: replayOf }
    const { order } = leftOut
    if (order !== null) this.order.repeats(order)
    const answers = new RecordedAnswers(
      store,
      recordedOf ?? id,
      (operator) => nameToday(operator, pipeline),
      this.order,
      order,
    )
    const begins = cursors.map(({ begin }) => begin)
    const task = new StreamTask(pipeline, claim.restored, begins, limits, inputs, {
      ...{ clock, tasks: taskCount(pipeline, tasks), task: id.partition, topic: id.topic, answers },
      openPacker: store.openPacker,
    })
    this.#task = task
    const recorded = recordedOf === null ? null : new RecordedSteps(store, recordedOf, task)
    // A replay takes everything where it was taken, whatever fails.
    const repeated = recordedOf === null && order !== null ? new RepeatedOrder(order, task.nextOffsets) : null
    task.rendersRows = leftOut.hasBadRowFrom(task.nextOffsets)
    if (!leftOut.isEmpty) task.startWatching(leftOut)
    task.leaveElsewhere(elsewhere)
    const restored = { claim, task, cursors }
    const archives = openArchives(this.#context, restored)
    this.#archives = archives
    seek(id, restored)
    const reader = await openReader(this.#context, restored, recordedOf, repeated)
    const relays = new Relays(claim, options.sendsNothing === true ? [] : task.sending, options)
    this.#relays = relays
    status.sending = relays.status
    return { ...this.#context, ...restored, reader, archives, relays, answers, recorded, repeated }
  }
}

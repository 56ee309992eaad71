import type { Clock } from '../clock.ts'
import type { InputCursor } from '../inputs/inputCursor.ts'
import type { Claim } from '../store/checkpoint.ts'
import type { StreamTask } from '../task/streamTask.ts'
import type { TaskStatus } from '../task/taskStatus.ts'
import type { OperatorTally } from './operatorTally.ts'

/** Inputs and operators are described at most this often. */
const describeEveryMs = 1_000

/** Tells the status of a task how far one attempt at it is. */
export class ProgressReport {
  readonly #status: TaskStatus
  readonly #clock: Clock
  readonly #task: StreamTask
  readonly #cursors: readonly InputCursor[]
  readonly #tally: OperatorTally
  #describedAt = Number.NEGATIVE_INFINITY

  constructor(
    status: TaskStatus,
    clock: Clock,
    task: StreamTask,
    cursors: readonly InputCursor[],
    tally: OperatorTally,
  ) {
    this.#status = status
    this.#clock = clock
    this.#task = task
    this.#cursors = cursors
    this.#tally = tally
  }

  started(claim: Claim): void {
    const status = this.#status
    const [{ logEnd, archive }] = this.#cursors as [InputCursor]
    status.phase = 'running'
    status.waitingFor = null
    status.generation = claim.generation
    if (status.firstGeneration === 0) status.firstGeneration = claim.generation
    status.nextOffset = this.#task.nextOffset
    status.committedOffset = this.#task.nextOffset
    status.logEndOffset = logEnd
    status.watermark = claim.restored?.watermark ?? null
    status.archiveNextOffset = archive?.nextOffset ?? null
  }

  /** @param isLast true where nothing will be told any more, so that what is told is the present */
  progressed(isLast = false): void {
    const status = this.#status
    const [{ logEnd }] = this.#cursors as [InputCursor]
    status.nextOffset = this.#task.nextOffset
    if (logEnd > status.logEndOffset) status.logEndOffset = logEnd
    const now = this.#clock.now()
    const sinceMs = now - this.#describedAt
    if (!isLast && sinceMs >= 0 && sinceMs < describeEveryMs) return
    this.#describedAt = now
    this.#tally.look(this.#task)
    status.operators = this.#tally.status()
    status.inputs = this.#cursors.map(({ input: { name, movesTime }, topic, logEnd: end }, i) => ({
      name,
      topic,
      movesTime,
      nextOffset: this.#task.nextOffsets[i] as number,
      logEndOffset: end,
    }))
  }
}

import { LeftOutValues } from '../../runtime/letters/leftOutValues.ts'
import { StepFailure } from '../../runtime/letters/stepFailure.ts'
import type { RecordBatch } from '../../runtime/log/log.ts'
import { ReadAhead } from '../../runtime/log/readAhead.ts'
import type { RecordView } from '../../runtime/log/record.ts'
import type { Cut } from '../../runtime/operator/operator.ts'
import type { Pipeline } from '../../runtime/pipeline/pipeline.ts'
import { framesOf, keptFrames } from '../../runtime/state/frameChain.ts'
import type { SavedCheckpoint, StateFrame } from '../../runtime/store/checkpoint.ts'
import type { StreamTask } from '../../runtime/task/streamTask.ts'
import type { TaskCut } from '../../runtime/task/taskCut.ts'
import { watchedTask } from './watchedTask.ts'

/** Something that is done to a task. */
type Step = (task: StreamTask) => void

/**
 * A task that can be made again at any time, from its last checkpoint and what has been done to it since; a worker does so with a crashed one, and
 * with one in which a step has failed on a value, which is then left out.
 */
export class ReplayedTask {
  task: StreamTask
  readonly #pipeline: Pipeline
  readonly #run: <T>(act: () => T) => T
  readonly #leftOut = new LeftOutValues()
  #steps: Step[] = []
  #saved: SavedCheckpoint | null = null
  /** Where operators are lent the values of records, as a worker does with those that it has read ahead; null where each gets values of its own. */
  readonly #ahead: ReadAhead | null

  /**
   * @param run runs whatever is done to the task
   * @param lends whether values are lent
   */
  constructor(pipeline: Pipeline, run: <T>(act: () => T) => T, lends: boolean) {
    this.#ahead = lends ? new ReadAhead(1) : null
    this.#pipeline = pipeline
    this.#run = run
    this.task = watchedTask(pipeline, null)
  }

  push(record: RecordView, input: number): void {
    const ahead = this.#ahead
    this.#do((task) => {
      if (ahead === null || !task.mayLend) task.push(record, input)
      else if (ahead.next(batchOf(record))) task.pushAhead(ahead, input, null, null)
    })
  }

  act(act: (task: StreamTask) => void): void {
    this.#do(act)
  }

  /** Cuts the task; null where asynchronous work is under way. */
  cut(cut: Cut): TaskCut | null {
    let taken: TaskCut | null = null
    const attempt = (task: StreamTask) => {
      task.letGo(cut)
      taken = task.isSettled ? task.cut(cut) : null
    }
    this.#steps.push(attempt)
    this.#replayWhereFailed(() => this.#run(() => attempt(this.task)))
    this.#steps.pop()
    return taken
  }

  /** Saves the cut, turned into bytes, and goes on in a new task that is restored from it. */
  save(cut: TaskCut): void {
    const { nextOffset, otherOffsets, watermark } = cut
    const others = otherOffsets.map((offset) => ({ nextOffset: offset, archiveNextOffset: null }))
    this.#saved = {
      nextOffset,
      watermark,
      archiveNextOffset: null,
      ...(others.length === 0 ? {} : { others }),
      state: keptFrames(this.#saved?.state ?? [], framesOf(cut).map(throughBytes)),
    }
    this.#steps = []
    this.#leftOut.forgetBefore([nextOffset, ...otherOffsets])
    this.restore()
  }

  /** Loses the task and does what was done since its last checkpoint again, in a new one. */
  restore(): void {
    this.task.abandon()
    this.#replayWhereFailed(() => this.#replay())
  }

  async settle(): Promise<void> {
    await this.task.settle()
  }

  #do(step: Step): void {
    this.#steps.push(step)
    this.#replayWhereFailed(() => this.#run(() => step(this.task)))
  }

  #replay(): void {
    this.task = watchedTask(this.#pipeline, this.#saved)
    if (!this.#leftOut.isEmpty) this.task.startWatching(this.#leftOut)
    for (const step of this.#steps) this.#run(() => step(this.task))
  }

  #replayWhereFailed(act: () => void): void {
    let next = act
    for (;;) {
      try {
        next()
        return
      } catch (error) {
        if (!(error instanceof StepFailure) || !this.#leftOut.learn(error, null)) throw error
        next = () => this.#replay()
      }
    }
  }
}

function batchOf(record: RecordView): RecordBatch {
  let isRead = false
  return {
    ...{ partition: 0, nextOffset: record.offset + 1, byteLength: record.buffer.length },
    read(view) {
      if (isRead) return false
      isRead = true
      Object.assign(view, record)
      return true
    },
  }
}

/** What a store does to a frame: text to bytes and back, so that nothing of the living state is shared. */
function throughBytes(frame: StateFrame): StateFrame {
  return { kind: frame.kind, body: Buffer.from(frame.body, 'utf8').toString('utf8') }
}

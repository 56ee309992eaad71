import type { CheckpointStore, RecordedStep, TaskId } from './checkpoint.ts'
import type { StreamTask } from './streamTask.ts'

const pageSteps = 10_000

/** The steps of time that an earlier run took without a record, ends of its input included, for the one that repeats it: each is taken at the offset where it was. */
export class RecordedSteps {
  readonly #store: CheckpointStore
  readonly #of: TaskId
  readonly #task: StreamTask
  #page: readonly RecordedStep[] = []
  #next = 0
  #last: RecordedStep
  #isLastPage = false

  constructor(store: CheckpointStore, of: TaskId, task: StreamTask) {
    this.#store = store
    this.#of = of
    this.#task = task
    // A step at the offset itself that the restored state has in it moves nothing any more.
    this.#last = { offset: task.nextOffset - 1, watermark: Number.MAX_SAFE_INTEGER, isEnd: true }
  }

  /** True once there is none left. */
  get isOver(): boolean {
    return this.#isLastPage && this.#next === this.#page.length
  }

  /** False when no step has to be taken before the record at the offset. */
  isDueBefore(offset: number): boolean {
    const step = this.#page[this.#next]
    return step === undefined ? !this.#isLastPage : step.offset <= offset
  }

  /** @param now processing time, ms UTC, which only provisional results see */
  async takeUpTo(offset: number, now: number): Promise<void> {
    while (this.isDueBefore(offset)) {
      const step = this.#page[this.#next]
      if (step === undefined) await this.#readPage()
      else {
        await this.#task.quiesce({ now, isFinal: false })
        if (step.isEnd) this.#task.closeOpen()
        else this.#task.advanceIdle(step.watermark)
        this.#last = step
        this.#next += 1
      }
    }
  }

  async #readPage(): Promise<void> {
    this.#page = await this.#store.recordedSteps(this.#of, this.#last, pageSteps)
    this.#next = 0
    this.#isLastPage = this.#page.length < pageSteps
  }
}

import type { CheckpointStore, RecordedStep, TaskId } from '../store/checkpoint.ts'
import type { StreamTask } from '../task/streamTask.ts'

const pageSteps = 10_000

/** The steps of time that an earlier run took without a record, ends of its input included, for the one that repeats it: each is taken at the place where it was. */
export class RecordedSteps {
  readonly #store: CheckpointStore
  readonly #of: TaskId
  readonly #task: StreamTask
  /** Where a task without any step in its state begins: steps below are not its own. */
  readonly #start: readonly number[] | null
  #page: readonly RecordedStep[] = []
  #next = 0
  #last: RecordedStep
  #isLastPage = false
  /** Where the input was declared ended last. */
  #endedAt: RecordedStep | null = null

  constructor(store: CheckpointStore, of: TaskId, task: StreamTask) {
    this.#store = store
    this.#of = of
    this.#task = task
    this.#start = task.steps === 0 ? [...task.nextOffsets] : null
    // With several inputs the state says by number which steps it has in it, for their gaps are skipped at other places than in the earlier run. With
    // one, it has all below its place (`takePassed`); a step at the place itself that it has moves nothing any more.
    const offset = task.steps === 0 ? task.nextOffset - 1 : Number.MAX_SAFE_INTEGER
    this.#last = { sequence: task.steps, offset, watermark: Number.MAX_SAFE_INTEGER, isEnd: true }
  }

  /** True once there is none left. */
  get isOver(): boolean {
    return this.#isLastPage && this.#next === this.#page.length
  }

  /** False when no step has to be taken before the record. */
  isDueBefore(input: number, offset: number): boolean {
    const step = this.#page[this.#next]
    return step === undefined ? !this.#isLastPage : placeOf(step, input) <= offset
  }

  /** Where in the input the next step is due, once those before the record at hand were taken; infinite where none is left. */
  dueAt(input: number): number {
    const step = this.#page[this.#next]
    return step === undefined ? Number.POSITIVE_INFINITY : placeOf(step, input)
  }

  /** @param now processing time, ms UTC, which only provisional results see */
  async takeBefore(input: number, offset: number, now: number): Promise<void> {
    while (this.isDueBefore(input, offset)) await this.#take(now)
  }

  /** True where the input was declared ended and nothing has come since. */
  get hasEnded(): boolean {
    const ended = this.#endedAt
    return ended !== null && this.#task.nextOffsets.every((offset, input) => placeOf(ended, input) === offset)
  }

  /** Takes those up to where the task stands. */
  async takeDue(now: number): Promise<void> {
    const { nextOffsets } = this.#task
    while (nextOffsets.every((offset, input) => this.isDueBefore(input, offset))) await this.#take(now)
  }

  /** Takes those below where the task stands: a gap of the log was skipped beyond their place, and a checkpoint here would lose them. */
  async takePassed(now: number): Promise<void> {
    const { nextOffsets } = this.#task
    const isPassed = () => {
      const step = this.#page[this.#next]
      if (step === undefined) return !this.#isLastPage
      const places = nextOffsets.map((_, input) => placeOf(step, input))
      return (
        places.every((at, i) => at <= (nextOffsets[i] as number)) &&
        places.some((at, i) => at < (nextOffsets[i] as number))
      )
    }
    while (isPassed()) await this.#take(now)
  }

  async #take(now: number): Promise<void> {
    const step = this.#page[this.#next]
    if (step === undefined) return this.#readPage()
    await this.#task.quiesce({ now, isFinal: false })
    if (step.isEnd) this.#endedAt = step
    if (step.isEnd) this.#task.closeOpen()
    else this.#task.advanceIdle(step.watermark, step.clock)
    this.#next += 1
  }

  async #readPage(): Promise<void> {
    const steps = await this.#store.recordedSteps(this.#of, this.#last, pageSteps)
    this.#last = steps.at(-1) ?? this.#last
    this.#page = steps.filter((step) => this.#start?.every((offset, input) => placeOf(step, input) >= offset) !== false)
    this.#next = 0
    this.#isLastPage = steps.length < pageSteps
  }
}

function placeOf({ offset, otherOffsets = [] }: RecordedStep, input: number): number {
  return input === 0 ? offset : (otherOffsets[input - 1] ?? 0)
}

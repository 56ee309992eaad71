import type { TaskOutlets } from './taskOutlets.ts'
import type { TaskSurroundings } from './taskSurroundings.ts'
import type { MarkedMoment, TaskTime } from './taskTime.ts'

/** The markers that a task writes among the messages of its outlets: they tell those below how far its time is. */
export class TaskMarkers {
  readonly #outlets: TaskOutlets
  readonly #time: TaskTime
  readonly #pipeline: string
  readonly #topic: string
  readonly #surroundings: TaskSurroundings

  /** @param topic the leading one, as the pipeline names it */
  constructor(outlets: TaskOutlets, time: TaskTime, pipeline: string, topic: string, surroundings: TaskSurroundings) {
    this.#outlets = outlets
    this.#time = time
    this.#pipeline = pipeline
    this.#topic = topic
    this.#surroundings = surroundings
  }

  /** How many are due. */
  get due(): number {
    return this.#dueMoment() === null ? 0 : this.#outlets.marked.length
  }

  /** Writes those that are due, each behind all that its outlet has sent before. */
  write(): void {
    const moment = this.#dueMoment()
    if (moment === null) return
    const { task, tasks, topic } = this.#surroundings
    this.#outlets.mark({ ...moment, topic: topic ?? this.#topic, task, tasks, pipeline: this.#pipeline })
    this.#time.marked(moment)
  }

  #dueMoment(): MarkedMoment | null {
    return this.#outlets.marked.length === 0 ? null : this.#time.unmarked
  }
}

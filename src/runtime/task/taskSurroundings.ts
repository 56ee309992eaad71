import { type Clock, systemClock } from '../clock.ts'
import type { Logic, OperatorSpec } from '../operator/operator.ts'
import { type AnswerBook, noAnswers } from '../store/answers.ts'
import type { OpenPacker } from '../store/packedRows.ts'

/** What a task is told of where it runs: for the markers that it writes, for operators that call somebody outside, and for who looks on. */
export interface TaskSurroundings {
  readonly clock: Clock
  /** How many tasks the pipeline has. */
  readonly tasks: number
  /** Which of them it is, by its number and the leading topic. */
  readonly task: number
  /** Null for the topic that the pipeline names. */
  readonly topic: string | null
  /** What they were answered when the records were read before. */
  readonly answers: AnswerBook
  /** Of the store, where it takes rows of append tables packed. */
  readonly openPacker?: OpenPacker | undefined
  /** Called with each logic before it is used, for whoever watches the operators. */
  readonly watch?: (spec: OperatorSpec, logic: Logic<never>) => void
  /** True for an error that ends the task, whatever value it came with and whatever the pipeline says of such errors. */
  readonly isFatal?: (error: unknown) => boolean
}

/** Those of a single task. */
export const alone: TaskSurroundings = { clock: systemClock, tasks: 1, task: 0, topic: null, answers: noAnswers }

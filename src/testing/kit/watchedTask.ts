import { MillraceError } from '../../runtime/errors.ts'
import type { Logic, OperatorSpec } from '../../runtime/operator/operator.ts'
import { inputsOf, type Pipeline } from '../../runtime/pipeline/pipeline.ts'
import { noAnswers } from '../../runtime/store/answers.ts'
import type { SavedCheckpoint } from '../../runtime/store/checkpoint.ts'
import { StreamTask } from '../../runtime/task/streamTask.ts'
import type { TaskSurroundings } from '../../runtime/task/taskSurroundings.ts'
import { defaultLimits } from '../../runtime/task/workerLimits.ts'
import { inOperator, Poisoned, withPoison } from './poison.ts'

const reactions = ['onValue', 'onTimer', 'onWatermark', 'onIdle', 'onCut', 'onComplete', 'look', 'take'] as const

/** Puts itself around an operator's reactions, so that it is known at any moment which one is at work and a poisoned global can name it. */
function watch(spec: OperatorSpec, logic: Logic<never>): void {
  // The node takes the methods off the logic afterwards, so replacing them there is enough.
  const watched = logic as unknown as Record<string, ((...values: unknown[]) => unknown) | undefined>
  for (const reaction of reactions) {
    const original = watched[reaction]
    if (original === undefined) continue
    watched[reaction] = (...values) => inOperator(spec.name, () => original.apply(logic, values))
  }
}

/** A test waits for no rate of calls, and looks on. */
const unhurried: TaskSurroundings = {
  clock: { now: () => 0, sleep: () => Promise.resolve() },
  tasks: 1,
  task: 0,
  topic: null,
  answers: noAnswers,
  watch,
  // What a test must see is no value that the pipeline has failed on.
  isFatal: isOfTheTest,
}

/** What any state is larger than, so that it is written in portions as a large one is. */
const limits = { ...defaultLimits, statePortionBytes: 64 }

/** Builds a watched task from what was saved, or one that begins at the first record of each input. */
export function watchedTask(pipeline: Pipeline, saved: SavedCheckpoint | null): StreamTask {
  const starts = inputsOf(pipeline).map(() => 0)
  const task = new StreamTask(pipeline, saved, starts, limits, inputsOf(pipeline), unhurried)
  task.rendersRows = true
  return task
}

/** Runs a step of the task under poison. A failed assertion inside the graph comes out as itself, to end the test. */
export function poisoned<T>(act: () => T): T {
  try {
    return withPoison(act)
  } catch (error) {
    if (error instanceof MillraceError && error.cause instanceof Error && isOfTheTest(error.cause)) throw error.cause
    throw error
  }
}

/** A failed assertion inside the graph, or the poison's own word. */
function isOfTheTest(error: unknown): error is Error {
  return (
    error instanceof Poisoned ||
    (error instanceof Error && (error.name === 'AssertionError' || 'matcherResult' in error))
  )
}

import type { SavedCheckpoint } from '../../runtime/checkpoint.ts'
import { MillraceError } from '../../runtime/errors.ts'
import type { Logic, OperatorSpec } from '../../runtime/operator.ts'
import type { Outlets, Pipeline } from '../../runtime/pipeline.ts'
import { StreamTask } from '../../runtime/streamTask.ts'
import { inOperator, withPoison } from './poison.ts'

/** A task that knows at any moment which operator is at work, so that a poisoned global can name it. */
class WatchedTask extends StreamTask {
  override bind(spec: OperatorSpec, logic: Logic<never>): void {
    // The operator calls its logic through the object, so replacing the methods there is enough.
    const watched = logic as { -readonly [K in keyof Logic<never>]: Logic<never>[K] }
    const { onValue, onWatermark, onCut } = logic
    watched.onValue = (value) => inOperator(spec.name, () => onValue.call(logic, value))
    if (onWatermark !== undefined) {
      watched.onWatermark = (watermark) => inOperator(spec.name, () => onWatermark.call(logic, watermark))
    }
    if (onCut !== undefined) watched.onCut = (cut) => inOperator(spec.name, () => onCut.call(logic, cut))
    super.bind(spec, logic)
  }
}

/** Builds a watched task from what was saved. */
export function watchedTask(
  pipeline: Pipeline<Outlets>,
  saved: SavedCheckpoint | null,
  startOffset: number,
): StreamTask {
  return new WatchedTask(pipeline, saved, startOffset)
}

/** Runs a step of the task under poison. A failed assertion inside the graph comes out as itself, to end the test. */
export function poisoned<T>(act: () => T): T {
  try {
    return withPoison(act)
  } catch (error) {
    if (error instanceof MillraceError && error.cause instanceof Error && !(error.cause instanceof MillraceError)) {
      throw error.cause
    }
    throw error
  }
}

import { OperatorError } from '../errors.ts'

/** A value came while nothing should be on its way. */
export function emitsAtRest(name: string): OperatorError {
  return new OperatorError(
    `${name}: a value arrived while the task was at rest, so some operator above it emits on its own (delay, debounceTime, ` +
      'observeOn, concatMap or mergeMap with a promise) or while the graph is built (startWith, of). Use mapAsync for asynchronous work, and event time for timers.',
  )
}

/** Rows that are let go at cuts meet others in a table in which one replaces the other. */
export function mixesRows(outlet: string): OperatorError {
  return new OperatorError(
    `${outlet}: rows that mapAsync or batchFlush let go at checkpoints meet others here, and which of two rows of one key is the later one would be chance. ` +
      'Merge above it, or end the two streams in tables of their own.',
  )
}

/** A step of RxJS holds values back that the checkpoint does not have. */
export function putsOff(): OperatorError {
  return new OperatorError(
    'an operator of RxJS in the pipeline puts values off to another time (delay, debounceTime, auditTime, bufferTime, observeOn, interval), so they would be missing ' +
      'from the checkpoint. Use mapAsync for asynchronous work, and event time for timers.',
  )
}

/** Why a redriven record is set aside again. */
export const notThere =
  'did not come there: the operators between hold what was made of it the first time (a window, a batch), or it no longer passes a step above'

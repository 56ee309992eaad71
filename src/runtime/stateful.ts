import { Observable, type OperatorFunction } from 'rxjs'
import { currentTask, runningTask } from './currentTask.ts'
import { ConfigurationError } from './errors.ts'
import { subscribeFree } from './freeOperator.ts'
import type { BuildLogic, OperatorSpec } from './operator.ts'
import { subscribeIn } from './taskOperator.ts'

/**
 * The one primitive behind every stateful operator: plain values in, plain values out.
 *
 * In a task the state belongs to the task: it is restored when the graph is built and saved at each checkpoint. Outside a task it lives with the
 * subscription, and time comes from the `eventTime` above. An exception of the logic ends the stream with that error.
 */
export function stateful<I, O>(spec: OperatorSpec, build: BuildLogic<I, O>): OperatorFunction<I, O> {
  if (spec.name === '') throw new ConfigurationError('an operator needs a name that is not empty')
  return (source) =>
    new Observable<O>((subscriber) => {
      const task = currentTask() ?? runningTask()
      return task === null
        ? subscribeFree(spec, build, source, subscriber)
        : subscribeIn(task, spec, build, source, subscriber)
    })
}

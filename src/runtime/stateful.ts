import type { OperatorFunction } from 'rxjs'
import { currentTask, runningTask } from './currentTask.ts'
import { ConfigurationError } from './errors.ts'
import { NamedObservable } from './namedObservable.ts'
import type { BuildLogic, OperatorSpec } from './operator.ts'
import { subscribePlain } from './plainGraph.ts'

/**
 * The one primitive behind every stateful operator: plain values in, plain values out.
 *
 * In a task the state belongs to the task: it is restored when the graph is built and saved at each checkpoint. Outside a task it lives with the
 * subscription, and time comes from the `eventTime` above. On the same values both give the same results, in the same order. A value goes on before
 * the watermark that it causes does. What the logic throws sets the value aside in a task (`Pipeline.onError`); outside of one it goes to `onReject`, or
 * ends the stream. Keeps what the logic keeps, and lets go of it with the task or the subscription.
 * @throws ConfigurationError on an empty name, or options that contradict each other
 */
export function stateful<I, O>(spec: OperatorSpec, build: BuildLogic<I, O>): OperatorFunction<I, O> {
  if (spec.name === '') throw new ConfigurationError('an operator needs a name that is not empty')
  if (spec.concurrency !== undefined && !(Number.isSafeInteger(spec.concurrency) && spec.concurrency >= 1)) {
    throw new ConfigurationError(`${spec.name}: concurrency must be a positive integer, got ${spec.concurrency}`)
  }
  if (spec.perSecond !== undefined && !(spec.perSecond > 0 && Number.isFinite(spec.perSecond))) {
    throw new ConfigurationError(`${spec.name}: perSecond must be a positive number, got ${spec.perSecond}`)
  }
  const node = { kind: 'operator', name: spec.name, ...(spec.isTable === true ? { isTable: true } : {}) } as const
  return (source) =>
    new NamedObservable<O>(node, (subscriber) => {
      const task = currentTask() ?? runningTask()
      return task === null
        ? subscribePlain(spec, build, source, subscriber)
        : task.subscribe(spec, build, source, subscriber)
    })
}

import type { OperatorFunction } from 'rxjs'
import { ConfigurationError } from '../errors.ts'
import { NamedObservable } from '../graph/namedObservable.ts'
import { checkArgument, checkMethods, checkOptions, needed, type OptionRules, optional } from '../options.ts'
import type { SpanLogic } from '../spans/span.ts'
import { currentTask, runningTask } from './currentTask.ts'
import type { BuildLogic, OperatorSpec } from './operator.ts'
import { subscribePlain } from './plainGraph.ts'

const rules: OptionRules<OperatorSpec> = {
  name: needed.text,
  version: optional.number,
  shape: optional.such('JSON', (value) => typeof value !== 'function'),
  migrate: optional.callback,
  ownsTime: optional.flag,
  isLoose: optional.flag,
  isOrderFree: optional.flag,
  meeting: optional.record,
  isTable: optional.flag,
  needsMerge: optional.flag,
  needsWithdraw: optional.flag,
  readsMarkers: optional.flag,
  isUnsettled: optional.flag,
  takesUnsettled: optional.such("a flag, 'withdrawn' or a function", (value) => {
    return typeof value === 'boolean' || value === 'withdrawn' || typeof value === 'function'
  }),
  passesRedriven: optional.flag,
  takesLent: optional.flag,
  readsAhead: optional.flag,
  concurrency: optional.number,
  recordsAnswers: optional.flag,
  perSecond: optional.number,
  onReject: optional.anyFunction,
}

const methods: Readonly<Record<keyof SpanLogic<never>, true>> = {
  onValue: true,
  onTimer: true,
  onWatermark: true,
  onIdle: true,
  onCut: true,
  onElsewhere: true,
  onComplete: true,
  onClose: true,
  snapshot: true,
  openUntil: true,
  hasEnded: true,
  heldBy: true,
  onMarker: true,
  look: true,
  take: true,
}

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
  checkOptions('stateful', spec, rules)
  checkArgument(`stateful '${spec.name}'`, 'its second argument, which makes the logic,', build, needed.callback)
  if (spec.concurrency !== undefined && !(Number.isSafeInteger(spec.concurrency) && spec.concurrency >= 1)) {
    throw new ConfigurationError(`${spec.name}: concurrency must be a positive integer, got ${spec.concurrency}`)
  }
  if (spec.perSecond !== undefined && !(spec.perSecond > 0 && Number.isFinite(spec.perSecond))) {
    throw new ConfigurationError(`${spec.name}: perSecond must be a positive number, got ${spec.perSecond}`)
  }
  const node = { kind: 'operator', name: spec.name, ...(spec.isTable === true ? { isTable: true } : {}) } as const
  const checkedBuild: BuildLogic<I, O> = (restored, out) => {
    const logic = build(restored, out)
    checkMethods(`stateful '${spec.name}': its logic`, logic, ['onValue'], Object.keys(methods))
    return logic
  }
  return (source) =>
    new NamedObservable<O>(
      node,
      (subscriber) => {
        const task = currentTask() ?? runningTask()
        return task === null
          ? subscribePlain(spec, checkedBuild, source, subscriber)
          : task.subscribe(spec, checkedBuild, source, subscriber)
      },
      { needsMerge: spec.needsMerge === true, needsWithdraw: spec.needsWithdraw === true },
    )
}

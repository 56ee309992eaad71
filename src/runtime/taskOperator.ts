import type { Observable, Subscriber } from 'rxjs'
import type { Origin } from './deadLetters.ts'
import { OperatorError } from './errors.ts'
import type { BuildLogic, OperatorSpec, Output } from './operator.ts'
import { emitAt, listener, noTimeAbove, Receiver } from './operatorChain.ts'
import type { StreamTask } from './streamTask.ts'
import type { TimeDomain } from './timeDomain.ts'

/** Binds an operator to the task that is being built: state restored and saved by the task, dead letters and time its own. */
export function subscribeIn<I, O>(
  task: StreamTask,
  spec: OperatorSpec,
  build: BuildLogic<I, O>,
  source: Observable<I>,
  subscriber: Subscriber<O>,
) {
  task.requireOpen(spec.name)
  const receiver = new Receiver<I, O>(subscriber, () => {
    throw new OperatorError(`${spec.name}: a value arrived while the graph was still being built`)
  })
  source.subscribe(receiver)
  // Upstream has bound itself during its own subscribe, so binding now makes the order of operators topological.
  const restored = task.restoredFor(spec)
  const out = new TaskOutput(spec.name, task, subscriber)
  const logic = build(restored, out)
  task.bind(spec, logic)
  if (logic.onWatermark !== undefined) task.time.add(listener(out, logic))
  const onValue = logic.onValue.bind(logic)
  receiver.handle = (value) => {
    if (task.isAtRest) throw task.restViolation(spec.name)
    onValue(value)
  }
  return receiver
}

class TaskOutput<O> implements Output<O> {
  watermark = Number.NEGATIVE_INFINITY
  readonly isInTask = true
  readonly #name: string
  readonly #task: StreamTask
  readonly #subscriber: Subscriber<O>

  constructor(name: string, task: StreamTask, subscriber: Subscriber<O>) {
    this.#name = name
    this.#task = task
    this.#subscriber = subscriber
    this.watermark = task.time.watermark
  }

  emit(value: O): void {
    this.#subscriber.next(value)
  }

  emitAt(eventTime: number, value: O): void {
    emitAt(this.#task.time, this.#subscriber, eventTime, value)
  }

  reject(reason: string, detail: string, origin?: Origin): void {
    this.#task.reject({ operator: this.#name, reason, detail }, origin)
  }

  origin(): Origin {
    return this.#task.originOf(this.#name)
  }

  during(origin: Origin, act: () => void): void {
    this.#task.during(origin, act)
  }

  valueTime(): number {
    const time = this.#task.time.valueTime
    if (Number.isNaN(time)) throw noTimeAbove(this.#name)
    return time
  }

  domain(): TimeDomain {
    return this.#task.time
  }
}

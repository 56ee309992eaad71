import type { Observable, Subscriber } from 'rxjs'
import type { Origin } from './deadLetters.ts'
import { KeyedState } from './keyedState.ts'
import type { BuildLogic, OperatorSpec, Output, Restored } from './operator.ts'
import { emitAt, listener, noTimeAbove, Receiver } from './operatorChain.ts'
import { activeTime, TimeDomain, type TimeListener } from './timeDomain.ts'

/** Runs an operator outside of a task: state lives with the subscription, time is that of the `eventTime` above. */
export function subscribeFree<I, O>(
  spec: OperatorSpec,
  build: BuildLogic<I, O>,
  source: Observable<I>,
  subscriber: Subscriber<O>,
) {
  const out = new FreeOutput(spec, subscriber)
  const logic = build(noneSaved, out)
  if (logic.onWatermark !== undefined) out.listener = listener(out, logic)
  const onValue = logic.onValue.bind(logic)
  const receiver = new Receiver<I, O>(
    subscriber,
    (value) => {
      if (out.isUnbound) out.bind()
      onValue(value)
    },
    logic.onComplete?.bind(logic),
  )
  receiver.add(() => out.unbind())
  source.subscribe(receiver)
  return receiver
}

const noneSaved: Restored = {
  snapshot: undefined,
  keyed: (codec) => new KeyedState(codec),
}

class FreeOutput<O> implements Output<O> {
  readonly isInTask = false
  readonly #spec: OperatorSpec
  readonly #subscriber: Subscriber<O>
  #domain: TimeDomain | null = null
  #hasWarned = false
  watermark = Number.NEGATIVE_INFINITY
  listener: TimeListener | null = null
  isUnbound = true

  constructor(spec: OperatorSpec, subscriber: Subscriber<O>) {
    this.#spec = spec
    this.#subscriber = subscriber
    if (spec.ownsTime === true) this.#domain = new TimeDomain()
  }

  bind(): void {
    this.isUnbound = false
    this.#domain ??= activeTime()
    if (this.listener !== null) this.domain().add(this.listener)
  }

  unbind(): void {
    if (this.listener !== null) this.#domain?.remove(this.listener)
  }

  emit(value: O): void {
    this.#subscriber.next(value)
  }

  emitAt(eventTime: number, value: O): void {
    emitAt(this.domain(), this.#subscriber, eventTime, value)
  }

  reject(reason: string, detail: string): void {
    const rejected = { operator: this.#spec.name, reason, detail }
    if (this.#spec.onReject !== undefined) this.#spec.onReject(rejected)
    else if (!this.#hasWarned) {
      this.#hasWarned = true
      process.emitWarning(
        `${this.#spec.name} drops values (first: ${reason}: ${detail}). Give it onReject to receive them, ` +
          'or run it in a pipeline, where they become dead letters.',
        'MillraceDroppedValue',
      )
    }
  }

  origin(): Origin {
    return { offset: -1, ordinal: 0, recordTime: null, key: null, payload: null }
  }

  during(_origin: Origin, act: () => void): void {
    act()
  }

  valueTime(): number {
    const time = this.domain().valueTime
    if (Number.isNaN(time)) throw noTimeAbove(this.#spec.name)
    return time
  }

  domain(): TimeDomain {
    if (this.#domain === null) throw noTimeAbove(this.#spec.name)
    return this.#domain
  }
}

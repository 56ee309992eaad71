import { Subscriber } from 'rxjs'
import { OperatorError } from './errors.ts'
import type { Logic } from './operator.ts'
import type { TimeDomain, TimeListener } from './timeDomain.ts'

/** One hop of a chain, without the layers that `subscribe({ next })` puts around each; a throwing `handle` ends the stream below with its error. */
export class Receiver<I, O> extends Subscriber<I> {
  readonly #downstream: Subscriber<O>
  handle: (value: I) => void
  readonly #onComplete: (() => void) | undefined

  constructor(downstream: Subscriber<O>, handle: (value: I) => void, onComplete?: () => void) {
    super(downstream as Subscriber<unknown>)
    this.#downstream = downstream
    this.handle = handle
    this.#onComplete = onComplete
  }

  protected override _next(value: I): void {
    try {
      this.handle(value)
    } catch (error) {
      this.#downstream.error(error)
    }
  }

  protected override _complete(): void {
    try {
      this.#onComplete?.()
    } catch (error) {
      this.#downstream.error(error)
    }
    super._complete()
  }
}

export function listener<I>(out: { watermark: number }, logic: Logic<I>): TimeListener {
  const onWatermark = logic.onWatermark?.bind(logic)
  return {
    onWatermark(watermark) {
      out.watermark = watermark
      onWatermark?.(watermark)
    },
  }
}

export function noTimeAbove(name: string): OperatorError {
  return new OperatorError(
    `${name}: no eventTime above it, so it does not know the time. Put eventTime({ of, maxOutOfOrdernessMs }) before it, with only ` +
      'synchronous operators between (mapAsync must stand above eventTime).',
  )
}

export function emitAt<O>(domain: TimeDomain, subscriber: Subscriber<O>, eventTime: number, value: O): void {
  const before = domain.valueTime
  domain.valueTime = eventTime
  subscriber.next(value)
  domain.valueTime = before
}

import { Observable, type OperatorFunction, Subscriber } from 'rxjs'
import { currentTask, runningTask } from './currentTask.ts'
import type { Origin, Rejected } from './deadLetters.ts'
import { ConfigurationError, OperatorError } from './errors.ts'
import type { Json } from './json.ts'
import { KeyedState, type StateCodec } from './keyedState.ts'
import type { SavedOperator } from './savedState.ts'
import type { StreamTask } from './streamTask.ts'
import { activeTime, TimeDomain, type TimeListener } from './timeDomain.ts'

/** What identifies an operator and its saved state. */
export interface OperatorSpec {
  /** Unique within a pipeline; the saved state is found again by it. */
  readonly name: string
  /** Version of the saved state's layout; 1 if left out. */
  readonly version?: number
  /** The options that shape the state. A checkpoint made with others is refused. */
  readonly shape?: Json
  /** Turns a checkpoint of an older version or of other options into one that fits, instead of refusing it. */
  readonly migrate?: ((saved: SavedOperator) => SavedOperator) | undefined
  /** True for the one operator that moves the time of everything below it. */
  readonly ownsTime?: boolean
  /** Outside a task: receives what the operator sets aside. In a task these become dead letters. */
  readonly onReject?: ((rejected: Rejected) => void) | undefined
}

export interface Cut {
  /** Processing time of the cut, ms UTC. Only provisional results may depend on it. */
  readonly now: number
  /** True when the task will not go on after this cut. */
  readonly isFinal: boolean
}

/** The state and the reactions of one operator in one task, or in one subscription outside of a task. */
export interface Logic<I> {
  onValue(value: I): void
  /** Time has moved: fire what is due, then forget what is over. */
  onWatermark?(watermark: number): void
  /** Let go of what must not span a checkpoint. Called before any operator is snapshotted. */
  onCut?(cut: Cut): void
  /** No further value will come, because the source has completed or the task's input is declared ended: emit what is held back. */
  onComplete?(): void
  /** State outside of keyed maps, small; saved whole at each cut. */
  snapshot?(): Json
  /** The watermark at which nothing is left open; undefined when nothing is. */
  openUntil?(): number | undefined
}

/** What was saved for the operator, and the place where its keyed state lives. */
export interface Restored {
  /** The last snapshot, deserialised for this operator alone; undefined at the first start. */
  readonly snapshot: Json | undefined
  /** The operator's keyed state, restored. At most one map an operator. */
  keyed<V>(codec: StateCodec<V>): KeyedState<V>
}

/** Where an operator's results go. */
export interface Output<O> {
  emit(value: O): void
  /** Emits a result whose event time is not that of the value being handled. */
  emitAt(eventTime: number, value: O): void
  /** Sets the current record aside, or the one of an origin taken earlier. */
  reject(reason: string, detail: string, origin?: Origin): void
  /** Remembers the current record, for an operator that holds values back and may have to reject them later. */
  origin(): Origin
  /** Runs `act` as if the record of the origin were the current one. */
  during(origin: Origin, act: () => void): void
  readonly isInTask: boolean
  /**
   * The watermark as this operator has been told it, for one that has `onWatermark`. While time moves, what comes from above still belongs to the time before.
   */
  readonly watermark: number
  /** Event time of the value being handled, ms UTC. Throws `OperatorError` where no `eventTime` stands above with only synchronous operators between. */
  valueTime(): number
  /** The time itself: for the operator that owns it. */
  domain(): TimeDomain
}

export type BuildLogic<I, O> = (restored: Restored, out: Output<O>) => Logic<I>

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

/** One hop of a chain, without the layers that `subscribe({ next })` puts around each; a throwing `handle` ends the stream below with its error. */
class Receiver<I, O> extends Subscriber<I> {
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

function subscribeIn<I, O>(
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

function listener<I>(out: { watermark: number }, logic: Logic<I>): TimeListener {
  const onWatermark = logic.onWatermark?.bind(logic)
  return {
    onWatermark(watermark) {
      out.watermark = watermark
      onWatermark?.(watermark)
    },
  }
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

function subscribeFree<I, O>(
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

function noTimeAbove(name: string): OperatorError {
  return new OperatorError(
    `${name}: no eventTime above it, so it does not know the time. Put eventTime({ of, maxOutOfOrdernessMs }) before it, with only ` +
      'synchronous operators between (mapAsync must stand above eventTime).',
  )
}

function emitAt<O>(domain: TimeDomain, subscriber: Subscriber<O>, eventTime: number, value: O): void {
  const before = domain.valueTime
  domain.valueTime = eventTime
  subscriber.next(value)
  domain.valueTime = before
}

import { Subscriber } from 'rxjs'
import { OperatorError } from '../errors.ts'
import { refuseUnsettledValue } from '../graph/unsettled.ts'
import type { Origin } from '../letters/deadLetters.ts'
import type { Marker } from '../log/marker.ts'
import type { ReadAhead } from '../log/readAhead.ts'
import type { RecordFacts } from '../log/record.ts'
import { Pace } from '../pace.ts'
import { type Borrower, borrows, kept, Lent } from '../spans/lent.ts'
import { lookBelow, type Span, type SpanLogic, type SpanOutput } from '../spans/span.ts'
import type { AskedPlace } from '../store/answers.ts'
import type { MakingWindow, RowMaker } from '../store/foreignRows.ts'
import type { EventClock } from '../time/eventClock.ts'
import { KeyedTimers, timerState } from '../time/keyedTimers.ts'
import type { TimeDomain, TimedNode } from '../time/timeDomain.ts'
import { AsyncWork } from './asyncWork.ts'
import { outsideOfTasks } from './currentTask.ts'
import type { BuildLogic, Cut, Logic, Meeting, OperatorSpec, RecordedAnswer, Restored } from './operator.ts'
import type { OperatorHost } from './operatorHost.ts'
import { metAcross, mixed, noTime, overtaken, timedAcross } from './stageErrors.ts'

/** Any operator, whatever its values. */
export type AnyNode = OperatorNode<unknown, unknown>

/** In which of an operator's maps its timers are kept. */
const timersMap = '$timers'

/**
 * One operator at work: the subscriber of what is above it, and the output of its logic. It is the same in a task and outside of one; what differs is the host's.
 */
export class OperatorNode<I, O> extends Subscriber<I> implements SpanOutput<O>, TimedNode, Borrower<I> {
  readonly spec: OperatorSpec
  readonly host: OperatorHost
  readonly work: AsyncWork | null
  /** Null where no time is known yet. */
  time: TimeDomain | null
  /** Of an operator that moves one of several times. */
  clock: EventClock | null = null
  logic: Logic<I> & Partial<SpanLogic<I>> = unbuilt
  order = 0
  turn = 0
  /** The operators that were subscribed to for this one. */
  readonly sources: AnyNode[] = []
  nextDue = Number.POSITIVE_INFINITY
  /** How many values have come and were passed on; for status. */
  valuesIn = 0
  valuesOut = 0
  /** True from the first value on, or when something was saved for it: only then is it told about time. */
  isAwake = false
  /** The loose operator whose values come here; undefined before the first value. */
  stage: AnyNode | null | undefined = undefined
  /** True once values come here, and from no loose operator: then `#arrive` need not look at each. */
  #isOrdinary = false
  #isLoose = false
  #hasEnded = false
  /** The last look in which values came here. */
  #lookedIn = 0
  #wakesAtMoves = false
  /** True where results depend on what comes first, a value or a move of time. */
  #goesByTime = false
  #timers: KeyedTimers | null = null
  #restored: Restored | null = null
  #onValue: (value: I) => void = unbuilt.onValue
  readonly #provenance: OperatorHost['provenance']
  readonly #downstream: Subscriber<O>
  /** The same, where it takes values that are lent. */
  readonly #borrower: Borrower<O> | null
  readonly #takesLent: boolean

  constructor(host: OperatorHost, spec: OperatorSpec, time: TimeDomain | null, downstream: Subscriber<O>) {
    super(downstream as Subscriber<unknown>)
    this.host = host
    this.spec = spec
    this.time = time
    this.#provenance = host.provenance
    this.#downstream = downstream
    this.#borrower = borrows(downstream) ? downstream : null
    this.#takesLent = spec.takesLent === true
    const { concurrency, perSecond } = spec
    const pace = perSecond === undefined ? null : new Pace(perSecond / host.tasks, host.clock)
    this.work = concurrency === undefined ? null : new AsyncWork(concurrency, () => host.workDone(this.any), pace)
  }

  /** The node for those who need not know its types. */
  get any(): AnyNode {
    return this as unknown as AnyNode
  }

  /** Makes the logic and restores what it kept. `watch` may put itself around the logic's methods. */
  build(restored: Restored, build: BuildLogic<I, O>, watch?: (spec: OperatorSpec, logic: Logic<I>) => void): void {
    this.#restored = restored
    this.#wakesAtMoves = true
    const logic = build(restored, this)
    watch?.(this.spec, logic)
    this.logic = logic
    this.#onValue = logic.onValue.bind(logic)
    this.#wakesAtMoves &&= logic.onWatermark !== undefined
    this.#isLoose = this.spec.isLoose ?? (logic.onCut !== undefined || this.work !== null)
    if (logic.onTimer !== undefined) this.#keyedTimers()
    const heedsTime = logic.onWatermark !== undefined || logic.onTimer !== undefined
    this.#goesByTime =
      this.spec.ownsTime === true || (heedsTime && this.work === null && this.spec.isOrderFree !== true)
    if (this.time !== null) this.bindTime(this.time)
  }

  /** Takes its place in the time, at the order that it has by now. */
  bindTime(time: TimeDomain): void {
    this.time = time
    time.add(this)
    this.#expect()
  }

  wake(): void {
    this.isAwake = true
    this.#expect()
  }

  protected override _next(value: I): void {
    if (this.#provenance.gate === 0 || this.host.admits(this.any, value)) this.handle(value)
  }

  nextLent(value: I): void {
    if (!this.isStopped) this._next(this.#takesLent ? value : kept(value))
  }

  handle(value: I): void {
    this.valuesIn += 1
    try {
      const { stage, maker } = this.host
      if (!this.#isOrdinary || stage !== null || maker !== null) this.#arrive(stage, maker, value)
      this.#onValue(value)
    } catch (error) {
      this.host.failed(this.any, error)
    }
  }

  look(span: Span<I>, to: number): number {
    const first = span.recordBehind(0, to)
    // Values that come here on two ways come in turns, and not first all of one way.
    if (first === to || this.#lookedIn === span.look || !this.#isOrdinary || this.isStopped) return first
    this.#lookedIn = span.look
    return this.logic.look?.(span, to) ?? first
  }

  take(span: Span<I>, to: number): void {
    const count = span.countBefore(to)
    if (count === 0) return
    this.valuesIn += count
    this.logic.take?.(span, to)
  }

  lookOn(span: Span<O>, to: number): number {
    return lookBelow(this.#borrower, span, to)
  }

  takeOn(span: Span<O>, to: number): void {
    this.valuesOut += span.countBefore(to)
    this.#borrower?.take(span, to)
  }

  get quietUntil(): number {
    return this.clock === null && this.time !== null ? this.time.nextDue : Number.NEGATIVE_INFINITY
  }

  failedAt(record: number, error: unknown): void {
    this.host.failedAt(this.any, record, error)
  }

  protected override _error(error: unknown): void {
    this.host.stepFailed(this.any, error)
  }

  protected override _complete(): void {
    this.endInput()
    this.completeWhenIdle()
  }

  /** Ends the stream below with an error, in a host in which streams may end. */
  fail(error: unknown): void {
    this.#downstream.error(error)
    this.unsubscribe()
  }

  /** Ends the stream below of an operator whose input has ended, unless there is asynchronous work left, or something that waits for its time. */
  completeWhenIdle(): void {
    if (!this.#hasEnded || this.work?.isIdle === false || this.host.outlives(this.any)) return
    this.#downstream.complete()
    this.unsubscribe()
  }

  override unsubscribe(): void {
    if (this.closed) return
    super.unsubscribe()
    this.work?.abandon()
    this.time?.remove(this)
    this.host.left(this.any)
  }

  get hasEnded(): boolean {
    return this.#hasEnded || this.closed
  }

  /** True where more may come of it by time alone. */
  get isOpen(): boolean {
    return this.openUntil() !== undefined || this.logic.onClose !== undefined
  }

  /** No further value will come. */
  endInput(): void {
    this.#hasEnded = true
    if (this.logic.onComplete !== undefined) this.#runApart(() => this.logic.onComplete?.())
  }

  cut(cut: Cut): void {
    if (this.logic.onCut !== undefined) this.#runApart(() => this.logic.onCut?.(cut))
  }

  elsewhere(window: MakingWindow, detail: string): void {
    if (this.logic.onElsewhere !== undefined) this.#runApart(() => this.logic.onElsewhere?.(window, detail))
  }

  idle(watermark: number): void {
    this.wake()
    this.#runApart(() => this.logic.onIdle?.(watermark))
  }

  /** Passes a marker of the input to an operator that reads them. */
  marker(marker: Marker): void {
    this.wake()
    this.#runApart(() => this.logic.onMarker?.(marker))
  }

  onTime(watermark: number): void {
    this.host.timed(() => this.#fire(watermark))
  }

  #fire(watermark: number): void {
    const time = this.time as TimeDomain
    const { before } = time
    this.nextDue = Number.POSITIVE_INFINITY
    this.#timers?.fire(watermark, (key, at) => {
      time.valueTime = Math.max(at, before + 1)
      this.#run(() => this.logic.onTimer?.(key, at))
    })
    if (this.logic.onWatermark !== undefined) {
      time.valueTime = watermark
      this.#run(() => this.logic.onWatermark?.(watermark, before))
    }
    this.#expect()
  }

  openUntil(): number | undefined {
    const own = this.logic.openUntil?.()
    const last = this.#timers?.last
    return own === undefined ? last : last === undefined ? own : Math.max(own, last)
  }

  onClose(): boolean {
    this.logic.onClose?.()
    return this.logic.onClose !== undefined
  }

  get isInTask(): boolean {
    return this.host.isTask
  }

  get isRedriven(): boolean {
    return this.host.isRedriven
  }

  get isSecondTime(): boolean {
    return this.host.isSecondTime
  }

  whyElsewhere(window: string): string | undefined {
    return this.host.elsewhere(this.any, window)
  }

  making(window: MakingWindow, isClosed: boolean, act: () => void): void {
    this.#madeBy({ fold: this.spec.name, window, isClosed }, act)
  }

  holdBack(value: unknown): void {
    this.host.holdBack(value)
  }

  #madeBy(maker: RowMaker | null, act: () => void): void {
    const { host } = this
    const before = host.maker
    host.maker = maker
    try {
      act()
    } finally {
      host.maker = before
    }
  }

  get facts(): RecordFacts {
    return this.host.facts
  }

  get ahead(): ReadAhead | null {
    return this.host.ahead
  }

  get watermark(): number {
    return this.#timeHere().toldTo(this)
  }

  valueTime(): number {
    return this.#timeHere().valueTime
  }

  emit(value: O): void {
    this.valuesOut += 1
    if (value instanceof Lent) this.#lend(value)
    else if (this.#isLoose) this.#emitLoosely(value)
    else this.#downstream.next(value)
  }

  #lend(value: O): void {
    if (this.#borrower !== null) this.#borrower.nextLent(value)
    else this.#downstream.next(kept(value))
  }

  emitAt(eventTime: number, value: O): void {
    const { time } = this
    if (time === null) throw noTime(this.spec)
    const before = time.valueTime
    this.valuesOut += 1
    time.valueTime = eventTime
    try {
      if (value instanceof Lent) this.#lend(value)
      else this.#downstream.next(value)
    } finally {
      time.valueTime = before
    }
  }

  pass(at: number, value: O, watermark: number): void {
    const time = this.time as TimeDomain
    const outer = this.host.enterTime(time)
    const before = time.valueTime
    time.valueTime = at
    try {
      this.emit(value)
      time.valueTime = before
      if (this.clock !== null) this.clock.advance(watermark)
      else if (watermark > time.watermark) time.advance(watermark)
    } finally {
      time.valueTime = before
      this.host.enterTime(outer)
    }
  }

  advance(watermark: number): void {
    const outer = this.host.enterTime(this.time)
    try {
      if (this.clock !== null) this.clock.advance(watermark)
      else this.time?.advance(watermark)
    } finally {
      this.host.enterTime(outer)
    }
  }

  close(): void {
    if (this.clock?.end() === false) return
    const outer = this.host.enterTime(this.time)
    try {
      this.host.close(this.time as TimeDomain)
    } finally {
      this.host.enterTime(outer)
    }
  }

  reject(reason: string, detail: string, origin?: Origin): void {
    this.host.reject({ operator: this.spec.name, reason, detail }, this.spec, origin)
  }

  origin(): Origin {
    return this.host.origin()
  }

  during(origin: Origin, act: () => void): void {
    this.host.during(origin, act)
  }

  attempt(origin: Origin | null, act: () => void): void {
    if (origin === null) this.#run(act)
    else this.host.during(origin, () => this.#run(act))
  }

  defer<R>(call: () => Promise<R>, deliver: (result: R) => void): void {
    const { host } = this
    const work = this.#workFor('defer')
    const { maker } = host
    const asNow = host.later()
    work.add(
      () => outsideOfTasks(call),
      (result: R) => asNow(() => this.#run(() => this.#madeBy(maker, () => deliver(result)))),
      (error) => asNow(() => host.failed(this.any, error)),
    )
  }

  inTurn(deliver: () => void): void {
    const { host } = this
    const work = this.#workFor('inTurn')
    if (work.isIdle && !host.isRedriven) {
      deliver()
      return
    }
    const { maker } = host
    const asNow = host.later()
    const attempt = () => asNow(() => this.#run(() => this.#madeBy(maker, deliver)))
    if (work.isIdle) attempt()
    else work.addDone(attempt)
  }

  pace(): Promise<void> {
    return this.work?.pace?.next() ?? Promise.resolve()
  }

  askedPlace(): AskedPlace {
    return this.host.askedPlace(this.spec.name)
  }

  get streamTime(): number {
    return this.time?.toldTo(this) ?? Number.NEGATIVE_INFINITY
  }

  get hasTime(): boolean {
    return this.time !== null && !Number.isNaN(this.time.valueTime)
  }

  get recordTime(): number | null {
    return this.host.recordTime
  }

  answerAt(key: string, place: AskedPlace): RecordedAnswer | null | Promise<RecordedAnswer | null> {
    return this.host.answers.find(this.spec.name, key, place)
  }

  recordAnswer(key: string, place: AskedPlace, { at, answer, isFailure }: RecordedAnswer): void {
    this.host.record({ operator: this.spec.name, key, ...place, at, answer, isFailure })
  }

  #workFor(method: string): AsyncWork {
    if (this.work === null) throw new OperatorError(`${this.spec.name}: ${method} needs a spec with concurrency`)
    return this.work
  }

  at(key: string, time: number): void {
    if (!Number.isSafeInteger(time)) throw new TypeError(`a timer needs a whole number of ms, got ${time}`)
    this.#timeHere()
    const timers = this.#keyedTimers()
    timers.add(key, time)
    this.#wake(timers.nextDue)
  }

  cancel(key: string, time: number): void {
    this.#keyedTimers().cancel(key, time)
  }

  wakeAt(time: number): void {
    this.#wakesAtMoves = false
    this.#wake(time)
  }

  #wake(time: number): void {
    if (time < this.nextDue) this.nextDue = time
    this.time?.expect(time)
  }

  #expect(): void {
    if (this.#timers !== null) this.#wake(this.#timers.nextDue)
    if (this.#wakesAtMoves && this.isAwake) this.#wake(Number.NEGATIVE_INFINITY)
    else if (this.nextDue < Number.POSITIVE_INFINITY) this.time?.expect(this.nextDue)
  }

  #keyedTimers(): KeyedTimers {
    if (this.#timers !== null) return this.#timers
    if (this.logic.onTimer === undefined)
      throw new OperatorError(`${this.spec.name}: it sets timers but has no onTimer`)
    this.#timers = new KeyedTimers((this.#restored as Restored).keyed(timerState, timersMap))
    return this.#timers
  }

  /** A first value, one below a loose operator, or a result of a window. */
  #arrive(stage: AnyNode | null | undefined, maker: RowMaker | null, value: I): void {
    if (!this.isAwake) this.wake()
    if (maker !== null) refuseUnsettledValue(this.spec, maker, value)
    if (stage === undefined) return
    if (this.stage === undefined) {
      this.stage = stage
      this.#isOrdinary = stage === null
    } else if (this.stage !== stage && this.spec.isOrderFree !== true && this.host.isTask)
      throw mixed(this.spec, nameOf(stage ?? this.stage))
    if (this.spec.readsMarkers === true && stage !== null) throw overtaken(this.spec, nameOf(stage))
    if (!this.host.isTask) return
    if (this.spec.meeting !== undefined && !meets(this.spec.meeting, stage))
      throw metAcross(this.spec, nameOf(stage ?? this.spec.meeting.stage))
    if (this.#goesByTime && this.time !== null && !meets(this.time.meeting, stage))
      throw this.spec.ownsTime !== true && stage !== null
        ? noTime(this.spec)
        : timedAcross(this.spec, nameOf(stage ?? this.time.meeting.stage))
  }

  #emitLoosely(value: O): void {
    const { host, time } = this
    const stage = host.stage
    const outer = host.enterTime(null)
    const before = time?.valueTime
    host.stage = this.any
    if (time !== null) time.valueTime = Number.NaN
    try {
      this.#downstream.next(value)
    } finally {
      if (time !== null) time.valueTime = before as number
      host.stage = stage
      host.enterTime(outer)
    }
  }

  /** Runs something of the logic that no value from above has caused. */
  #run(act: () => void): void {
    try {
      act()
    } catch (error) {
      this.host.failed(this.any, error)
    }
  }

  /** Runs it where the stack does not tell on which side of a loose operator it is. */
  #runApart(act: () => void): void {
    const { host, time } = this
    const { stage } = host
    const outer = host.enterTime(time)
    const before = time?.valueTime
    host.stage = this.stage
    if (time !== null) time.valueTime = time.toldTo(this)
    this.#run(act)
    if (time !== null) time.valueTime = before as number
    host.stage = stage
    host.enterTime(outer)
  }

  /** The time, where the value being handled has one. */
  #timeHere(): TimeDomain {
    const { time } = this
    if (time === null || Number.isNaN(time.valueTime)) throw noTime(this.spec)
    return time
  }
}

function nameOf(stage: Meeting['stage']): string | undefined {
  return stage?.spec.name
}

/** Whether values come in the same stage as those that came first. */
function meets(meeting: Meeting, stage: AnyNode | null): boolean {
  if (meeting.stage === undefined) meeting.stage = stage
  return meeting.stage === stage
}

const unbuilt: Logic<unknown> = {
  onValue() {
    throw new OperatorError('a value arrived while the graph was still being built')
  },
}

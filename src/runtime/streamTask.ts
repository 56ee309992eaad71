import type { Observable, Subscriber } from 'rxjs'
import { AheadPush, type Credit } from './aheadPush.ts'
import { type AnswerBook, type AskedPlace, type LookupAnswer, noAnswers } from './answers.ts'
import type { RecordTap } from './archiveTap.ts'
import { BadRowError } from './badRow.ts'
import type {
  DeadLetter,
  IdleAdvance,
  InputEnd,
  MessageWrite,
  SavedCheckpoint,
  StateFrame,
  TableWrite,
} from './checkpoint.ts'
import { type Clock, systemClock } from './clock.ts'
import { buildIn, setRunning } from './currentTask.ts'
import { letterBytes, type Origin, type Rejected, redriveTarget } from './deadLetters.ts'
import type { Elsewhere } from './elsewhere.ts'
import { MillraceError, OperatorError } from './errors.ts'
import { elsewhereReason, type RowMaker } from './foreignRows.ts'
import { findWays, knownWays, refuseSharedResults, refuseTimelessMarkers } from './graphChecks.ts'
import { emitsAtRest, mixesRows, notThere, putsOff } from './graphErrors.ts'
import { onlyInput, type ResolvedInput } from './input.ts'
import type { Json } from './json.ts'
import { type Marker, readMarker } from './marker.ts'
import type { BuildLogic, Cut, Logic, OperatorSpec, TimeHolder } from './operator.ts'
import { type AnyNode, type OperatorHost, OperatorNode } from './operatorNode.ts'
import type { OperatorCounts } from './operatorTally.ts'
import type { OpenPacker } from './packedRows.ts'
import { buildPipeline, inputsOf, type Pipeline } from './pipeline.ts'
import { atRest, open, Provenance } from './provenance.ts'
import type { ReadAhead } from './readAhead.ts'
import type { RecordFacts, RecordView } from './record.ts'
import { RecordResults } from './recordResults.ts'
import type { RedriveWays } from './redriveWays.ts'
import { nameToday } from './renamedOperators.ts'
import { type IsElsewhere, letterName, type ResultBuffer } from './resultBuffer.ts'
import { resultText } from './resultText.ts'
import { guardSchedulers } from './schedulerGuard.ts'
import { EmissionWatch, type LeftOut, type LeftOutAt, StepFailure, wholeRecord } from './stepFailure.ts'
import { type SubscriptionTrace, traceSubscriptions } from './subscriptionTrace.ts'
import { TaskInputs } from './taskInputs.ts'
import { type SendingOutlet, TaskOutlets } from './taskOutlets.ts'
import { TaskState } from './taskState.ts'
import type { OperatorStatus } from './taskStatus.ts'
import { type IdleClock, TaskTime } from './taskTime.ts'
import type { TimeDomain } from './timeDomain.ts'
import { asRetryable } from './transient.ts'
import { isShared } from './wholeInputs.ts'
import { defaultLimits, type TaskLimits } from './workerLimits.ts'

/** Everything that a task has to say at a cut; the worker adds the archive's share and commits it. */
export interface TaskCut {
  readonly nextOffset: number
  /** Of the other inputs, in their order. */
  readonly otherOffsets: readonly number[]
  readonly watermark: number | null
  readonly state: StateFrame
  /** Stored behind it: a portion of the whole state. */
  readonly portion?: StateFrame
  readonly writes: readonly TableWrite[]
  /** The window that made each row, write for write; null for a row that none did. */
  readonly makers: readonly (readonly (RowMaker | null)[])[]
  readonly messages: readonly MessageWrite[]
  /** How many rows or messages there are of each outlet. */
  readonly results: ReadonlyMap<string, number>
  readonly deadLetters: readonly DeadLetter[]
  readonly answers: readonly LookupAnswer[]
  readonly idleAdvances: readonly IdleAdvance[]
  readonly inputEnds: readonly InputEnd[]
}

/** What a task is told of where it runs: for the markers that it writes, and for operators that call somebody outside. */
export interface TaskSurroundings {
  readonly clock: Clock
  /** How many tasks the pipeline has. */
  readonly tasks: number
  /** Which of them it is, by its number and the leading topic. */
  readonly task: number
  /** Null for the topic that the pipeline names. */
  readonly topic: string | null
  /** What they were answered when the records were read before. */
  readonly answers: AnswerBook
  /** Of the store, where it takes rows of append tables packed. */
  readonly openPacker?: OpenPacker | undefined
}

const alone: TaskSurroundings = { clock: systemClock, tasks: 1, task: 0, topic: null, answers: noAnswers }

/**
 * One partition with its operators and their state. Synchronous: when `push` returns, nothing is in flight in the graph but what asynchronous
 * operators wait for.
 *
 * Holds what the operators hold, and the rows and dead letters since the last cut; the worker bounds those by its credit. Everything that
 * happens is decided by the records alone, so the same records give the same rows, letters and state, however the cuts fall.
 * After an error it is broken for good and is replaced by one that is restored.
 */
export class StreamTask implements OperatorHost {
  readonly isTask = true
  readonly facts: RecordFacts = { isJsonObject: false }
  ahead: ReadAhead | null = null
  readonly provenance: Provenance
  /** Records pushed since the last cut. */
  uncutRecords = 0
  /** Of their keys, headers and values. */
  uncutBytes = 0
  stage: AnyNode | null | undefined = null
  /** True where rows are rendered as they come, so that one that cannot be is set aside with its record. Otherwise the store is who finds out. */
  rendersRows = false
  maker: RowMaker | null = null
  /** What was made by a window and is held back on its way; null while nothing ever was. */
  #made: WeakMap<object, RowMaker> | null = null
  readonly #makerOf = (row: unknown): RowMaker | null => this.maker ?? this.#made?.get(row as object) ?? null
  #elsewhere: Elsewhere | null = null
  /** What decides the order of the inputs after a restart; null where there is one. */
  readonly savedMerge: Json
  /** Gives the same for the next cut; set by whoever merges. */
  mergeState: () => Json = () => null
  /** The times of the task that may move by themselves. */
  readonly idleClocks: readonly IdleClock[]
  #isSealed = false
  readonly #time: TaskTime
  #failure: { readonly error: unknown } | null = null
  /** True when a step of RxJS has put something off to another time. */
  #putsOff = false
  #watch: EmissionWatch | null = null
  #letters: DeadLetter[] = []
  #letterBytes = 0
  #answers: LookupAnswer[] = []
  #answerBytes = 0
  readonly #surroundings: TaskSurroundings
  /** Counts results and letters, so that who pushes many records at once sees that there is one more. */
  brought = 0
  readonly #ownResults: RecordResults
  readonly #limits: TaskLimits
  readonly #pipeline: Pipeline
  readonly #inputs: TaskInputs
  readonly #aheadPush: AheadPush
  readonly #outlets: TaskOutlets
  readonly #state: TaskState
  readonly #nodes: AnyNode[] = []
  /** Those of the nodes that wait for asynchronous work. */
  readonly #asynchronous: AnyNode[] = []
  readonly #ways: RedriveWays
  /** Which of the inputs every task reads whole; null where none is. */
  readonly #shared: readonly boolean[] | null

  /**
   * Builds the graph and restores its state.
   * @param startOffsets the first offsets of the inputs to be pushed where nothing was saved; of the only one, a number
   * @param limits what bounds it whatever its records hold
   * @param inputs what is pushed, by number: those of the pipeline, or each partition of them
   * @param surroundings for operators that call somebody outside; those of a single task if left out
   * @throws StateMismatchError when the saved state does not fit the pipeline; ConfigurationError on a pipeline that is not well formed
   */
  constructor(
    pipeline: Pipeline,
    saved: SavedCheckpoint | null,
    startOffsets: number | readonly number[],
    limits: TaskLimits = defaultLimits,
    inputs: readonly ResolvedInput[] = inputsOf(pipeline),
    surroundings: TaskSurroundings = alone,
  ) {
    this.#surroundings = surroundings
    this.#pipeline = pipeline
    this.#limits = limits
    this.#ownResults = new RecordResults(limits)
    const starts = typeof startOffsets === 'number' ? [startOffsets] : startOffsets
    const nextOffsets = inputs.map((_, i) => savedOffset(saved, i) ?? (starts[i] as number))
    this.#inputs = new TaskInputs(inputs, nextOffsets)
    this.#aheadPush = new AheadPush(this, this.#inputs, limits)
    const shared = inputs.map((input) => isShared(inputs, input))
    this.#shared = shared.includes(true) ? shared : null
    const watermark = saved?.watermark ?? null
    this.#state = new TaskState(
      pipeline,
      saved?.state ?? [],
      nextOffsets,
      watermark ?? Number.NEGATIVE_INFINITY,
      limits.statePortionBytes,
    )
    const { own, lastOffset, lastOrdinals } = this.#state
    this.savedMerge = own.merge
    this.#time = new TaskTime(pipeline.name, this.#inputs, watermark, own.steps)
    this.provenance = new Provenance(own.lastInput, lastOffset, lastOrdinals, limits.maxLetterBytes)
    guardSchedulers()
    let outlets: TaskOutlets | null = null
    const build = () => {
      outlets = buildIn(this, () => this.#build(own.sent))
    }
    const known = knownWays(pipeline)
    // Which input is above which operator is of interest only where there are several; what stands below what, once for a pipeline.
    const trace = this.#inputs.streams.size === 1 && known !== undefined ? null : traceSubscriptions(build)
    if (trace === null) build()
    this.#outlets = outlets as unknown as TaskOutlets
    this.#isSealed = true
    this.#throwFailure()
    const specs = this.#nodes.map(({ spec }) => spec)
    this.#ways = known ?? findWays(pipeline, trace as SubscriptionTrace, specs, this.#outlets)
    if (this.#shared !== null) refuseSharedResults(pipeline.name, inputs, this.#outlets, trace as SubscriptionTrace)
    this.#time.restore(own.clocks)
    this.idleClocks = this.#time.idleClocks(inputs, this.#inputs.streams.size === 1 ? null : trace)
    this.#state.checkRetired()
    refuseTimelessMarkers(pipeline.name, this.#outlets, this.#time.hasOwner)
  }

  #build(sent: ReadonlyMap<string, number>): TaskOutlets {
    const outlets = new TaskOutlets(
      this.#pipeline.name,
      buildPipeline(this.#pipeline, this.#inputs.streams),
      this.#inputs,
      sent,
      this.#surroundings.openPacker,
    )
    for (const { buffer, values } of outlets.streams) {
      values.subscribe({
        next: (result) => this.#collect(buffer, result),
        error: (error) => this.#stepFailed(buffer.name, error),
        complete: () =>
          this.#fail(new OperatorError(`${buffer.name}: the stream completed; a task's stream does not end`)),
      })
    }
    return outlets
  }

  get clock(): Clock {
    return this.#surroundings.clock
  }

  get tasks(): number {
    return this.#surroundings.tasks
  }

  get answers(): AnswerBook {
    return this.#surroundings.answers
  }

  get recordTime(): number | null {
    return this.provenance.recordTime
  }

  askedPlace(operator: string): AskedPlace {
    return this.provenance.askedPlace(operator)
  }

  record(answer: LookupAnswer): void {
    this.#answers.push(answer)
    this.answers.note(answer)
    this.#answerBytes += answer.answer.length + answer.key.length
  }

  get time(): TimeDomain {
    return this.#time.domain
  }

  /** Of the leading input. */
  get nextOffset(): number {
    return this.#inputs.nextOffsets[0] as number
  }

  /** Of each input. */
  get nextOffsets(): readonly number[] {
    return this.#inputs.nextOffsets
  }

  /** By outlet, the input whose raw records it keeps. */
  get archives(): ReadonlyMap<string, number> {
    return this.#outlets.archives
  }

  /** The operators that ask somebody outside, and whether what they are answered is stored. */
  get asking(): readonly { readonly operator: string; readonly isRecorded: boolean }[] {
    return this.#nodes
      .filter(({ spec: { concurrency } }) => concurrency !== undefined)
      .map(({ spec: { name, recordsAnswers } }) => ({ operator: name, isRecorded: recordsAnswers === true }))
  }

  /** True where `prepare` has to be asked before each `push`. */
  get needsPrepare(): boolean {
    return this.#inputs.needsPrepare
  }

  /** Before the first record: sets aside what belongs to other tasks, as attempts before this one have found out, also what is in windows of such rows already. */
  leaveElsewhere(elsewhere: Elsewhere): void {
    this.#elsewhere = elsewhere
    for (const { window, folds, detail } of elsewhere.windows()) {
      const concerned = this.#nodes.filter(({ spec: { name } }) => name === window.name || folds.includes(name))
      this.#act(() => {
        for (const node of concerned) node.elsewhere(window, detail)
      })
    }
  }

  /**
   * Has the codec of the input fetch what it needs to decode the record, such as a schema; undefined where it has all, or needs nothing. To be awaited before the
   * record is pushed. Rejects with `RetryableError` where that is out of reach for now, and the task goes on as it was.
   */
  prepare(record: RecordView, input = 0): Promise<void> | undefined {
    return this.#inputs.prepare(input, record)
  }

  /** By operator, what holds the time back of those that learn it from markers. */
  timeHolders(): ReadonlyMap<string, TimeHolder> {
    return this.#time.holders()
  }

  /** Outlets whose messages are sent after the commit. */
  get sending(): readonly SendingOutlet[] {
    return this.#outlets.sending
  }

  /** Rows, messages, dead letters and recorded answers waiting for the next cut. */
  get uncutResults(): number {
    return this.#letters.length + this.#answers.length + this.#outlets.size + this.#dueMarkers
  }

  /** Of the same, roughly; bytes. */
  get uncutResultBytes(): number {
    return this.#letterBytes + this.#answerBytes + this.#outlets.bytes
  }

  /**
   * Runs the record through the whole graph. Offsets of an input only grow; gaps are fine. Throws the first error of the graph.
   * @param input which input it is of
   */
  push(record: RecordView, input = 0): void {
    const { provenance } = this
    if (this.#shared?.[input] === true) provenance.beginShared(record, input)
    else provenance.begin(record, input)
    this.facts.isJsonObject = false
    this.#ownResults.begin()
    const bytes = recordBytes(record)
    const marker = record.headersLength === 0 ? null : readMarker(record)
    const target = record.headersLength === 0 ? null : this.#redriveTarget(record)
    if (marker !== null) this.#takeMarker(marker, input)
    // What is redriven for another pipeline has been here, when it came first.
    else if (bytes > this.#limits.maxRecordBytes) this.#setLargeAside(bytes)
    else if (target !== undefined && this.#watch?.leavesOutRecord() !== true) {
      if (target === null || target === this.#pipeline.name) {
        provenance.gate = open
        setRunning(this)
        this.#inputs.push(input, record)
        setRunning(null)
        provenance.gate = atRest
      } else this.#act(() => this.#redrive(target, () => this.#inputs.push(input, record)))
    }
    provenance.end()
    this.#inputs.nextOffsets[input] = record.offset + 1
    this.uncutRecords += 1
    this.uncutBytes += bytes
    if (this.#failure !== null) this.#throwFailure()
  }

  /** True where values of records that were read ahead may be lent: nobody looks at each of them, and none has to be prepared. */
  get mayLend(): boolean {
    return this.#shared === null && this.#watch === null && !this.needsPrepare
  }

  /** True where nothing is to be waited for between two records. */
  get isSynchronous(): boolean {
    return this.#asynchronous.length === 0
  }

  /**
   * Does what `push` does with the record at hand, and with credit goes on with those behind it (`AheadPush`).
   * @param credit null for the one record alone
   * @param archive takes each record behind its push
   * @param until the first offset before which something else is due
   */
  pushAhead(
    ahead: ReadAhead,
    input: number,
    credit: Credit | null,
    archive: RecordTap | null,
    until = Number.POSITIVE_INFINITY,
  ): void {
    this.#aheadPush.push(ahead, input, credit, archive, until)
    if (this.#failure !== null) this.#throwFailure()
  }

  get hasFailed(): boolean {
    return this.#failure !== null
  }

  beginRecord(): void {
    this.#ownResults.begin()
  }

  failedAt(node: AnyNode, record: number, error: unknown): void {
    this.#aheadPush.failedAt(node, record, error)
  }

  /**
   * From the next record on, until `stopWatching`, values on which a step that is no operator of ours is known to fail are set aside instead of passed on.
   * Where another one fails at a record where some are known, the error says on which value.
   */
  startWatching(leftOut: LeftOutAt): void {
    const setAside = ({ operator, reason, detail }: LeftOut) =>
      this.reject({ operator: operator ?? this.#pipeline.name, reason, detail })
    this.#watch = new EmissionWatch(leftOut, this.provenance, setAside)
    this.#watch.start(this.#nodes)
  }

  stopWatching(): void {
    this.#watch?.stop(this.#nodes)
    this.#watch = null
  }

  /** The input has nothing below this offset any more (compaction leaves gaps). When that is found depends on the log's batches, so what happens now stays the last record's. */
  skipTo(offset: number, input = 0): void {
    const { nextOffsets } = this.#inputs
    if (offset > (nextOffsets[input] as number)) nextOffsets[input] = offset
  }

  /** How many steps of time it has recorded, where there are several inputs; 0 with one. */
  get steps(): number {
    return this.#time.steps
  }

  /**
   * Moves the watermark without a record, and remembers that it did so at this place. Only where nothing is under way (`quiesce`).
   * @param clock which of several times moves
   */
  advanceIdle(watermark: number, clock?: string): void {
    const move = this.#time.idle(watermark, clock)
    if (move !== null) this.#act(move)
  }

  /**
   * Declares the input ended: operators emit what they hold back, and every window that is still open fires, by moving the watermark to
   * where the last of them ends. What comes later for those windows is late. Only where nothing is under way (`quiesce`).
   */
  closeOpen(): void {
    this.#time.end()
    this.#act(() => {
      for (const node of this.#nodes) node.endInput()
    })
    this.#time.closed()
  }

  close(): void {
    this.#time.close()
  }

  /** True while asynchronous work in the graph leaves no room for another record. */
  get isSaturated(): boolean {
    return this.#asynchronous.some(({ work }) => work?.isSaturated === true)
  }

  /** True when no asynchronous work is under way. */
  get isSettled(): boolean {
    return this.#asynchronous.every(({ work }) => work?.isIdle === true)
  }

  /** Waits for asynchronous work in the graph and lets its results through, and what they set off, until none is under way. */
  async settle(): Promise<void> {
    while (!this.isSettled) {
      for (const { work } of this.#asynchronous) {
        if (work === null || work.isIdle) continue
        await work.settle()
        this.#act(() => work.release())
      }
    }
  }

  /** Brings the graph to rest: operators let go, asynchronous work is waited for and let through, until nothing is under way. */
  async quiesce(cut: Cut): Promise<void> {
    for (;;) {
      this.letGo(cut)
      if (this.isSettled) return
      await this.settle()
    }
  }

  /** Waits until the graph is at rest, then snapshots it and hands over what has come together since the last cut. */
  async cutWhenQuiet(cut: Cut): Promise<TaskCut> {
    await this.quiesce(cut)
    return this.#take()
  }

  /** The same for a graph in which nothing asynchronous is under way; throws `OperatorError` where something is. */
  cut(cut: Cut): TaskCut {
    this.letGo(cut)
    if (!this.isSettled) throw new OperatorError('cut before asynchronous work had settled')
    return this.#take()
  }

  /** Ends asynchronous work: what is under way is not waited for, and nothing is started any more. */
  abandon(): void {
    for (const { work } of this.#nodes) work?.abandon()
  }

  /** Takes an operator in, after everything upstream of it, and gives what is to be torn down with its subscription. */
  subscribe<I, O>(spec: OperatorSpec, build: BuildLogic<I, O>, source: Observable<I>, subscriber: Subscriber<O>) {
    if (this.#isSealed) {
      throw new OperatorError(
        `${spec.name}: subscribed after the graph of pipeline ${this.#pipeline.name} was built. Build every operator in build(), ` +
          'and subscribe to nothing later (switchMap, defer, retry and repeat do).',
      )
    }
    const node = new OperatorNode(this, spec, this.time, subscriber)
    source.subscribe(node)
    // Upstream has bound itself during its own subscribe, so binding now makes the order of operators topological.
    node.order = this.#nodes.length
    node.isAwake = this.#state.hasSaved(spec.name)
    node.build(this.#state.restoredFor(spec), build, (watched, logic) => this.watch(watched, logic))
    this.#state.bind(node)
    this.#nodes.push(node.any)
    if (node.work !== null) this.#asynchronous.push(node.any)
    if (spec.ownsTime === true) this.#time.own(node.any)
    return node
  }

  /** Called with each logic before it is used, for a task that watches its operators. */
  protected watch(_spec: OperatorSpec, _logic: Logic<never>): void {}

  /** A step of RxJS puts something off. It ends the task at the next cut, for what it holds back is not in the checkpoint. */
  puttingOff(): void {
    this.#putsOff = true
  }

  /** True for an error that ends the task, whatever value it came with. */
  protected isFatal(error: unknown): boolean {
    return error instanceof MillraceError || this.#pipeline.onError === 'stop'
  }

  /** Operators that still hold something open, and the watermark that each waits for. For status and for test reports. */
  openOperators(): { readonly name: string; readonly until: number }[] {
    return this.#nodes.flatMap((node) => {
      const until = node.openUntil()
      return until === undefined ? [] : [{ name: node.spec.name, until }]
    })
  }

  /** How many values came to each operator since the task's start, and how many it passed on; in the order of the graph. */
  operatorCounts(): OperatorCounts {
    return this.#nodes.map(({ spec: { name }, valuesIn, valuesOut }) => ({ name, valuesIn, valuesOut }))
  }

  /** The same, and what they hold. */
  operatorStatus(): OperatorStatus[] {
    return this.#nodes.map((node) => ({
      name: node.spec.name,
      valuesIn: node.valuesIn,
      valuesOut: node.valuesOut,
      keyCount: this.#state.keyCountOf(node.spec.name),
      openUntil: node.openUntil() ?? null,
      heldBy: node.logic.heldBy?.()?.text ?? null,
    }))
  }

  get isRedriven(): boolean {
    return this.provenance.redrivenFor !== null
  }

  get isSecondTime(): boolean {
    return this.provenance.isSecondTime
  }

  holdBack(value: unknown): void {
    if (this.maker === null || typeof value !== 'object' || value === null) return
    this.#made ??= new WeakMap()
    this.#made.set(value, this.maker)
  }

  elsewhere(node: AnyNode, window: string): string | undefined {
    return this.#elsewhere?.windowDetail(node.spec.name, window)
  }

  admits(node: AnyNode, value: unknown): boolean {
    const { provenance } = this
    const { name } = node.spec
    const { gate, redrivenFor } = provenance
    if (gate === atRest) this.#fail(emitsAtRest(name))
    else if (redrivenFor === name) provenance.arrived(() => node.handle(value))
    else if (redrivenFor === null) return true
    else if (!this.#ways.leads(name, redrivenFor)) return false
    else if (!provenance.isLookingAhead || node.work === null) return true
    else provenance.expectLater()
    return false
  }

  failed(node: AnyNode, error: unknown): void {
    const found = node.work === null ? error : asRetryable(error, node.spec.name)
    if (this.isFatal(found)) this.#fail(found)
    else this.reject({ operator: node.spec.name, reason: 'failed', detail: String(found) })
  }

  stepFailed(node: AnyNode, error: unknown): void {
    this.#stepFailed(node.spec.name, error)
  }

  reject(rejected: Rejected, _spec?: OperatorSpec, origin?: Origin): void {
    if (this.provenance.isLookingAhead) return
    const letter = (origin ?? this.origin()).letter(rejected)
    if (letter === null) return
    // What every task reads is set aside by every task, and stored by the first.
    if (this.#shared?.[letter.input ?? 0] === true && this.#surroundings.task !== 0) return
    this.brought += 1
    this.#letters.push(letter)
    this.#letterBytes += letterBytes(letter)
  }

  origin(): Origin {
    return this.provenance.origin()
  }

  during(origin: Origin, act: () => void): void {
    this.provenance.during(origin, () => this.#redrive(origin.redrivenFor, act))
  }

  later(): (act: () => void) => void {
    const { cause } = this.provenance
    const origin = this.origin()
    return (act) => this.provenance.causedBy(cause, () => this.during(origin, act))
  }

  timed(act: () => void): void {
    this.provenance.timed(act)
  }

  workDone(): void {}

  /** Streams of a task do not end. */
  outlives(): boolean {
    return false
  }

  left(): void {}

  enterTime(): TimeDomain | null {
    return null
  }

  #redriveTarget(record: RecordView): string | null | undefined {
    const target = redriveTarget(record, this.#pipeline.name)
    return target == null ? target : nameToday(target, this.#pipeline)
  }

  /**
   * Runs `deliver` for the operator that had set the record aside; for none, as what any record does. Nothing is taken of a record several values of which would come there: so there is one way
   * at most, and what an asynchronous operator on it lets go is looked at again.
   */
  #redrive(target: string | null, deliver: () => void): void {
    const { provenance } = this
    const arrivals = target === null ? 0 : provenance.arrivalsAt(target, deliver)
    if (target === null || arrivals <= 1)
      provenance.redriving(target, deliver, (missed) => this.#explainRedrive(missed))
    else
      this.#explainRedrive(target, `${arrivals} values of it come there, and which of them was set aside is not known`)
  }

  #explainRedrive(target: string, why = notThere): void {
    this.reject({
      operator: target,
      reason: 'not-redrivable',
      detail: `the record was sent again for ${target}, but ${why}`,
    })
  }

  /** Has every operator let go of what must not span a checkpoint. What that sets off may be under way afterwards. */
  letGo(cut: Cut): void {
    if (this.#putsOff) this.#fail(putsOff())
    this.#act(() => {
      for (const node of this.#nodes) node.cut(cut)
    })
  }

  #take(): TaskCut {
    const deadLetters = this.#letters
    const answers = this.#answers
    this.#answers = []
    this.#answerBytes = 0
    this.#letters = []
    this.#letterBytes = 0
    this.uncutRecords = 0
    this.uncutBytes = 0
    const { nextOffsets } = this.#inputs
    const [nextOffset, ...otherOffsets] = nextOffsets
    const { input: lastInput, offset: lastOffset } = this.provenance
    const results = this.#outlets.counts()
    const rows = this.#outlets.takeRows()
    this.#mark()
    return {
      nextOffset: nextOffset as number,
      otherOffsets,
      watermark: Number.isFinite(this.time.watermark) ? this.time.watermark : null,
      ...this.#state.take({
        ordinals: this.provenance.ordinals,
        lastInput,
        lastOffset: lastOffset === (nextOffsets[lastInput] as number) - 1 ? null : lastOffset,
        sent: this.#outlets.sent(),
        clocks: this.#time.clocks,
        steps: this.#time.steps,
        merge: this.mergeState(),
      }),
      results,
      writes: rows.map(({ write }) => write),
      makers: rows.map(({ makers }) => makers),
      messages: this.#outlets.takeMessages(),
      deadLetters,
      answers,
      ...this.#time.take(),
    }
  }

  /** A marker is no value: it comes to no step of the graph, and moves the time of the operator that reads the markers of its input. */
  #takeMarker(marker: Marker | string, input: number): void {
    if (typeof marker === 'string') this.reject({ operator: this.#pipeline.name, reason: 'bad-marker', detail: marker })
    else this.#act(() => this.#time.mark(marker, input))
  }

  get #dueMarkers(): number {
    const { marked } = this.#outlets
    return marked.length === 0 || this.#time.unmarked === null ? 0 : marked.length
  }

  /** Tells those below how far time is, behind all that they were sent before. */
  #mark(): void {
    const moment = this.#dueMarkers === 0 ? null : this.#time.unmarked
    if (moment === null) return
    const { task, tasks, topic } = this.#surroundings
    const lead = topic ?? inputsOf(this.#pipeline)[0]?.topic ?? onlyInput
    this.#outlets.mark({ ...moment, topic: lead, task, tasks, pipeline: this.#pipeline.name })
    this.#time.marked(moment)
  }

  #act(act: () => void): void {
    this.provenance.gate = open
    setRunning(this)
    try {
      act()
    } finally {
      setRunning(null)
      this.provenance.gate = atRest
    }
    if (this.#failure !== null) this.#throwFailure()
  }

  #collect(outlet: ResultBuffer, result: unknown): void {
    const { provenance } = this
    if (provenance.gate === atRest) this.#fail(emitsAtRest(outlet.name))
    else if (provenance.redrivenFor === null) this.#add(outlet, result)
    else if (provenance.redrivenFor === letterName(outlet)) provenance.arrived(() => this.#add(outlet, result))
  }

  #add(outlet: ResultBuffer, result: unknown): void {
    this.brought += 1
    if (outlet.isMixedBy(this.stage)) this.#fail(mixesRows(outlet.name))
    const { badReason } = outlet
    const setsAside = outlet.findsBadAtOnce ? this.#pipeline.onError !== 'stop' : this.rendersRows
    const setAside = (detail: string) => this.reject({ operator: letterName(outlet), reason: badReason, detail })
    // The rest of what a failed attempt brings about is not kept: there may be no end of it.
    if (this.#failure !== null) return
    const before = outlet.size
    const bytesBefore = outlet.bytes
    try {
      outlet.add(result, setsAside ? setAside : null, this.#makerOf, this.#isElsewhere(outlet))
    } catch (error) {
      this.#fail(error instanceof BadRowError ? this.#badRow(error) : error)
    }
    if (!this.provenance.isOwnDoing) return
    const tooMany = this.#ownResults.add(outlet.size - before, outlet.bytes - bytesBefore)
    if (tooMany !== null) this.#failOn(tooMany)
  }

  #badRow(cause: BadRowError): BadRowError {
    return new BadRowError(cause.message, { pipeline: this.#pipeline.name, offset: this.provenance.offset, cause })
  }

  #failOn(detail: string): void {
    const { input, offset } = this.provenance.cause
    const message = `pipeline ${this.#pipeline.name}, offset ${offset}: ${detail}`
    const place = { pipeline: this.#pipeline.name, input, offset, cause: detail, emission: wholeRecord }
    this.#fail(
      this.#pipeline.onError === 'stop'
        ? new OperatorError(message, { pipeline: this.#pipeline.name, offset })
        : new StepFailure(message, place, 'too-many-results'),
    )
  }

  #setLargeAside(bytes: number): void {
    this.reject({
      operator: this.#pipeline.name,
      reason: 'too-large',
      detail: `the record takes ${bytes} bytes, more than the ${this.#limits.maxRecordBytes} that are allowed: raise limits.maxRecordBytes (MILLRACE_MAX_RECORD_BYTES) if its producer meant that, and redrive it`,
    })
  }

  #isElsewhere(outlet: ResultBuffer): IsElsewhere | null {
    const elsewhere = this.#elsewhere
    if (elsewhere === null || elsewhere.isEmpty) return null
    return (table, key, row) => {
      const maker = this.#makerOf(row)
      const why = elsewhere.rowDetail(table, key, maker !== null || this.isSecondTime, this.nextOffsets)
      if (why === undefined) return false
      // Without a record the row itself is all that is left of it.
      const detail = this.origin().payload === null ? `${why}; it was ${resultText(row)}` : why
      if (maker?.isClosed !== false) this.reject({ operator: letterName(outlet), reason: elsewhereReason, detail })
      return true
    }
  }

  #stepFailed(below: string, error: unknown): void {
    if (this.isFatal(error)) {
      this.#fail(error)
      return
    }
    const { input, offset } = this.provenance.cause
    const message = `pipeline ${this.#pipeline.name} failed at offset ${offset}, in a step above ${below}: ${error instanceof Error ? error.message : String(error)}`
    this.#fail(
      new StepFailure(message, {
        pipeline: this.#pipeline.name,
        input,
        offset,
        cause: error,
        emission: this.#watch?.failed ?? null,
      }),
    )
  }

  #fail(error: unknown): void {
    this.#failure ??= { error }
  }

  #throwFailure(): void {
    if (this.#failure === null) return
    const { error } = this.#failure
    if (error instanceof MillraceError) throw error
    throw new OperatorError(
      `pipeline ${this.#pipeline.name} failed at offset ${this.provenance.offset}: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error, pipeline: this.#pipeline.name, offset: this.provenance.offset },
    )
  }
}

function recordBytes({ keyLength, valueLength, headersLength }: RecordView): number {
  return (keyLength > 0 ? keyLength : 0) + (valueLength > 0 ? valueLength : 0) + headersLength
}

function savedOffset(saved: SavedCheckpoint | null, input: number): number | undefined {
  if (saved === null) return undefined
  return input === 0 ? saved.nextOffset : saved.others?.[input - 1]?.nextOffset
}

import type { Observable, Subscriber } from 'rxjs'
import { OperatorError } from '../errors.ts'
import { putsOff } from '../graph/graphErrors.ts'
import { type SubscriptionTrace, traceSubscriptions } from '../graph/subscriptionTrace.ts'
import type { RecordTap } from '../inputs/archiveTap.ts'
import type { Json } from '../json.ts'
import type { Elsewhere } from '../letters/elsewhere.ts'
import { atRest, open, Provenance } from '../letters/provenance.ts'
import { Redrives } from '../letters/redrives.ts'
import { SetAside } from '../letters/setAside.ts'
import { EmissionWatch, type LeftOut, type LeftOutAt } from '../letters/stepFailure.ts'
import { type Marker, readMarker } from '../log/marker.ts'
import type { ReadAhead } from '../log/readAhead.ts'
import type { RecordFacts, RecordView } from '../log/record.ts'
import { buildIn, setRunning } from '../operator/currentTask.ts'
import type { BuildLogic, Cut, OperatorSpec, TimeHolder } from '../operator/operator.ts'
import type { AnyNode } from '../operator/operatorNode.ts'
import { guardSchedulers } from '../operator/schedulerGuard.ts'
import { PackedRowBuffer } from '../outlets/packedRowBuffer.ts'
import { onlyInput, type ResolvedInput } from '../pipeline/input.ts'
import { buildPipeline, inputsOf, type Pipeline } from '../pipeline/pipeline.ts'
import { isShared } from '../pipeline/wholeInputs.ts'
import type { SavedCheckpoint } from '../store/checkpoint.ts'
import type { OperatorCounts } from '../worker/operatorTally.ts'
import { AheadPush, type Credit } from './aheadPush.ts'
import { findWays, knownWays, refuseSharedResults, refuseTimelessMarkers } from './graphChecks.ts'
import { OutletReader } from './outletReader.ts'
import type { TaskCut } from './taskCut.ts'
import { TaskFailure } from './taskFailure.ts'
import { TaskHost } from './taskHost.ts'
import { TaskInputs } from './taskInputs.ts'
import { TaskMarkers } from './taskMarkers.ts'
import { TaskOperators } from './taskOperators.ts'
import { type SendingOutlet, TaskOutlets } from './taskOutlets.ts'
import { TaskResults } from './taskResults.ts'
import { TaskState } from './taskState.ts'
import type { OperatorStatus } from './taskStatus.ts'
import { alone, type TaskSurroundings } from './taskSurroundings.ts'
import { type IdleClock, TaskTime } from './taskTime.ts'
import { defaultLimits, type TaskLimits } from './workerLimits.ts'

/**
 * One partition with its operators and their state. Synchronous: when `push` returns, nothing is in flight in the graph but what asynchronous
 * operators wait for.
 *
 * Holds what the operators hold, and the rows and dead letters since the last cut; the worker bounds those by its credit. Everything that
 * happens is decided by the records alone, so the same records give the same rows, letters and state, however the cuts fall.
 * After an error it is broken for good and is replaced by one that is restored.
 */
export class StreamTask {
  readonly provenance: Provenance
  readonly facts: RecordFacts
  /** Records pushed since the last cut. */
  uncutRecords = 0
  /** Of their keys, headers and values. */
  uncutBytes = 0
  /** What decides the order of the inputs after a restart; null where there is one. */
  readonly savedMerge: Json
  /** Gives the same for the next cut; set by whoever merges. */
  mergeState: () => Json = () => null
  /** The times of the task that may move by themselves. */
  readonly idleClocks: readonly IdleClock[]
  /** True when a step of RxJS has put something off to another time. */
  #putsOff = false
  #watch: EmissionWatch | null = null
  readonly #limits: TaskLimits
  readonly #pipeline: Pipeline
  readonly #inputs: TaskInputs
  readonly #aheadPush: AheadPush
  readonly #time: TaskTime
  readonly #state: TaskState
  readonly #failure: TaskFailure
  readonly #aside: SetAside
  readonly #redrives: Redrives
  readonly #host: TaskHost
  readonly #operators: TaskOperators
  readonly #results: TaskResults
  readonly #outlets: TaskOutlets
  readonly #markers: TaskMarkers
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
    this.#pipeline = pipeline
    this.#limits = limits
    const starts = typeof startOffsets === 'number' ? [startOffsets] : startOffsets
    const nextOffsets = inputs.map((_, i) => savedOffset(saved, i) ?? (starts[i] as number))
    this.#inputs = new TaskInputs(inputs, nextOffsets)
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
    const time = new TaskTime(pipeline.name, this.#inputs, watermark, own.steps)
    const provenance = new Provenance(own.lastInput, lastOffset, lastOrdinals, limits.maxLetterBytes)
    const failure = new TaskFailure(pipeline, provenance, surroundings.isFatal)
    // What every task reads is set aside by every task, and stored by the first.
    const aside = new SetAside(provenance, (input) => surroundings.task === 0 || shared[input] !== true)
    const redrives = new Redrives(pipeline, provenance, aside)
    const host = new TaskHost(
      {
        ...{ provenance, time, failure, aside, redrives },
        failedAt: (node, record, error) => this.#aheadPush.failedAt(node, record, error),
        stepFailed: (below, error) => this.#stepFailed(below, error),
      },
      surroundings,
    )
    this.provenance = provenance
    this.facts = host.facts
    this.#time = time
    this.#failure = failure
    this.#aside = aside
    this.#redrives = redrives
    this.#host = host
    this.#operators = new TaskOperators(pipeline.name, host, time, this.#state, surroundings.watch)
    this.#results = new TaskResults(host, pipeline, failure, aside, this.#inputs.nextOffsets, limits)
    this.#aheadPush = new AheadPush(this, this.#inputs, limits)
    guardSchedulers()
    let outlets: TaskOutlets | null = null
    const build = () => {
      outlets = buildIn(this, () => this.#build(own.sent, surroundings))
    }
    const known = knownWays(pipeline)
    // Which input is above which operator is of interest only where there are several; what stands below what, once for a pipeline.
    const trace = this.#inputs.streams.size === 1 && known !== undefined ? null : traceSubscriptions(build)
    if (trace === null) build()
    this.#outlets = outlets as unknown as TaskOutlets
    this.#operators.seal()
    failure.check()
    const specs = this.#operators.all.map(({ spec }) => spec)
    redrives.goBy(known ?? findWays(pipeline, trace as SubscriptionTrace, specs, this.#outlets))
    if (this.#shared !== null) refuseSharedResults(pipeline.name, inputs, this.#outlets, trace as SubscriptionTrace)
    time.restore(own.clocks)
    this.idleClocks = time.idleClocks(inputs, this.#inputs.streams.size === 1 ? null : trace)
    this.#state.checkRetired()
    refuseTimelessMarkers(pipeline.name, this.#outlets, time.hasOwner)
    const lead = inputsOf(pipeline)[0]?.topic ?? onlyInput
    this.#markers = new TaskMarkers(this.#outlets, time, pipeline.name, lead, surroundings)
  }

  #build(sent: ReadonlyMap<string, number>, { openPacker }: TaskSurroundings): TaskOutlets {
    const { name } = this.#pipeline
    const built = buildPipeline(this.#pipeline, this.#inputs.streams)
    const outlets = new TaskOutlets(name, built, this.#inputs, sent, openPacker)
    for (const { buffer, values } of outlets.streams) {
      const observer = {
        next: (result: unknown) => this.#results.collect(buffer, result),
        error: (error: unknown) => this.#stepFailed(buffer.name, error),
        complete: () =>
          this.#failure.fail(new OperatorError(`${buffer.name}: the stream completed; a task's stream does not end`)),
      }
      const takesLent = buffer instanceof PackedRowBuffer && buffer.takesLent
      values.subscribe(takesLent ? new OutletReader(observer, buffer, this.#results, outlets.streams.length) : observer)
    }
    return outlets
  }

  /** Takes an operator in while the graph is built (`TaskOperators`). */
  subscribe<I, O>(spec: OperatorSpec, build: BuildLogic<I, O>, source: Observable<I>, subscriber: Subscriber<O>) {
    return this.#operators.subscribe(spec, build, source, subscriber)
  }

  /** Of the leading input. */
  get nextOffset(): number {
    return this.#inputs.nextOffsets[0] as number
  }

  /** Of each input. */
  get nextOffsets(): readonly number[] {
    return this.#inputs.nextOffsets
  }

  /** No record at or before this event time is expected any more, ms UTC; null before the first. */
  get watermark(): number | null {
    const { watermark } = this.#time.domain
    return Number.isFinite(watermark) ? watermark : null
  }

  /** By outlet, the input whose raw records it keeps. */
  get archives(): ReadonlyMap<string, number> {
    return this.#outlets.archives
  }

  /** Outlets whose messages are sent after the commit. */
  get sending(): readonly SendingOutlet[] {
    return this.#outlets.sending
  }

  /** The operators that ask somebody outside, and whether what they are answered is stored. */
  get asking(): readonly { readonly operator: string; readonly isRecorded: boolean }[] {
    return this.#operators.asking
  }

  /** True where `prepare` has to be asked before each `push`. */
  get needsPrepare(): boolean {
    return this.#inputs.needsPrepare
  }

  /**
   * Has the codec of the input fetch what it needs to decode the record, such as a schema; undefined where it has all, or needs nothing. To be awaited before the
   * record is pushed. Rejects with `RetryableError` where that is out of reach for now, and the task goes on as it was.
   */
  prepare(record: RecordView, input = 0): Promise<void> | undefined {
    return this.#inputs.prepare(input, record)
  }

  /** Before the first record: sets aside what belongs to other tasks, as attempts before this one have found out, also what is in windows of such rows already. */
  leaveElsewhere(elsewhere: Elsewhere): void {
    this.#host.elsewhereOf = elsewhere
    this.#results.elsewhere = elsewhere
    for (const { window, folds, detail } of elsewhere.windows())
      this.#act(() => this.#operators.leaveElsewhere(window, folds, detail))
  }

  /** True where rows are rendered as they come, so that one that cannot be is set aside with its record. Otherwise the store is who finds out. */
  get rendersRows(): boolean {
    return this.#results.rendersRows
  }

  set rendersRows(rendersRows: boolean) {
    this.#results.rendersRows = rendersRows
  }

  /** By operator, what holds the time back of those that learn it from markers. */
  timeHolders(): ReadonlyMap<string, TimeHolder> {
    return this.#time.holders()
  }

  /** Rows, messages, dead letters and recorded answers waiting for the next cut. */
  get uncutResults(): number {
    return this.#aside.letters.size + this.#host.told.size + this.#outlets.size + this.#markers.due
  }

  /** Of the same, roughly; bytes. */
  get uncutResultBytes(): number {
    return this.#aside.letters.bytes + this.#host.told.bytes + this.#outlets.bytes
  }

  /** Counts results and letters, so that who pushes many records at once sees that there is one more. */
  get brought(): number {
    return this.#results.brought + this.#aside.brought
  }

  /** While records come that were read ahead: those, with the one that is handled at hand. */
  set ahead(ahead: ReadAhead | null) {
    this.#host.ahead = ahead
  }

  get hasFailed(): boolean {
    return this.#failure.hasHappened
  }

  /** An operator has failed. */
  failed(node: AnyNode, error: unknown): void {
    this.#host.failed(node, error)
  }

  beginRecord(): void {
    this.#results.beginRecord()
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
    this.#results.beginRecord()
    const bytes = recordBytes(record)
    const marker = record.headersLength === 0 ? null : readMarker(record)
    const target = record.headersLength === 0 ? null : this.#redrives.targetOf(record)
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
      } else this.#act(() => this.#redrives.run(target, () => this.#inputs.push(input, record)))
    }
    provenance.end()
    this.#inputs.nextOffsets[input] = record.offset + 1
    this.uncutRecords += 1
    this.uncutBytes += bytes
    if (this.#failure.hasHappened) this.#failure.check()
  }

  /** True where values of records that were read ahead may be lent: nobody looks at each of them, and none has to be prepared. */
  get mayLend(): boolean {
    return this.#shared === null && this.#watch === null && !this.needsPrepare
  }

  /** True where nothing is to be waited for between two records. */
  get isSynchronous(): boolean {
    return this.#operators.isSynchronous
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
    if (this.#failure.hasHappened) this.#failure.check()
  }

  /**
   * From the next record on, until `stopWatching`, values on which a step that is no operator of ours is known to fail are set aside instead of passed on.
   * Where another one fails at a record where some are known, the error says on which value.
   */
  startWatching(leftOut: LeftOutAt): void {
    const setAside = ({ operator, reason, detail }: LeftOut) =>
      this.#aside.add({ operator: operator ?? this.#pipeline.name, reason, detail })
    this.#watch = new EmissionWatch(leftOut, this.provenance, setAside)
    this.#watch.start(this.#operators.all)
  }

  stopWatching(): void {
    this.#watch?.stop(this.#operators.all)
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
    this.#act(() => this.#operators.endInput())
    this.#time.closed()
  }

  /** True while asynchronous work in the graph leaves no room for another record. */
  get isSaturated(): boolean {
    return this.#operators.isSaturated
  }

  /** True when no asynchronous work is under way. */
  get isSettled(): boolean {
    return this.#operators.isSettled
  }

  /** Waits for asynchronous work in the graph and lets its results through, and what they set off, until none is under way. */
  async settle(): Promise<void> {
    await this.#operators.settle((release) => this.#act(release))
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

  /** Has every operator let go of what must not span a checkpoint. What that sets off may be under way afterwards. */
  letGo(cut: Cut): void {
    if (this.#putsOff) this.#failure.fail(putsOff())
    this.#act(() => this.#operators.cut(cut))
  }

  /** Ends asynchronous work: what is under way is not waited for, and nothing is started any more. */
  abandon(): void {
    this.#operators.abandon()
  }

  /** A step of RxJS puts something off. It ends the task at the next cut, for what it holds back is not in the checkpoint. */
  puttingOff(): void {
    this.#putsOff = true
  }

  /** Operators that still hold something open, and the watermark that each waits for. For status and for test reports. */
  openOperators(): { readonly name: string; readonly until: number }[] {
    return this.#operators.open()
  }

  /** How many values came to each operator since the task's start, and how many it passed on; in the order of the graph. */
  operatorCounts(): OperatorCounts {
    return this.#operators.counts()
  }

  /** The same, and what they hold. */
  operatorStatus(): OperatorStatus[] {
    return this.#operators.status()
  }

  #take(): TaskCut {
    this.uncutRecords = 0
    this.uncutBytes = 0
    const { nextOffsets } = this.#inputs
    const [nextOffset, ...otherOffsets] = nextOffsets
    const { input: lastInput, offset: lastOffset } = this.provenance
    const results = this.#outlets.counts()
    const rows = this.#outlets.takeRows()
    this.#markers.write()
    return {
      nextOffset: nextOffset as number,
      otherOffsets,
      watermark: this.watermark,
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
      deadLetters: this.#aside.letters.take(),
      answers: this.#host.told.take(),
      ...this.#time.take(),
    }
  }

  /** A marker is no value: it comes to no step of the graph, and moves the time of the operator that reads the markers of its input. */
  #takeMarker(marker: Marker | string, input: number): void {
    if (typeof marker !== 'string') this.#act(() => this.#time.mark(marker, input))
    else this.#aside.add({ operator: this.#pipeline.name, reason: 'bad-marker', detail: marker })
  }

  #setLargeAside(bytes: number): void {
    this.#aside.add({
      operator: this.#pipeline.name,
      reason: 'too-large',
      detail: `the record takes ${bytes} bytes, more than the ${this.#limits.maxRecordBytes} that are allowed: raise limits.maxRecordBytes (MILLRACE_MAX_RECORD_BYTES) if its producer meant that, and redrive it`,
    })
  }

  #stepFailed(below: string, error: unknown): void {
    this.#failure.failStep(below, error, this.#watch?.failed ?? null)
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
    this.#failure.check()
  }
}

function recordBytes({ keyLength, valueLength, headersLength }: RecordView): number {
  return (keyLength > 0 ? keyLength : 0) + (valueLength > 0 ? valueLength : 0) + headersLength
}

function savedOffset(saved: SavedCheckpoint | null, input: number): number | undefined {
  if (saved === null) return undefined
  return input === 0 ? saved.nextOffset : saved.others?.[input - 1]?.nextOffset
}

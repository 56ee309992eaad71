import { Observable, type Subscriber } from 'rxjs'
import type { IdleAdvance, SavedCheckpoint, StateFrame, TableWrite } from './checkpoint.ts'
import { buildIn, setRunning } from './currentTask.ts'
import { DeadLetterCollector, type Origin, type Rejected } from './deadLetters.ts'
import { ConfigurationError, MillraceError, OperatorError } from './errors.ts'
import type { Cut, Logic, OperatorSpec, Restored } from './operator.ts'
import type { Pipeline } from './pipeline.ts'
import type { RecordView } from './record.ts'
import type { Table } from './table.ts'
import { TaskState } from './taskState.ts'
import { TimeDomain } from './timeDomain.ts'

/** Everything that a task has to say at a cut; the worker adds the archive's share and commits it. */
export interface TaskCut {
  readonly nextOffset: number
  readonly watermark: number | null
  readonly state: StateFrame
  readonly writes: readonly TableWrite[]
  readonly deadLetters: ReturnType<DeadLetterCollector['take']>
  readonly idleAdvances: readonly IdleAdvance[]
}

/** Asynchronous work inside the graph that must be over before the task is cut. */
export interface PendingWork {
  /** True once nothing more should be pushed until it has settled. */
  readonly isSaturated: boolean
  readonly isIdle: boolean
  /** Resolves when all of it is done; `release` then emits the results. */
  settle(): Promise<void>
  release(): void
}

/**
 * One partition with its operators and their state. Synchronous: when `push` returns, nothing is in flight in the graph.
 *
 * Holds what the operators hold, and the rows and dead letters since the last cut; the worker bounds those by its credit. Everything that
 * happens is decided by the records alone, so the same records give the same rows, letters and state, however the cuts fall.
 * After an error it is broken for good and is replaced by one that is restored.
 */
export class StreamTask {
  readonly time = new TimeDomain()
  /** Records pushed since the last cut. */
  uncutRecords = 0
  #nextOffset = 0
  #isAtRest = true
  #isSealed = false
  #record: RecordView | null = null
  #origin: Origin | null = null
  #timeOwner: string | null = null
  #failure: { readonly error: unknown } | null = null
  #idleAdvances: IdleAdvance[] = []
  readonly #pipeline: Pipeline
  /** Who is subscribed to the records. Replaced and never changed, so a record goes to those who were there when its push began. */
  #readers: readonly Subscriber<RecordView>[] = []
  readonly #state: TaskState
  readonly #logics: { readonly name: string; readonly logic: Logic<never> }[] = []
  readonly #letters = new DeadLetterCollector()
  readonly #outlets: { readonly table: Table<unknown>; rows: unknown[] }[] = []
  readonly #pending: PendingWork[] = []

  /**
   * Builds the graph and restores its state.
   * @param startOffset the first offset to be pushed where nothing was saved
   * @throws StateMismatchError when the saved state does not fit the pipeline; ConfigurationError on a pipeline that is not well formed
   */
  constructor(pipeline: Pipeline, saved: SavedCheckpoint | null, startOffset: number) {
    this.#pipeline = pipeline
    this.#nextOffset = saved?.nextOffset ?? startOffset
    this.#state = new TaskState(saved?.state ?? [])
    if (saved !== null && saved.watermark !== null) this.time.watermark = saved.watermark
    buildIn(this, () => {
      for (const [name, outlet] of Object.entries(pipeline.build(this.#records()))) {
        const buffer = { table: outlet.table as Table<unknown>, rows: [] as unknown[] }
        this.#outlets.push(buffer)
        outlet.rows.subscribe({
          next: (row) => this.#collect(name, buffer, row),
          error: (error) => this.#fail(error),
          complete: () => this.#fail(new OperatorError(`${name}: the stream completed; a task's stream does not end`)),
        })
      }
    })
    this.#isSealed = true
    if (this.#outlets.length === 0) throw new ConfigurationError(`pipeline ${pipeline.name} has no outlet`)
    this.#state.checkRetired(pipeline)
    this.#throwFailure()
  }

  get nextOffset(): number {
    return this.#nextOffset
  }

  get isAtRest(): boolean {
    return this.#isAtRest
  }

  /** Rows and dead letters waiting for the next cut. */
  get uncutResults(): number {
    let count = this.#letters.count
    for (const outlet of this.#outlets) count += outlet.rows.length
    return count
  }

  /** Runs the record through the whole graph. Offsets only grow; gaps are fine. Throws the first error of the graph. */
  push(record: RecordView): void {
    this.#record = record
    this.#isAtRest = false
    setRunning(this)
    for (const reader of this.#readers) reader.next(record)
    setRunning(null)
    this.#isAtRest = true
    this.#record = null
    this.#nextOffset = record.offset + 1
    this.uncutRecords += 1
    if (this.#failure !== null) this.#throwFailure()
  }

  /** The log has nothing below this offset any more (compaction leaves gaps). */
  skipTo(offset: number): void {
    if (offset > this.#nextOffset) this.#nextOffset = offset
  }

  /** Moves the watermark without a record, and remembers that it did so at this offset. */
  advanceIdle(watermark: number): void {
    if (watermark <= this.time.watermark) return
    this.#idleAdvances.push({ offset: this.#nextOffset, watermark })
    this.#act(() => this.time.advance(watermark))
  }

  /**
   * Declares the input ended: operators emit what they hold back, and every window that is still open fires, by moving the watermark to
   * where the last of them ends. What comes later for those windows is late.
   */
  closeOpen(): void {
    this.#act(() => {
      for (const { logic } of this.#logics) logic.onComplete?.()
    })
    for (let until = this.#openUntil(); until > this.time.watermark; until = this.#openUntil()) this.advanceIdle(until)
  }

  /** True while asynchronous work in the graph leaves no room for another record. */
  get isSaturated(): boolean {
    return this.#pending.some((work) => work.isSaturated)
  }

  /** Waits for asynchronous work in the graph and lets its results through. */
  async settle(): Promise<void> {
    for (const work of this.#pending) {
      if (work.isIdle) continue
      await work.settle()
      this.#act(() => work.release())
    }
  }

  get isSettled(): boolean {
    return this.#pending.every((work) => work.isIdle)
  }

  /** Lets operators let go, snapshots them, and hands over what has come together since the last cut. At rest only. */
  cut(cut: Cut): TaskCut {
    if (!this.isSettled) throw new OperatorError('cut before asynchronous work had settled')
    this.#act(() => {
      for (const { logic } of this.#logics) logic.onCut?.(cut)
    })
    const writes: TableWrite[] = []
    for (const outlet of this.#outlets) {
      if (outlet.rows.length === 0) continue
      writes.push({ table: outlet.table, rows: outlet.rows })
      outlet.rows = []
    }
    const idleAdvances = this.#idleAdvances
    this.#idleAdvances = []
    this.uncutRecords = 0
    return {
      nextOffset: this.#nextOffset,
      watermark: Number.isFinite(this.time.watermark) ? this.time.watermark : null,
      state: this.#state.take(),
      writes,
      deadLetters: this.#letters.take(),
      idleAdvances,
    }
  }

  /** Throws when the graph is built already: an operator that comes later could not be restored. */
  requireOpen(name: string): void {
    if (this.#isSealed) {
      throw new OperatorError(
        `${name}: subscribed after the graph of pipeline ${this.#pipeline.name} was built. Build every operator in build(), ` +
          'and subscribe to nothing later (switchMap, defer, retry and repeat do).',
      )
    }
  }

  /** For an operator that is being built: what was saved under its name. Refuses a misfit. */
  restoredFor(spec: OperatorSpec): Restored {
    return this.#state.restoredFor(spec)
  }

  /** Takes an operator in, after everything upstream of it. */
  bind(spec: OperatorSpec, logic: Logic<never>): void {
    if (spec.ownsTime === true) {
      if (this.#timeOwner !== null) {
        throw new ConfigurationError(
          `pipeline ${this.#pipeline.name} has two eventTime operators (${this.#timeOwner}, ${spec.name}); a task has one watermark. Share the first.`,
        )
      }
      this.#timeOwner = spec.name
    }
    this.#state.bind(spec, logic)
    this.#logics.push({ name: spec.name, logic })
  }

  track(work: PendingWork): void {
    this.#pending.push(work)
  }

  reject(rejected: Rejected, origin?: Origin): void {
    this.#letters.add(origin ?? this.originOf(rejected.operator), rejected)
  }

  during(origin: Origin, act: () => void): void {
    const before = this.#origin
    this.#origin = origin
    act()
    this.#origin = before
  }

  originOf(operator: string): Origin {
    if (this.#origin !== null) return { ...this.#origin, ordinal: 0 }
    return this.#letters.originOf(operator, this.#record, this.#nextOffset - 1)
  }

  restViolation(name: string): OperatorError {
    return new OperatorError(
      `${name}: a value arrived while the task was at rest, so some operator above it emits on its own (delay, debounceTime, ` +
        'observeOn, concatMap or mergeMap with a promise). Use mapAsync for asynchronous work, and event time for timers.',
    )
  }

  /** Operators that still hold something open, and the watermark that each waits for. For status and for test reports. */
  openOperators(): { readonly name: string; readonly until: number }[] {
    const open: { name: string; until: number }[] = []
    for (const { name, logic } of this.#logics) {
      const until = logic.openUntil?.()
      if (until !== undefined) open.push({ name, until })
    }
    return open
  }

  #openUntil(): number {
    let until = Number.NEGATIVE_INFINITY
    for (const open of this.openOperators()) until = Math.max(until, open.until)
    return until
  }

  #records(): Observable<RecordView> {
    return new Observable((reader) => {
      this.#readers = [...this.#readers, reader]
      return () => {
        this.#readers = this.#readers.filter((one) => one !== reader)
      }
    })
  }

  #act(act: () => void): void {
    this.#isAtRest = false
    setRunning(this)
    try {
      act()
    } finally {
      setRunning(null)
      this.#isAtRest = true
    }
    if (this.#failure !== null) this.#throwFailure()
  }

  #collect(name: string, outlet: { rows: unknown[] }, row: unknown): void {
    if (this.#isAtRest) this.#fail(this.restViolation(name))
    else if (Array.isArray(row)) for (const one of row) outlet.rows.push(one)
    else outlet.rows.push(row)
  }

  #fail(error: unknown): void {
    this.#failure ??= { error }
  }

  #throwFailure(): void {
    if (this.#failure === null) return
    const { error } = this.#failure
    if (error instanceof MillraceError) throw error
    throw new OperatorError(
      `pipeline ${this.#pipeline.name} failed at offset ${this.#nextOffset - 1}: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error, pipeline: this.#pipeline.name, offset: this.#nextOffset - 1 },
    )
  }
}

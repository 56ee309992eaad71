import type { DeadLetter } from '../../runtime/checkpoint.ts'
import { encodeHeaders } from '../../runtime/encodeHeaders.ts'
import { ConfigurationError, OperatorError } from '../../runtime/errors.ts'
import type { RowsOutlet } from '../../runtime/outlet.ts'
import type { Outlets, Pipeline } from '../../runtime/pipeline.ts'
import { type RecordHeader, RecordView } from '../../runtime/record.ts'
import type { StreamTask } from '../../runtime/streamTask.ts'
import type { Table } from '../../runtime/table.ts'
import { describeDifference, type Findings, findingsText } from './findings.ts'
import { ReplayedTask } from './replayedTask.ts'
import { TableRows } from './tableRows.ts'
import { poisoned } from './watchedTask.ts'

/** A record of the test: text as it is, anything else that is not bytes as JSON. */
export interface TestRecord {
  readonly value: unknown
  /** Text is taken as UTF-8. */
  readonly key?: string | Uint8Array | null
  readonly headers?: readonly RecordHeader[]
  /** ms UTC; none unless told. */
  readonly timestamp?: number
}

/** How often `testPipeline` interrupts the pipeline, and what it keeps from it. */
export interface TestPipelineOptions {
  /**
   * After how many records the state is saved, turned into bytes and restored into a new task; after each one unless told otherwise. State
   * that an operator forgets to save shows up as a wrong row, without a crash schedule.
   */
  readonly restoreEvery?: 'record' | number
  /** Offsets of records after which the task is lost together with everything since its last checkpoint, which is then pushed again. */
  readonly crashAt?: readonly number[]
  /** Processing time at the start, ms UTC: only provisional results see it. */
  readonly startMs?: number
  /** False where `mapAsync` calls a client that asks for the time or sets timers while a record is pushed; true unless told otherwise. */
  readonly isPoisoned?: boolean
}

/** The type of the rows that an outlet writes. */
export type RowOf<O> = O extends RowsOutlet<infer Row> ? Row : never

/** What `finish` lets pass. */
export interface FinishOptions {
  /** Windows and other things that wait for time may be left open. */
  readonly mayBeOpen?: boolean
}

/**
 * Runs one partition of a pipeline in a test, synchronously, and against itself: beside the task that is saved and restored
 * all the time (and crashes where told), the same records go through one that is never interrupted. `finish` compares both.
 *
 * While a record is pushed the wall clock, chance and timers are poisoned; the error names the operator that asked.
 */
export function testPipeline<const O extends Outlets>(
  pipeline: Pipeline<O>,
  options: TestPipelineOptions = {},
): TestRun<O> {
  return new TestRun(pipeline, options)
}

/** A test of one pipeline over one partition, from `testPipeline` to `finish`. Keeps every row and dead letter of the test. */
export class TestRun<O extends Outlets> {
  readonly #pipeline: Pipeline<O>
  readonly #restoreEvery: number
  readonly #crashAt: Set<number>
  readonly #tables = new Map<string, Table<never>>()
  readonly #committed = new TableRows()
  readonly #plainRows = new TableRows()
  /** Saved and restored all the time. */
  readonly #task: ReplayedTask
  /** Never interrupted. */
  readonly #plain: ReplayedTask
  #plainLetters: DeadLetter[] = []
  #letters: DeadLetter[] = []
  #isLetterSeen = false
  #offset = 0
  #now: number

  constructor(pipeline: Pipeline<O>, options: TestPipelineOptions) {
    const every = options.restoreEvery ?? 'record'
    this.#restoreEvery = every === 'record' ? 1 : every
    if (!(Number.isInteger(this.#restoreEvery) && this.#restoreEvery > 0)) {
      throw new ConfigurationError(`testPipeline: restoreEvery must be 'record' or a positive integer, got ${every}`)
    }
    this.#crashAt = new Set(options.crashAt ?? [])
    this.#now = options.startMs ?? 0
    const run: <T>(act: () => T) => T = options.isPoisoned === false ? (act) => act() : poisoned
    // The task's own build runs again at each restore; the tables are the same each time.
    this.#pipeline = {
      ...pipeline,
      build: (streams) => {
        const outlets = pipeline.build(streams)
        for (const [name, outlet] of Object.entries(outlets)) {
          if (outlet.kind === 'rows') this.#tables.set(name, outlet.table)
        }
        return outlets
      },
    }
    this.#task = new ReplayedTask(this.#pipeline as Pipeline, run)
    this.#plain = new ReplayedTask(this.#pipeline as Pipeline, run)
  }

  /** No record at or before this event time is expected any more, ms UTC; null before the first. */
  get watermark(): number | null {
    const { watermark } = this.#task.task.time
    return Number.isFinite(watermark) ? watermark : null
  }

  /** Pushes records, one after the other. */
  push(...records: readonly TestRecord[]): void {
    for (const record of records) {
      const offset = this.#offset++
      const view = viewOf(record, offset)
      for (const run of [this.#plain, this.#task]) run.push(view)
      if (this.#crashAt.delete(offset)) this.crash()
      else if ((offset + 1) % this.#restoreEvery === 0) this.checkpoint()
    }
  }

  /** Pushes values as JSON, without key and timestamp. */
  pushValues(...values: readonly unknown[]): void {
    this.push(...values.map((value) => ({ value })))
  }

  /** Moves the watermark without a record, as a recorded idle advance does. */
  advanceTo(eventTime: number): void {
    this.#atRest((task) => task.advanceIdle(eventTime))
  }

  /** Lets processing time pass, which only provisional results at the next checkpoint see. */
  passTime(ms: number): void {
    this.#now += ms
  }

  /** Fires everything that is still open, as at the end of a tape. */
  closeOpen(): void {
    this.#atRest((task) => task.closeOpen())
    this.checkpoint()
  }

  /** Waits for asynchronous work of the graph (`mapAsync`) in both tasks, and for what it sets off. */
  async settle(): Promise<void> {
    await this.#task.settle()
    await this.#plain.settle()
    this.checkpoint()
  }

  /** Commits what has come together and goes on in a new task, restored from the bytes of the checkpoint. */
  checkpoint(): void {
    const cut = this.#task.cut({ now: this.#now, isFinal: false })
    // A cut must wait for asynchronous work; the next checkpoint takes it in.
    if (cut === null) return
    this.#committed.apply(cut.writes)
    this.#letters.push(...cut.deadLetters)
    this.#task.save(cut)
  }

  /** Loses the task with everything since its last checkpoint, restores it and pushes the same records again. */
  crash(): void {
    this.#task.restore()
  }

  /** What the outlet's table holds: newest revisions by key, or all rows of a table that is only added to. */
  rows<N extends keyof O & string>(name: N): RowOf<O[N]>[] {
    this.checkpoint()
    return this.#committed.rows(this.#tableOf(name)) as RowOf<O[N]>[]
  }

  /** Everything set aside so far. `finish` complains about dead letters that were never looked at. */
  deadLetters(): readonly DeadLetter[] {
    this.checkpoint()
    this.#isLetterSeen = true
    return this.#letters
  }

  /**
   * Ends the test. Throws, with a table, where the interrupted run differs from the uninterrupted one, something is still open,
   * a crash was never reached, or there are dead letters that the test has not looked at.
   */
  finish(options: FinishOptions = {}): void {
    // Provisional results come at most once in a while; an hour later everything that is open shows itself.
    this.passTime(3_600_000)
    this.checkpoint()
    const cut = this.#plain.cut({ now: this.#now, isFinal: false })
    if (cut === null) throw new Error('asynchronous work is under way: await settle() before finish()')
    this.#plainRows.apply(cut.writes)
    this.#plainLetters.push(...cut.deadLetters)
    const findings: Findings = {
      open: options.mayBeOpen === true ? [] : this.#task.task.openOperators(),
      watermark: this.watermark,
      unreachedCrashes: [...this.#crashAt],
      pushed: this.#offset,
      letters: this.#isLetterSeen ? [] : this.#letters,
      differences: this.#differences(),
    }
    const text = findingsText(this.#pipeline.name, findings)
    if (text !== null) throw new Error(text)
  }

  #differences(): string[] {
    const tables = [...this.#tables].flatMap(([name, table]) =>
      describeDifference(name, table, this.#committed.rows(table), this.#plainRows.rows(table)),
    )
    const [restored, plain] = [this.#letters, this.#plainLetters].map((letters) =>
      letters.map((letter) => letterText(letter)).sort(),
    )
    const isSame = JSON.stringify(restored) === JSON.stringify(plain)
    return isSame
      ? tables
      : [...tables, `dead letters: [${restored?.join('; ')}], uninterrupted: [${plain?.join('; ')}]`]
  }

  /** As a worker does, which first has operators let go and waits for asynchronous work. */
  #atRest(act: (task: StreamTask) => void): void {
    const cut = { now: this.#now, isFinal: false }
    const letGoFirst = (task: StreamTask) => {
      task.letGo(cut)
      if (!task.isSettled) throw new OperatorError('asynchronous work is under way: await settle() before time moves')
      act(task)
    }
    for (const run of [this.#plain, this.#task]) run.act(letGoFirst)
  }

  #tableOf(name: string): Table<never> {
    const table = this.#tables.get(name)
    if (table !== undefined) return table
    throw new ConfigurationError(
      `pipeline ${this.#pipeline.name} has no outlet ${name}; it has ${[...this.#tables.keys()].join(', ')}`,
    )
  }
}

const NOTHING = Buffer.alloc(0)

function viewOf(record: TestRecord, offset: number): RecordView {
  const { value } = record
  const bytes =
    value === null || value === undefined || value instanceof Uint8Array
      ? value
      : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
  const key = typeof record.key === 'string' ? Buffer.from(record.key) : record.key
  const headers = encodeHeaders(record.headers ?? [])
  const view = new RecordView()
  view.offset = offset
  view.timestamp = record.timestamp ?? -1
  view.buffer = Buffer.concat([headers, key ?? NOTHING, bytes ?? NOTHING])
  view.headersLength = headers.length
  view.keyStart = headers.length
  view.keyLength = key?.length ?? -1
  view.valueStart = headers.length + (key?.length ?? 0)
  view.valueLength = bytes?.length ?? -1
  return view
}

/** All of a letter, so that one that lost its bytes differs. */
function letterText({ offset, operator, ordinal, reason, recordTime, key, headers, payload }: DeadLetter): string {
  const text = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString('base64'))
  const carried = JSON.stringify([
    recordTime,
    text(key),
    headers.map((one) => [one.key, text(one.value)]),
    text(payload),
  ])
  return `${offset} ${operator} ${ordinal} ${reason} ${carried}`
}

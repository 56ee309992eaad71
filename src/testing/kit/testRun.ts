import type { TwoWayCodec } from '../../codecs/twoWayCodec.ts'
import { ConfigurationError, OperatorError } from '../../runtime/errors.ts'
import type { AnyTopic } from '../../runtime/log/topic.ts'
import { checkOptions, type OptionRules, optional } from '../../runtime/options.ts'
import type { Input, Inputs, ResolvedInput } from '../../runtime/pipeline/input.ts'
import type { MessagesOutlet, MessageTarget, RowsOutlet } from '../../runtime/pipeline/outlet.ts'
import { callBuild, inputsOf, type Outlets, type Pipeline } from '../../runtime/pipeline/pipeline.ts'
import type { DeadLetter } from '../../runtime/store/checkpoint.ts'
import type { Table } from '../../runtime/store/table.ts'
import type { StreamTask } from '../../runtime/task/streamTask.ts'
import type { TaskCut } from '../../runtime/task/taskCut.ts'
import { describeDifference, type Findings, findingsText, onlyInOne } from './findings.ts'
import { ReplayedTask } from './replayedTask.ts'
import { TableRows } from './tableRows.ts'
import { decodedMessage, messageText, type TestMessage, TestMessages } from './testMessages.ts'
import { type TestRecord, viewOf } from './testRecord.ts'
import { poisoned } from './watchedTask.ts'

/** How often `testPipeline` interrupts the pipeline, and what it keeps from it. */
export interface TestPipelineOptions {
  /**
   * After how many records the state is saved, turned into bytes and restored into a new task; after each one unless told otherwise. State
   * that an operator forgets to save shows up as a wrong row, without a crash schedule.
   */
  readonly restoreEvery?: 'record' | number
  /**
   * Records after which the task is lost together with everything since its last checkpoint, which is then pushed again: counted from 0 in the order in
   * which they are pushed, which with one input is their offset.
   */
  readonly crashAt?: readonly number[]
  /** Processing time at the start, ms UTC: only provisional results see it. */
  readonly startMs?: number
  /** False where `mapAsync` calls a client that asks for the time or sets timers while a record is pushed; true unless told otherwise. */
  readonly isPoisoned?: boolean
}

const rules: OptionRules<TestPipelineOptions> = {
  restoreEvery: optional.such("'record' or a number", (value) => value === 'record' || typeof value === 'number'),
  crashAt: optional.list,
  startMs: optional.number,
  isPoisoned: optional.flag,
}

/** The type of the rows that an outlet writes. */
export type RowOf<O> = O extends RowsOutlet<infer Row> ? Row : never

/** The type of the values that an outlet makes messages of. */
export type MessageOf<O> = O extends MessagesOutlet<infer T> ? T : never

/** The codec by which an input is read; undefined where `build` gets bytes. */
export type CodecOf<I extends Input> = I extends AnyTopic
  ? I['value']
  : I extends { readonly codec: infer C }
    ? C
    : I extends { readonly topic: infer T extends AnyTopic }
      ? T['value']
      : undefined

/** What a test pushes as a value of an input: what its codec can write, or anything, as JSON, where the codec cannot write or is missing. */
export type PushedValue<I extends Input> = CodecOf<I> extends TwoWayCodec<infer T> ? T : unknown

/** What `finish` lets pass. */
export interface FinishOptions {
  /** Windows and other things that wait for time may be left open. */
  readonly mayBeOpen?: boolean
}

/** What the tasks of one run have given so far. */
class Results {
  readonly rows = new TableRows()
  readonly messages = new TestMessages()
  readonly letters: DeadLetter[] = []

  take({ writes, messages, deadLetters }: TaskCut): void {
    this.rows.apply(writes)
    this.messages.apply(messages)
    this.letters.push(...deadLetters)
  }
}

/** A test of one pipeline over one partition, from `testPipeline` to `finish`. Keeps every row, message and dead letter of the test. */
export abstract class TestRun<O extends Outlets> {
  readonly #pipeline: Pipeline
  readonly #inputs: readonly ResolvedInput[]
  readonly #restoreEvery: number
  readonly #crashAt: Set<number>
  readonly #tables = new Map<string, Table<never>>()
  readonly #targets = new Map<string, MessageTarget>()
  readonly #committed = new Results()
  readonly #plainResults = new Results()
  /** Saved and restored all the time. */
  readonly #task: ReplayedTask
  /** Never interrupted, and lent the values of its records. */
  readonly #plain: ReplayedTask
  /** The next offset of each input. */
  readonly #offsets: number[]
  #isLetterSeen = false
  #pushed = 0
  #now: number

  protected constructor(pipeline: Pipeline<O>, options: TestPipelineOptions) {
    checkOptions('testPipeline', options, rules)
    const every = options.restoreEvery ?? 'record'
    this.#restoreEvery = every === 'record' ? 1 : every
    if (!(Number.isInteger(this.#restoreEvery) && this.#restoreEvery > 0)) {
      throw new ConfigurationError(`testPipeline: restoreEvery must be 'record' or a positive integer, got ${every}`)
    }
    this.#crashAt = new Set(options.crashAt ?? [])
    this.#now = options.startMs ?? 0
    this.#inputs = inputsOf(pipeline)
    this.#offsets = this.#inputs.map(() => 0)
    const run: <T>(act: () => T) => T = options.isPoisoned === false ? (act) => act() : poisoned
    // The task's own build runs again at each restore; where its outlets go is the same each time.
    this.#pipeline = {
      ...pipeline,
      build: (streams) => {
        const outlets = callBuild(pipeline, streams)
        for (const [name, outlet] of Object.entries(outlets)) {
          if (outlet.kind === 'rows') this.#tables.set(name, outlet.table)
          if (outlet.kind === 'messages') this.#targets.set(name, outlet.to)
        }
        return outlets
      },
    }
    this.#task = new ReplayedTask(this.#pipeline, run, false)
    this.#plain = new ReplayedTask(this.#pipeline, run, true)
  }

  /** No record at or before this event time is expected any more, ms UTC; null before the first. */
  get watermark(): number | null {
    return this.#task.task.watermark
  }

  /** Moves the watermark without a record, as a recorded idle advance does. Of several times (`eventTime` of several inputs) the one that is named, or all of them. */
  advanceTo(eventTime: number, clock?: string): void {
    this.#atRest((task) => {
      const clocks = clock === undefined ? task.idleClocks.map(({ name }) => name) : [clock]
      if (clocks.length === 0) throw movedByMarkers(this.#pipeline.name)
      for (const name of clocks) task.advanceIdle(eventTime, name)
    })
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
    this.#committed.take(cut)
    this.#task.save(cut)
  }

  /** Loses the task with everything since its last checkpoint, restores it and pushes the same records again. */
  crash(): void {
    this.#task.restore()
  }

  /** What the outlet's table holds: newest revisions by key, or all rows of a table that is only added to. */
  rows<N extends keyof O & string>(name: N): RowOf<O[N]>[] {
    this.checkpoint()
    return this.#committed.rows.rows(this.#found(this.#tables, 'rows', name)) as RowOf<O[N]>[]
  }

  /**
   * The messages of an outlet to a topic, a webhook or a destination of one's own, in their order: what is sent, and beside it the value as the topic's codec reads it again. Markers are left
   * out (`sent` has them). Throws where that codec cannot read one.
   */
  messages<N extends keyof O & string>(name: N): TestMessage<MessageOf<O[N]>>[] {
    this.checkpoint()
    const target = this.#found(this.#targets, 'messages', name)
    const messages = this.#committed.messages.of(name)
    return messages.map((message) => decodedMessage(name, message, target) as TestMessage<MessageOf<O[N]>>)
  }

  /**
   * All that an outlet has sent so far, markers included, as records: to be pushed to the pipeline that reads the topic. Markers are written at checkpoints, so a test that has one after each record
   * (`restoreEvery`) has the most of them.
   */
  sent(name: keyof O & string): TestRecord[] {
    this.checkpoint()
    this.#found(this.#targets, 'messages', name)
    return this.#committed.messages
      .withMarkers(name)
      .map(({ key, value, headers = [], time }) => ({ key, value, headers, timestamp: time }))
  }

  /** Everything set aside so far. `finish` complains about dead letters that were never looked at. */
  deadLetters(): readonly DeadLetter[] {
    this.checkpoint()
    this.#isLetterSeen = true
    return this.#committed.letters
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
    this.#plainResults.take(cut)
    const findings: Findings = {
      inputs: this.#inputs.map(({ name }) => name),
      open: options.mayBeOpen === true ? [] : this.#task.task.openOperators(),
      watermark: this.watermark,
      unreachedCrashes: [...this.#crashAt],
      pushed: this.#pushed,
      letters: this.#isLetterSeen ? [] : this.#committed.letters,
      differences: this.#differences(),
    }
    const text = findingsText(this.#pipeline.name, findings)
    if (text !== null) throw new Error(text)
  }

  /** Pushes records of one input, one after the other. */
  protected pushRecords(input: number, records: readonly TestRecord[]): void {
    for (const record of records) {
      const offset = this.#offsets[input] as number
      const number = this.#pushed++
      this.#offsets[input] = offset + 1
      const view = viewOf(record, offset)
      for (const run of [this.#plain, this.#task]) run.push(view, input)
      if (this.#crashAt.delete(number)) this.crash()
      else if (this.#pushed % this.#restoreEvery === 0) this.checkpoint()
    }
  }

  /** Has the codec of the input fetch what it needs for the records, which are not pushed. */
  protected async prepareRecords(input: number, records: readonly TestRecord[]): Promise<void> {
    for (const [i, record] of records.entries()) await this.#plain.task.prepare(viewOf(record, i), input)
  }

  /** The number of the input of that name. Throws `ConfigurationError` where there is none. */
  protected inputNumber(name: string): number {
    const number = this.#inputs.findIndex((input) => input.name === name)
    if (number >= 0) return number
    throw new ConfigurationError(
      `pipeline ${this.#pipeline.name} has no input ${name}; it has ${this.#inputs.map((input) => input.name).join(', ')}`,
    )
  }

  /** A record of the value, written by the codec of the input where it can write. */
  protected written(input: number, value: unknown): TestRecord {
    const codec = this.#inputs[input]?.codec ?? null
    if (codec === null || !('encode' in codec)) return { value }
    return { value: (codec as TwoWayCodec<unknown>).encode(value) }
  }

  #differences(): string[] {
    const [restored, plain] = [this.#committed, this.#plainResults]
    const rows = [...this.#tables].flatMap(([name, table]) =>
      describeDifference(name, table, restored.rows.rows(table), plain.rows.rows(table)),
    )
    const messages = [...this.#targets.keys()].flatMap((name) =>
      onlyInOne(name, restored.messages.of(name).map(messageText), plain.messages.of(name).map(messageText)),
    )
    const [lettersRestored, lettersPlain] = [restored, plain].map(({ letters }) => letters.map(letterText).sort())
    const isSame = JSON.stringify(lettersRestored) === JSON.stringify(lettersPlain)
    const letters = isSame
      ? []
      : [`dead letters: [${lettersRestored?.join('; ')}], uninterrupted: [${lettersPlain?.join('; ')}]`]
    return [...rows, ...messages, ...letters]
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

  #found<T>(outlets: ReadonlyMap<string, T>, kind: 'rows' | 'messages', name: string): T {
    const found = outlets.get(name)
    if (found !== undefined) return found
    const known = [...outlets.keys()].join(', ') || 'none'
    throw new ConfigurationError(
      `pipeline ${this.#pipeline.name} has no outlet ${name} of ${kind}; outlets of ${kind} are: ${known}`,
    )
  }
}

/** A test of a pipeline that reads one topic, which whoever runs it names. Keeps every row, message and dead letter of the test. */
export class RecordsTestRun<O extends Outlets> extends TestRun<O> {
  constructor(pipeline: Pipeline<O>, options: TestPipelineOptions) {
    super(pipeline, options)
  }

  /** Pushes records, one after the other. */
  push(...records: readonly TestRecord[]): void {
    this.pushRecords(0, records)
  }

  /** Pushes values as JSON, without key and timestamp. */
  pushValues(...values: readonly unknown[]): void {
    this.push(...values.map((value) => ({ value })))
  }
}

/**
 * A test of a pipeline with inputs of its own. Records come to the pipeline in the order in which they are pushed, whatever their timestamps. Keeps every row, message and
 * dead letter of the test.
 */
export class InputsTestRun<I extends Inputs, O extends Outlets> extends TestRun<O> {
  constructor(pipeline: Pipeline<O>, options: TestPipelineOptions) {
    super(pipeline, options)
  }

  /**
   * Has the codec of the input fetch what it needs to decode these records, such as a schema of a registry. The test pushes them afterwards: a push never waits.
   * Rejects with what the codec's `prepare` rejects with.
   */
  async prepare<N extends keyof I & string>(input: N, ...records: readonly TestRecord[]): Promise<void> {
    await this.prepareRecords(this.inputNumber(input), records)
  }

  /** Pushes records of the input, one after the other. */
  push<N extends keyof I & string>(input: N, ...records: readonly TestRecord[]): void {
    this.pushRecords(this.inputNumber(input), records)
  }

  /** Pushes values of the input, without key and timestamp: as its codec writes them, or as JSON where it has none that writes. */
  pushValues<N extends keyof I & string>(input: N, ...values: readonly PushedValue<I[N]>[]): void {
    const number = this.inputNumber(input)
    this.pushRecords(
      number,
      values.map((value) => this.written(number, value)),
    )
  }
}

function movedByMarkers(pipeline: string): ConfigurationError {
  return new ConfigurationError(
    `pipeline ${pipeline}: its time moves by markers alone (upstreamTime); push testMarker({ watermark }) instead of advanceTo`,
  )
}

/** All of a letter, so that one that lost its bytes differs. */
function letterText({ input = 0, offset, operator, ordinal, reason, recordTime, key, headers, payload }: DeadLetter) {
  const text = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString('base64'))
  const carried = JSON.stringify([
    recordTime,
    text(key),
    headers.map((one) => [one.key, text(one.value)]),
    text(payload),
  ])
  return `${input === 0 ? '' : `input ${input} `}${offset} ${operator} ${ordinal} ${reason} ${carried}`
}

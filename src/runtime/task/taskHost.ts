import type { Clock } from '../clock.ts'
import { emitsAtRest } from '../graph/graphErrors.ts'
import { AwaitingCut } from '../letters/awaitingCut.ts'
import type { Origin, Rejected } from '../letters/deadLetters.ts'
import type { Elsewhere } from '../letters/elsewhere.ts'
import { atRest, type Provenance } from '../letters/provenance.ts'
import type { Redrives } from '../letters/redrives.ts'
import type { SetAside } from '../letters/setAside.ts'
import type { ReadAhead } from '../log/readAhead.ts'
import type { RecordFacts } from '../log/record.ts'
import type { OperatorSpec } from '../operator/operator.ts'
import type { OperatorHost } from '../operator/operatorHost.ts'
import type { AnyNode } from '../operator/operatorNode.ts'
import type { AnswerBook, AskedPlace, LookupAnswer } from '../store/answers.ts'
import type { RowMaker } from '../store/foreignRows.ts'
import { asRetryable } from '../transient.ts'
import type { TaskFailure } from './taskFailure.ts'
import type { TaskSurroundings } from './taskSurroundings.ts'
import type { TaskTime } from './taskTime.ts'

/** What a task hands on that its operators do or fail at. */
export interface HostedTask {
  readonly provenance: Provenance
  readonly time: TaskTime
  readonly failure: TaskFailure
  readonly aside: SetAside
  readonly redrives: Redrives
  /** An operator has failed at the value of one of the records that are taken as a span. */
  readonly failedAt: (node: AnyNode, record: number, error: unknown) => void
  /** A step that is no operator of ours has failed above the operator. */
  readonly stepFailed: (below: string, error: unknown) => void
}

/** What a task is to its operators: whose doing it is what they do, who takes what they set aside and fail at, and what they may ask. */
export class TaskHost implements OperatorHost {
  readonly isTask = true
  readonly facts: RecordFacts = { isJsonObject: false }
  readonly provenance: Provenance
  readonly clock: Clock
  readonly tasks: number
  readonly answers: AnswerBook
  ahead: ReadAhead | null = null
  stage: AnyNode | null | undefined = null
  maker: RowMaker | null = null
  /** What is known of windows that are other tasks'. */
  elsewhereOf: Elsewhere | null = null
  /** What operators were told from outside. */
  readonly told = new AwaitingCut<LookupAnswer>(({ answer, key }) => answer.length + key.length)
  /** What was made by a window and is held back on its way; null while nothing ever was. */
  #made: WeakMap<object, RowMaker> | null = null
  readonly #task: HostedTask

  constructor(task: HostedTask, { clock, tasks, answers }: TaskSurroundings) {
    this.#task = task
    this.provenance = task.provenance
    this.clock = clock
    this.tasks = tasks
    this.answers = answers
  }

  admits(node: AnyNode, value: unknown): boolean {
    if (this.provenance.gate !== atRest) return this.#task.redrives.admits(node, value)
    this.#task.failure.fail(emitsAtRest(node.spec.name))
    return false
  }

  failed(node: AnyNode, error: unknown): void {
    const { failure, aside } = this.#task
    const found = node.work === null ? error : asRetryable(error, node.spec.name)
    if (failure.isFatal(found)) failure.fail(found)
    else aside.add({ operator: node.spec.name, reason: 'failed', detail: String(found) })
  }

  failedAt(node: AnyNode, record: number, error: unknown): void {
    this.#task.failedAt(node, record, error)
  }

  stepFailed(node: AnyNode, error: unknown): void {
    this.#task.stepFailed(node.spec.name, error)
  }

  reject(rejected: Rejected, _spec: OperatorSpec, origin?: Origin): void {
    this.#task.aside.add(rejected, origin)
  }

  get isRedriven(): boolean {
    return this.provenance.redrivenFor !== null
  }

  get isSecondTime(): boolean {
    return this.provenance.isSecondTime
  }

  origin(): Origin {
    return this.provenance.origin()
  }

  during(origin: Origin, act: () => void): void {
    this.provenance.during(origin, () => this.#task.redrives.run(origin.redrivenFor, act))
  }

  later(): (act: () => void) => void {
    const { cause } = this.provenance
    const origin = this.origin()
    return (act) => this.provenance.causedBy(cause, () => this.during(origin, act))
  }

  timed(act: () => void): void {
    this.provenance.timed(act)
  }

  holdBack(value: unknown): void {
    if (this.maker === null || typeof value !== 'object' || value === null) return
    this.#made ??= new WeakMap()
    this.#made.set(value, this.maker)
  }

  /** The window that has made the row, or null. */
  makerOf(row: unknown): RowMaker | null {
    return this.maker ?? this.#made?.get(row as object) ?? null
  }

  elsewhere(node: AnyNode, window: string): string | undefined {
    return this.elsewhereOf?.windowDetail(node.spec.name, window)
  }

  get recordTime(): number | null {
    return this.provenance.recordTime
  }

  askedPlace(operator: string): AskedPlace {
    return this.provenance.askedPlace(operator)
  }

  record(answer: LookupAnswer): void {
    this.told.add(answer)
    this.answers.note(answer)
  }

  workDone(): void {}

  /** Streams of a task do not end. */
  outlives(): boolean {
    return false
  }

  left(): void {}

  enterTime(): null {
    return null
  }

  close(): void {
    this.#task.time.close()
  }
}

import type { Clock } from '../clock.ts'
import type { Origin, Rejected } from '../letters/deadLetters.ts'
import type { ReadAhead } from '../log/readAhead.ts'
import type { RecordFacts } from '../log/record.ts'
import type { AnswerBook, AskedPlace, LookupAnswer } from '../store/answers.ts'
import type { RowMaker } from '../store/foreignRows.ts'
import type { TimeDomain } from '../time/timeDomain.ts'
import type { OperatorSpec } from './operator.ts'
import type { AnyNode } from './operatorNode.ts'

/** Where operators live, and what differs there: a task, or the subscriptions of a plain RxJS program. */
export interface OperatorHost {
  readonly isTask: boolean
  /** Its gate is 0 while values may go straight into the logics; otherwise `admits` decides. */
  readonly provenance: { readonly gate: number }
  /** False when the value is not for the node, or was handled here. */
  admits(node: AnyNode, value: unknown): boolean
  /** True while the current record comes a second time. */
  readonly isRedriven: boolean
  /** The loose operator below which things happen at the moment, or null; undefined where that is not known, as before the first value after a restart. */
  stage: AnyNode | null | undefined
  readonly facts: RecordFacts
  /** While records come that were read ahead: those, with the one that is handled at hand. */
  readonly ahead: ReadAhead | null
  /** True while a record that was redriven is where it had been set aside, or below. */
  readonly isSecondTime: boolean
  /** The window whose result is on its way, or null. */
  maker: RowMaker | null
  /** The value will be passed on later, apart from what has made it. */
  holdBack(value: unknown): void
  /** Why rows of a window of the node's are another task's; undefined where that is not known of them. */
  elsewhere(node: AnyNode, window: string): string | undefined
  /** The logic of the node has thrown. */
  failed(node: AnyNode, error: unknown): void
  /** The same at the value of one of the records that are taken as a span: it is told when all of them are. */
  failedAt(node: AnyNode, record: number, error: unknown): void
  /** A step that is no operator of ours has failed above the node. */
  stepFailed(node: AnyNode, error: unknown): void
  reject(rejected: Rejected, spec: OperatorSpec, origin?: Origin): void
  origin(): Origin
  during(origin: Origin, act: () => void): void
  /** What to run with what is put off now: as the doing of the record whose doing it is at the moment. */
  later(): (act: () => void) => void
  /** Runs `act`, timers that fire: what happens is no single record's doing. */
  timed(act: () => void): void
  /** Some asynchronous work of the node is done. */
  workDone(node: AnyNode): void
  /** True where the node must not complete yet, though its input has ended: it has something open, and time goes on by others. */
  outlives(node: AnyNode): boolean
  /** The node has completed, or nobody wants anything of it any more. */
  left(node: AnyNode): void
  /** Which time holds for what is called from now on; gives the one before, for putting it back. */
  enterTime(time: TimeDomain | null): TimeDomain | null
  close(time: TimeDomain): void
  /** Of calls to somebody outside; no result depends on it. */
  readonly clock: Clock
  /** How many tasks share what calls may go in a second. */
  readonly tasks: number
  /** The timestamp of the record that is being handled, ms UTC; null where there is none. */
  readonly recordTime: number | null
  readonly answers: AnswerBook
  askedPlace(operator: string): AskedPlace
  record(answer: LookupAnswer): void
}

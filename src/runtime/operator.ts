import type { Origin, Rejected } from './deadLetters.ts'
import type { Json } from './json.ts'
import type { KeyedState, StateCodec } from './keyedState.ts'
import type { SavedOperator } from './savedState.ts'
import type { TimeDomain } from './timeDomain.ts'

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

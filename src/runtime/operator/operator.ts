import type { Json } from '../json.ts'
import type { Origin, Rejected } from '../letters/deadLetters.ts'
import type { Marker } from '../log/marker.ts'
import type { ReadAhead } from '../log/readAhead.ts'
import type { RecordFacts } from '../log/record.ts'
import type { KeyedState, StateCodec } from '../state/keyedState.ts'
import type { SavedOperator } from '../state/savedState.ts'
import type { AskedPlace, LookupAnswer } from '../store/answers.ts'
import type { MakingWindow } from '../store/foreignRows.ts'

/**
 * What several operators have in common where one reads what another keeps, so that the order of their values among each other decides the results: one object for
 * all of them, in one task.
 */
export interface Meeting {
  /** The operator at whose checkpoints the values for all of them come, null for values that come with their records; undefined before the first. The runtime sets it. */
  stage: { readonly spec: OperatorSpec } | null | undefined
}

/** What identifies an operator and its saved state, and how it may be used. */
export interface OperatorSpec {
  /** Unique within a pipeline; the saved state is found again by it. */
  readonly name: string
  /** Version of the saved state's layout; 1 if left out. */
  readonly version?: number
  /** The options that shape the state. A checkpoint made with others is refused. */
  readonly shape?: Json
  /** Turns a checkpoint of an older version or of other options into one that fits, instead of refusing it. The next checkpoint is whole and in the new layout. */
  readonly migrate?: ((saved: SavedOperator) => SavedOperator) | undefined
  /** True for the one operator that moves the time of everything below it. */
  readonly ownsTime?: boolean
  /** True for one that owns time and learns it from the markers of its input alone (`onMarker`): no value and no silence moves it. */
  readonly readsMarkers?: boolean
  /**
   * True for an operator that emits when a checkpoint is cut or asynchronous work is done, so that its values come at another place among others
   * in each run. They carry no event time, and where they meet other values no operator may depend on the order.
   */
  readonly isLoose?: boolean
  /** True for an operator whose results do not depend on the order of its values. */
  readonly isOrderFree?: boolean
  /** Shared with the operators that read what this one keeps, or whose state it reads. Values that are let go at a cut may not come to one of them and others to another. */
  readonly meeting?: Meeting
  /** True for an operator of windows that share values or become one: a fold right below it is refused where it cannot merge. */
  readonly needsMerge?: boolean
  /** True for an operator of windows whose results may be taken back, so that a fold below says how. */
  readonly needsWithdraw?: boolean
  /** True for an operator that emits nothing, because others read what it keeps: what it gets moves no time below them. */
  readonly isTable?: boolean
  /** True for an operator that a record which was set aside further below may pass a second time: passing must change nothing that it keeps. */
  readonly passesRedriven?: boolean
  /** True for an operator some of whose results are not for good: provisional ones of open windows, or such as it takes back. */
  readonly isUnsettled?: boolean
  /**
   * Whether results that are not for good may come to the operator: true for one that only passes values on; `withdrawn` for one that takes back what it has made of a result, but takes no provisional ones; a function
   * says of each provisional one. Any other would make something lasting of them, so that the pipeline is
   * refused, while it is built where nothing stands between the two, otherwise when the first one comes.
   */
  readonly takesUnsettled?: boolean | 'withdrawn' | ((value: never) => boolean)
  /**
   * True for an operator that is done with a value when `onValue` returns, save that it emits it as it is: then it may get values that are only lent to it, and so may callbacks that it asks about
   * them. An operator without it gets values of its own.
   */
  readonly takesLent?: boolean
  /** True for one that reads its records by `out.ahead` where there is one. */
  readonly readsAhead?: boolean
  /** For an operator that calls `defer`: how many calls may be under way at once. */
  readonly concurrency?: number
  /** True for one that has each answer stored (`out.recordAnswer`), and takes it from there when its record is read again. */
  readonly recordsAnswers?: boolean
  /** For an operator that calls `out.pace`: how many calls may go in a second, in all tasks of the pipeline together; each task has an equal part. */
  readonly perSecond?: number
  /** Outside a task: receives what the operator sets aside, also values on which it failed. In a task these become dead letters. */
  readonly onReject?: ((rejected: Rejected) => void) | undefined
}

/** A checkpoint that is about to be taken. */
export interface Cut {
  /** Processing time of the cut, ms UTC. Only provisional results may depend on it. */
  readonly now: number
  /** True when the task will not go on after this cut. */
  readonly isFinal: boolean
}

/**
 * The state and the reactions of one operator in one task, or in one subscription outside of a task.
 *
 * What a method throws sets the value aside (see `Pipeline.onError`); outside a task it ends the stream, or goes to `onReject`.
 * Times and watermarks are ms UTC of event time.
 */
export interface Logic<I> {
  /** The next value, in the order of the stream. What is emitted here has the value's event time. */
  onValue(value: I): void
  /** A timer set by `out.at` is due. Results emitted here have the timer's time. */
  onTimer?(key: string, time: number): void
  /**
   * Time has moved: at every move from the operator's first value on, or where it calls `out.wakeAt`, once that time has come. Results emitted here have
   * the watermark's time. `before` is the watermark until now.
   */
  onWatermark?(watermark: number, before: number): void
  /** For the operator that owns time: nothing has come for so long that time moves to this watermark by itself. */
  onIdle?(watermark: number): void
  /** For the operator that owns time and reads markers: the input has one, behind all values that came before it. */
  onMarker?(marker: Marker): void
  /** For the same: true where the markers say that all that is above it has ended, so that it holds no time back. */
  hasEnded?(): boolean
  /** For the same: what holds its time back, in words; null where nothing does. */
  heldBy?(): TimeHolder | null
  /** Let go of what must not span a checkpoint. Called before any operator is snapshotted, and again when what others let go has come through. */
  onCut?(cut: Cut): void
  /**
   * For an operator that makes windows, or folds them: the row of this window is another task's, so what comes for it is set aside, and so is what was kept for it. Called
   * after a restart, before the first value.
   */
  onElsewhere?(window: MakingWindow, detail: string): void
  /** No further value will come, because the source has completed or the task's input is declared ended: emit what is held back. */
  onComplete?(): void
  /**
   * No further value will come, and what stands above has nothing open: what waits for values alone counts as open from now on, and goes with the next move of time. It must
   * emit nothing here.
   */
  onClose?(): void
  /** State outside of keyed maps, small; saved whole at each cut. */
  snapshot?(): Json
  /** The watermark at which nothing is left open; undefined when nothing is. Timers set by `out.at` count by themselves. */
  openUntil?(): number | undefined
}

/** What holds the time of an operator back. */
export interface TimeHolder {
  /** For a person. */
  readonly text: string
  /** True where nothing can be said of time at all until somebody has done something about it. */
  readonly isStuck: boolean
}

/** What was saved for the operator, and the places where its keyed state lives. */
export interface Restored {
  /** The last snapshot, deserialised for this operator alone; undefined at the first start. */
  readonly snapshot: Json | undefined
  /** Keyed state, restored. An operator that needs several maps gives each a name of its own. */
  keyed<V>(codec: StateCodec<V>, map?: string): KeyedState<V>
  /** The watermark of the checkpoint, ms UTC; minus infinity at the first start. */
  readonly watermark: number
  /** The names of the maps that were saved. */
  readonly maps: readonly string[]
  /** For an operator that keeps names of others: what the one that was called so is called now (`renamed` of the pipeline). */
  nameToday(name: string): string
  /** The origin that `Origin.encode` made this of. */
  origin(saved: Json): Origin
}

/** An answer that a checkpoint keeps, with the time of the value that was asked about. */
export type RecordedAnswer = Pick<LookupAnswer, 'at' | 'answer' | 'isFailure'>

/** Where an operator's results go, and what it may ask. Times and watermarks are ms UTC of event time. */
export interface Output<O> {
  /** Passes a result on, with the event time of the value being handled. */
  emit(value: O): void
  /** Emits a result whose event time (ms UTC) is not that of the value being handled. */
  emitAt(eventTime: number, value: O): void
  /** Sets the current record aside, or the one of an origin taken earlier. */
  reject(reason: string, detail: string, origin?: Origin): void
  /** Remembers the current record, for an operator that holds values back and may have to reject them later. Copies its bytes. */
  origin(): Origin
  /** Runs `act` as if the record of the origin were the current one. */
  during(origin: Origin, act: () => void): void
  /**
   * Runs `act` as if the record of the origin were the current one, or for no record in particular where that is null; what it throws sets that one aside and not
   * what is being handled. For an operator that comes to what it held back one by one.
   */
  attempt(origin: Origin | null, act: () => void): void
  /**
   * Starts a call and delivers its result in the order of the calls, as a result of the current record, before the next checkpoint is cut. At most
   * `spec.concurrency` calls are under way; a task reads no further while as many are waited for.
   */
  defer<R>(call: () => Promise<R>, deliver: (result: R) => void): void
  /** Runs `deliver`, for a value that needs no call, in the order of the calls of `defer`: at once where none is waited for. */
  inTurn(deliver: () => void): void
  /** Resolves when one more call may go by `spec.perSecond`. */
  pace(): Promise<void>
  /** Where the value being handled stands, for `answerAt` and `recordAnswer`: to be called once a value, for it counts those of one record. */
  askedPlace(): AskedPlace
  /**
   * What somebody outside has answered at this place before, for an operator that records answers: by the run that this one repeats, or when the pipeline read these records the last time. Null
   * where nothing was answered, a promise where that has to be looked up.
   */
  answerAt(key: string, place: AskedPlace): RecordedAnswer | null | Promise<RecordedAnswer | null>
  /** Stores an answer with the next checkpoint, for a replay. */
  recordAnswer(key: string, place: AskedPlace, answer: RecordedAnswer): void
  /** Calls `onTimer` once when the watermark reaches `time` (ms UTC, a whole number): by time, then by key. Setting it twice is setting it once. Part of the checkpoint. */
  at(key: string, time: number): void
  /** Takes a timer back; one that is not set is nothing to it. */
  cancel(key: string, time: number): void
  /** For an operator with a queue of its own: `onWatermark` is not needed before the watermark reaches `time`. Not part of the checkpoint. */
  wakeAt(time: number): void
  /** False in a subscription outside of a task, where nothing is saved. */
  readonly isInTask: boolean
  /** True while the current record comes a second time for an operator further below, which had set it aside. */
  readonly isRedriven: boolean
  /** True while a record that was redriven is where it had been set aside, or below. */
  readonly isSecondTime: boolean
  /** Why the row of a window of this operator's, by its id, is another task's; undefined where it is not known to be. */
  whyElsewhere(window: string): string | undefined
  /** Runs `act`, in which the result of the window is passed on: the rows that become of it are known as the window's. */
  making(window: MakingWindow, isClosed: boolean, act: () => void): void
  /** For an operator that passes values on as they are, but later: of which window they were made is remembered of those that are objects. */
  holdBack(value: unknown): void
  /**
   * The watermark as this operator has been told it. While time moves, what comes from above still belongs to the time before.
   * Throws `OperatorError` where no time is known, as `valueTime` does.
   */
  readonly watermark: number
  /** Event time of the value being handled, ms UTC. Throws `OperatorError` where no `eventTime` stands above with only synchronous operators between. */
  valueTime(): number
  /** The watermark of the stream as this operator has been told it, also for a value that has no time itself; minus infinity where there is none yet. ms UTC. */
  readonly streamTime: number
  /** Whether the value being handled has an event time. */
  readonly hasTime: boolean
  /** The timestamp of the record that is being handled, ms UTC; null where it has none, outside a task, and for what is no record's doing. */
  readonly recordTime: number | null
  /** For the operator that owns time: emits the value as one of event time `at`, then moves time to the watermark. */
  pass(at: number, value: O, watermark: number): void
  /** For the operator that owns time: moves it without a value. */
  advance(watermark: number): void
  /** For the operator that owns time, at the end of the input: moves it until nothing below is open. */
  close(): void
  /** What has been found out about the current record's bytes, for whoever looks at them later. */
  readonly facts: RecordFacts
  /** The records that were read ahead, with the current one at hand, for an operator that `readsAhead`; null where records come one by one. */
  readonly ahead: ReadAhead | null
}

/** Makes the logic of one task or subscription, with what was saved for it. */
export type BuildLogic<I, O> = (restored: Restored, out: Output<O>) => Logic<I>

import type { Backoff } from '../backoff.ts'
import type { Clock } from '../clock.ts'
import type { ArchiveTap } from '../inputs/archiveTap.ts'
import type { InputCursor } from '../inputs/inputCursor.ts'
import type { InputReader } from '../inputs/inputReader.ts'
import type { RepeatedOrder, TakenOrder } from '../inputs/takenOrder.ts'
import type { Elsewhere } from '../letters/elsewhere.ts'
import type { LeftOutValues } from '../letters/leftOutValues.ts'
import type { LogSource, OpenOutgoingTopic } from '../log/log.ts'
import type { StartFrom } from '../log/startFrom.ts'
import type { Relays, WatchSends } from '../outlets/relays.ts'
import type { ResolvedInput } from '../pipeline/input.ts'
import type { Pipeline } from '../pipeline/pipeline.ts'
import type { Archive } from '../store/archive.ts'
import type { CheckpointStore, Claim, TaskId } from '../store/checkpoint.ts'
import type { StreamTask } from '../task/streamTask.ts'
import type { TaskStatus } from '../task/taskStatus.ts'
import type { WorkerLimits } from '../task/workerLimits.ts'
import type { OperatorTally } from './operatorTally.ts'
import type { QuietWait } from './quietWait.ts'
import type { RecordedAnswers } from './recordedAnswers.ts'
import type { RecordedSteps } from './recordedSteps.ts'

/** What a task works on and with. */
export interface TaskOptions {
  readonly pipeline: Pipeline
  /** The log that is read; that of the leading input where the pipeline has several. */
  readonly source: LogSource
  /** The logs of the other inputs, in the order in which the pipeline names them. */
  readonly others?: readonly LogSource[]
  /** What is read of these logs, one for each. */
  readonly inputs: readonly ResolvedInput[]
  /** For outlets that send to topics. */
  readonly openTopic?: OpenOutgoingTopic
  /** Gives what takes an outlet's messages as it is to be used: for whoever wants to know of each send. */
  readonly watchSends?: WatchSends
  /** Where checkpoints and results go. */
  readonly store: CheckpointStore
  /** Where outlets made by `toArchive` keep raw records; null keeps none. */
  readonly archive: Archive | null
  readonly clock: Clock
  /** So many records, at most 512, are read ahead and decoded together; as many if left out. With 1, each goes through the graph by itself. Results are the same, whatever it is. */
  readonly mostAhead?: number
  /** How much it may hold, and how often it commits. */
  readonly limits: WorkerLimits
  /** Where partitions begin in which nothing was committed for the pipeline; `earliest` if left out. Those that have a checkpoint go on from there. */
  readonly from?: StartFrom
  /** A replay: steps of time that this pipeline recorded on the same topic are taken where it took them. */
  readonly replayOf?: string
  /** Messages of outlets are made and committed, and sent to nobody: no topic and no destination is opened. For a replay that is looked at, and not meant to do anything. */
  readonly sendsNothing?: boolean
  /** Told after each commit, for lag tools. */
  readonly onCommit: (partition: number, nextOffset: number) => void
}

/** What an attempt at a task has from the runner. */
export interface AttemptContext {
  readonly id: TaskId
  readonly options: TaskOptions
  readonly status: TaskStatus
  /** Fires at a stop that is meant to come at once. */
  readonly signal: AbortSignal
  /** What attempts before this one have failed on. */
  readonly leftOut: LeftOutValues
  readonly elsewhere: Elsewhere
  readonly backoff: Backoff
  readonly quiet: QuietWait
  readonly tally: OperatorTally
  /** What it did since its last checkpoint, for another attempt. */
  readonly order: TakenOrder
}

/** An attempt whose task is claimed and restored, and whose logs are open; each of its parts takes of it what it works with. */
export interface Attempt extends AttemptContext {
  readonly claim: Claim
  readonly task: StreamTask
  readonly cursors: readonly InputCursor[]
  readonly reader: InputReader
  readonly archives: readonly ArchiveTap[]
  readonly relays: Relays
  readonly answers: RecordedAnswers
  /** The steps of time of the run that is replayed; null where none is. */
  readonly recorded: RecordedSteps | null
  /** What the attempt before did, which has failed on a value; null where none has. */
  readonly repeated: RepeatedOrder | null
}

import { framesOf, keptFrames } from '../runtime/state/frameChain.ts'
import type { Checkpoint, CheckpointStore, Claim, SavedCheckpoint, TaskId } from '../runtime/store/checkpoint.ts'
import type { Outbox } from '../runtime/store/outbox.ts'

/** What is read back of the run that is repeated. */
export type RecordedRun = Pick<CheckpointStore, 'recordedSteps' | 'mergeNotes' | 'answers'>

/**
 * Keeps the checkpoints of a replay in memory, as far as a task needs them to go on, and hands over what they store. Nothing is written anywhere.
 *
 * Holds the state of each task since its newest base.
 */
export class ReplayStore implements CheckpointStore {
  readonly #recorded: RecordedRun
  readonly #onCheckpoint: (task: TaskId, checkpoint: Checkpoint) => void
  readonly #saved = new Map<number, SavedCheckpoint>()
  #generation = 0

  /** @param onCheckpoint told of each checkpoint once, in the order of its task; one on which it throws is not stored */
  constructor(recorded: RecordedRun, onCheckpoint: (task: TaskId, checkpoint: Checkpoint) => void) {
    this.#recorded = recorded
    this.#onCheckpoint = onCheckpoint
  }

  claim(task: TaskId): Promise<Claim> {
    this.#generation += 1
    return Promise.resolve({ task, generation: this.#generation, restored: this.#saved.get(task.partition) ?? null })
  }

  async commit({ task }: Claim, checkpoint: Checkpoint): Promise<void> {
    // Before it counts as stored: what is refused, such as a row that no table can hold, is read again.
    this.#onCheckpoint(task, checkpoint)
    const before = this.#saved.get(task.partition)?.state ?? []
    const { nextOffset, watermark, others } = checkpoint
    this.#saved.set(task.partition, {
      ...{ nextOffset, watermark, archiveNextOffset: null, state: keptFrames(before, framesOf(checkpoint)) },
      ...(others === undefined ? {} : { others }),
    })
  }

  recordedSteps: RecordedRun['recordedSteps'] = (...asked) => this.#recorded.recordedSteps(...asked)
  mergeNotes: RecordedRun['mergeNotes'] = (...asked) => this.#recorded.mergeNotes(...asked)
  answers: RecordedRun['answers'] = (...asked) => this.#recorded.answers(...asked)

  /** A replay sends nothing. */
  get outbox(): Outbox {
    return nothingIsSent
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

const nothingIsSent: Outbox = {
  read: async () => [],
  forget: async () => {},
  refuse: async () => {},
  refused: async () => [],
  countRefused: async () => 0,
  retryRefused: async () => 0,
  retried: async () => [],
  forgetRefused: async () => {},
}

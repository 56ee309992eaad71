import { BadRowError } from '../../runtime/badRow.ts'
import type { Clock } from '../../runtime/clock.ts'
import { RetryableError, TaskFencedError } from '../../runtime/errors.ts'
import type { Checkpoint, CheckpointStore, Claim, TaskId } from '../../runtime/store/checkpoint.ts'
import { ForeignRowsError } from '../../runtime/store/foreignRows.ts'
import type { Outbox } from '../../runtime/store/outbox.ts'
import type { Random } from '../random.ts'
import type { Faults } from './faults.ts'
import { never, type SimulatedProcess } from './simulatedProcess.ts'

/** Commits of processes that were suspended in the middle, waiting to be sent after a newer claim. Outlives the processes. */
export class Zombies {
  readonly #asleep: { readonly claim: Claim; readonly checkpoint: Checkpoint }[] = []
  /** How many came back and were turned away, as they must be. */
  fenced = 0

  /** Puts a commit to sleep until a newer claim is made. */
  suspend(claim: Claim, checkpoint: Checkpoint): void {
    this.#asleep.push({ claim, checkpoint })
  }

  /** Sends what a zombie of an older generation held; a store that takes it is broken, and the error says so. */
  async comeBack(store: CheckpointStore, newer: Claim): Promise<void> {
    const index = this.#asleep.findIndex(
      ({ claim }) => isSameTask(claim.task, newer.task) && claim.generation < newer.generation,
    )
    const zombie = index < 0 ? undefined : this.#asleep.splice(index, 1)[0]
    if (zombie === undefined) return
    try {
      await store.commit(zombie.claim, zombie.checkpoint)
    } catch (error) {
      if (!isRightlyRefused(error)) throw error
      this.fenced++
      return
    }
    const { topic, partition } = newer.task
    throw new Error(
      `the store took a commit of generation ${zombie.claim.generation} of ${topic}/${partition} ` +
        `after generation ${newer.generation} had claimed it`,
    )
  }
}

/** What disturbs a checkpoint store: `faults` decide when, `random` how long, and `process` is what they kill. */
export interface FaultyCheckpointStoreOptions {
  readonly faults: Faults
  readonly random: Random
  readonly process: SimulatedProcess
  /** Keeps time outside the process: a commit that is under way arrives although its sender is gone. */
  readonly clock: Clock
  /** Where commits of suspended processes wait; shared by all starts of a worker. */
  readonly zombies: Zombies
  /** Told of every violation of the store's contract that a zombie has uncovered. */
  readonly onViolation: (error: unknown) => void
}

/**
 * A checkpoint store that answers late, wrongly or not at all, and in front of which the process dies before, during and
 * after a commit. What it stores is always whole, since that is the inner store's own promise.
 */
export function faultyCheckpointStore(inner: CheckpointStore, options: FaultyCheckpointStoreOptions): CheckpointStore {
  const { faults, random, process, clock, zombies } = options

  async function claim(...asked: Parameters<CheckpointStore['claim']>): Promise<Claim> {
    if (faults.strikes('claim-fails')) throw unreachable('claim', asked[0])
    return inner.claim(...asked)
  }

  async function commit(claim: Claim, checkpoint: Checkpoint): Promise<void> {
    await zombies.comeBack(inner, claim).catch(options.onViolation)
    if (faults.strikes('crash-before-commit')) return process.die('before a commit')
    if (faults.strikes('zombie-commit')) {
      zombies.suspend(claim, checkpoint)
      return process.die('suspended in a commit')
    }
    if (faults.strikes('commit-fails')) throw unreachable('commit', claim.task)
    if (faults.strikes('commit-slow')) await clock.sleep(random.int(1, 3_000))
    if (faults.strikes('crash-during-commit')) {
      void arriveLater(claim, checkpoint, random.int(0, 200))
      await clock.sleep(random.int(0, 200))
      return process.die('during a commit')
    }
    await inner.commit(claim, checkpoint)
    if (faults.strikes('crash-after-commit')) return process.die('after a commit')
    if (faults.strikes('commit-lost-reply')) throw unreachable('commit, whose reply was lost,', claim.task)
  }

  /** The transaction was already sent: it is stored, or refused because somebody has claimed meanwhile; nobody hears of it. */
  async function arriveLater(claim: Claim, checkpoint: Checkpoint, ms: number): Promise<void> {
    await clock.sleep(ms)
    try {
      await inner.commit(claim, checkpoint)
    } catch (error) {
      if (!isRightlyRefused(error)) options.onViolation(error)
    }
  }

  return {
    claim: (...asked) => (process.isAlive ? process.guard(claim(...asked)) : never()),
    commit: (held, checkpoint) => (process.isAlive ? process.guard(commit(held, checkpoint)) : never()),
    recordedSteps: (task, after, limit) =>
      process.isAlive ? process.guard(inner.recordedSteps(task, after, limit)) : never(),
    mergeNotes: (...asked) => (process.isAlive ? process.guard(inner.mergeNotes(...asked)) : never()),
    answers: (...asked) => (process.isAlive ? process.guard(inner.answers(...asked)) : never()),
    outbox: faultyOutbox(inner.outbox, options),
    close: () => (process.isAlive ? process.guard(inner.close()) : never()),
  }
}

/** An outbox that does not answer now and then, whether it has done what was asked or not, and answers the living alone. */
function faultyOutbox(inner: Outbox, { faults, process }: FaultyCheckpointStoreOptions): Outbox {
  async function asked<T>(ask: () => Promise<T>): Promise<T> {
    if (faults.strikes('outbox-fails')) throw new RetryableError('injected fault: the outbox did not answer')
    const answer = await ask()
    if (faults.strikes('outbox-lost-reply')) throw new RetryableError("injected fault: the outbox's reply was lost")
    return answer
  }
  const guard = <T>(ask: () => Promise<T>): Promise<T> => (process.isAlive ? process.guard(asked(ask)) : never())
  return {
    read: (...asked) => guard(() => inner.read(...asked)),
    forget: (...asked) => guard(() => inner.forget(...asked)),
    refuse: (...asked) => guard(() => inner.refuse(...asked)),
    refused: (...asked) => guard(() => inner.refused(...asked)),
    countRefused: (...asked) => guard(() => inner.countRefused(...asked)),
    retryRefused: (...asked) => guard(() => inner.retryRefused(...asked)),
    retried: (...asked) => guard(() => inner.retried(...asked)),
    forgetRefused: (...asked) => guard(() => inner.forgetRefused(...asked)),
  }
}

/** Besides a fence: a row that the table cannot hold, or that is another task's, is no fault of the store; nothing was stored. */
function isRightlyRefused(error: unknown): boolean {
  return error instanceof TaskFencedError || error instanceof BadRowError || error instanceof ForeignRowsError
}

function isSameTask(a: TaskId, b: TaskId): boolean {
  return a.pipeline === b.pipeline && a.topic === b.topic && a.partition === b.partition
}

function unreachable(what: string, task: TaskId): RetryableError {
  return new RetryableError(`injected fault: the store did not answer the ${what} of ${task.topic}/${task.partition}`, {
    ...task,
  })
}

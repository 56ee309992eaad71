import type { Attempt } from './attempt.ts'
import type { AttemptCheckpoints } from './attemptCheckpoints.ts'

/** How much a task may do before the store, its archives and those it sends to have caught up: so its memory is bounded. */
export class AttemptCredit {
  readonly #attempt: Attempt
  readonly #checkpoints: AttemptCheckpoints

  constructor(attempt: Attempt, checkpoints: AttemptCheckpoints) {
    this.#attempt = attempt
    this.#checkpoints = checkpoints
  }

  /** True where what has come together since the last checkpoint is as much as may wait for the next. */
  get isUsedUp(): boolean {
    const { task, options } = this.#attempt
    const { limits } = options
    return (
      task.uncutRecords >= limits.maxUncommittedRecords ||
      task.uncutBytes >= limits.maxUncommittedBytes ||
      task.uncutResults >= limits.maxUncommittedResults ||
      task.uncutResultBytes >= limits.maxUncommittedResultBytes
    )
  }

  /** Waits until there is room for another batch: of records that no commit has confirmed, in outlets that send, and in the archives. */
  async wait(): Promise<void> {
    const { options, status } = this.#attempt
    if (this.#checkpoints.uncommittedRecords >= options.limits.maxUncommittedRecords) {
      status.waitingFor = 'the commit under way'
      await this.#checkpoints.wait()
    }
    await this.#awaitRelays()
    await this.#awaitArchives()
  }

  /** What is waited for at the moment of those that results go to, in words; null where nothing is. */
  get waitingFor(): string | null {
    const { archives, relays } = this.#attempt
    return archives.map(({ writer }) => writer.waitingFor).find((text) => text !== null) ?? relays.waitingFor
  }

  /** Waits while an outlet has more to send than it may, and goes on committing meanwhile. */
  async #awaitRelays(): Promise<void> {
    const { relays, signal, status, leftOut, task, options } = this.#attempt
    while (!relays.hasRoom && !signal.aborted) {
      status.waitingFor = relays.waitingFor ?? 'an outlet to send what it has'
      if (!leftOut.hasFrom(task.nextOffsets)) await this.#checkpoints.cutIfDirty()
      await relays.progress(options.limits.checkpointIntervalMs, signal)
      relays.check()
    }
  }

  async #awaitArchives(): Promise<void> {
    const { archives, signal, status, task } = this.#attempt
    for (const { writer } of archives) {
      if (writer.isBehind) await writer.catchUp(signal)
      if (writer.hasRoom) continue
      // Results need not wait for the archive: they are committed first, and the archive's own next offset stays behind.
      if (task.uncutRecords > 0) await this.#checkpoints.cut()
      while (!writer.hasRoom && !signal.aborted) {
        status.waitingFor = writer.waitingFor ?? 'the archive, which has no room'
        await writer.waitForRoom(signal)
        await this.#checkpoints.cutIfDirty()
      }
    }
  }
}

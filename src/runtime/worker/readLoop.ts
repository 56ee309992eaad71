import type { InputCursor } from '../inputs/inputCursor.ts'
import type { StreamTask } from '../task/streamTask.ts'
import type { Attempt } from './attempt.ts'
import type { AttemptCheckpoints } from './attemptCheckpoints.ts'
import type { AttemptCredit } from './attemptCredit.ts'
import type { ProgressReport } from './progressReport.ts'
import type { StopMode } from './stopMode.ts'
import type { UnpromptedTime } from './unpromptedTime.ts'

/** Has a task take what its inputs bring, until it is stopped: records while there are some, time where there are none, and checkpoints when they are due. */
export class ReadLoop {
  readonly #attempt: Attempt
  readonly #checkpoints: AttemptCheckpoints
  readonly #credit: AttemptCredit
  readonly #time: UnpromptedTime
  readonly #progress: ProgressReport

  constructor(
    attempt: Attempt,
    checkpoints: AttemptCheckpoints,
    credit: AttemptCredit,
    time: UnpromptedTime,
    progress: ProgressReport,
  ) {
    this.#attempt = attempt
    this.#checkpoints = checkpoints
    this.#credit = credit
    this.#time = time
    this.#progress = progress
  }

  /** Resolves once it is to end at once, or has drained its inputs for another stop. */
  async run(stopMode: () => StopMode | null): Promise<void> {
    const { options, signal, relays, cursors, recorded, reader, task, status } = this.#attempt
    const { nextOffsets } = task
    let isDraining = false
    while (!signal.aborted) {
      this.#checkpoints.check()
      relays.check()
      if (!isDraining && stopMode() !== null) {
        for (const cursor of cursors) cursor.end = (await cursor.reader.bounds()).next
        isDraining = true
      }
      await this.#time.repeat()
      if (isDraining && cursors.every((cursor, input) => cursor.hasReached(nextOffsets[input] as number))) {
        await recorded?.takeDue(options.clock.now())
        return
      }
      await this.#credit.wait()
      const hasMore = (await this.#take()) || (await reader.findIdle(nextOffsets))
      if (!hasMore) {
        const hasCome = await reader.more(nextOffsets, this.#checkpoints.untilDue)
        if (!hasCome || this.#time.isIdleDue) await this.#time.advanceIdle()
      }
      this.#progress.progressed()
      await this.#checkpoints.cutIfDue()
      status.waitingFor = this.#credit.waitingFor ?? reader.waitingFor(nextOffsets) ?? stuckTime(task)
    }
  }

  /** Runs the records at hand through the graph, as far as they may go; false where there was none. */
  async #take(): Promise<boolean> {
    const { options, task, reader, cursors, recorded, quiet, order, elsewhere, leftOut } = this.#attempt
    const { clock, limits } = options
    const { nextOffsets } = task
    const skipTo = (offset: number, input: number) => task.skipTo(offset, input)
    let hasTaken = false
    while (!this.#time.isRepeatedNext) {
      const input = reader.next(nextOffsets, skipTo)
      if (input < 0) break
      hasTaken = true
      const cursor = cursors[input] as InputCursor
      const { ahead } = cursor
      const offset = ahead.offsets[ahead.at] as number
      if (recorded?.isDueBefore(input, offset) === true) await recorded.takeBefore(input, offset, clock.now())
      const preparing = task.needsPrepare ? task.prepare(cursor.view, input) : undefined
      if (preparing !== undefined) await quiet.until(preparing)
      reader.take(input, nextOffsets)
      try {
        if (task.mayLend && cursor.lends) {
          const credit = this.#mayGoAhead(cursor) ? limits : null
          task.pushAhead(ahead, input, credit, cursor.archive, recorded?.dueAt(input))
        } else {
          task.push(cursor.view, input)
          // After the push: what the graph has found out about the bytes, the archive need not.
          cursor.archive?.append(cursor.view, task.facts)
        }
      } finally {
        order.took(input, Math.max(nextOffsets[input] as number, offset + 1))
      }
      if (task.isSaturated) await quiet.until(task.settle())
      const isFull = this.#credit.isUsedUp || elsewhere.endsAt(nextOffsets)
      // Behind a value that was left out, so that it is not met again.
      if (isFull || leftOut.at(input, offset) !== undefined) await this.#checkpoints.cut()
      if (isFull) break
    }
    const now = clock.now()
    for (const cursor of cursors) if (cursor.takeNews()) cursor.lastRecordAt = now
    return hasTaken
  }

  /** True where nothing is to be done between two records of an input, save steps of time that were recorded: no other input, nothing to skip and nothing that was failed on before. */
  #mayGoAhead({ skipped }: InputCursor): boolean {
    const { cursors, task, repeated, leftOut, elsewhere } = this.#attempt
    return (
      cursors.length === 1 &&
      skipped.isEmpty &&
      task.isSynchronous &&
      (repeated === null || repeated.isOver) &&
      leftOut.isEmpty &&
      elsewhere.isEmpty
    )
  }
}

/** Why no time is known that markers should tell; null where it is. */
function stuckTime(task: StreamTask): string | null {
  for (const [operator, { text, isStuck }] of task.timeHolders()) if (isStuck) return `${operator}: ${text}`
  return null
}

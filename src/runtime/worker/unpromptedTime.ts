import type { InputCursor } from '../inputs/inputCursor.ts'
import type { Attempt } from './attempt.ts'

/** Moves of a task's time that no record causes: where its inputs are silent, and where an attempt before it, or the run that it replays, made one. */
export class UnpromptedTime {
  readonly #attempt: Attempt
  #idleAt = 0

  constructor(attempt: Attempt) {
    this.#attempt = attempt
  }

  /** True where an attempt before made a move at the place that the task has come to. */
  get isRepeatedNext(): boolean {
    const { repeated, task } = this.#attempt
    const next = repeated?.isOver === false ? repeated.next(task.nextOffsets) : undefined
    return next !== undefined && next.kind !== 'records'
  }

  /** One input may be silent while others are not. */
  get isIdleDue(): boolean {
    const { cursors, options } = this.#attempt
    const sinceIdleMs = options.clock.now() - this.#idleAt
    return cursors.length > 1 && (sinceIdleMs < 0 || sinceIdleMs >= options.limits.checkpointIntervalMs)
  }

  /** Makes the moves that the attempt before made here. */
  async repeat(): Promise<void> {
    const { task, repeated, quiet, order, options } = this.#attempt
    while (repeated?.isOver === false) {
      const deed = repeated.next(task.nextOffsets)
      if (deed === undefined || deed.kind === 'records') return
      await quiet.until(task.quiesce({ now: options.clock.now(), isFinal: false }))
      repeated.done()
      order.did(deed)
      if (deed.kind === 'end') task.closeOpen()
      else task.advanceIdle(deed.watermark, deed.clock)
    }
  }

  /** Nothing came: where that is so for long enough, and the log truly has no more, time moves by itself. */
  async advanceIdle(): Promise<void> {
    const { options, signal, recorded, repeated, task, quiet, order } = this.#attempt
    const { clock } = options
    if (signal.aborted) return
    if (recorded?.isOver === false) return recorded.takeDue(clock.now())
    if (repeated?.next(task.nextOffsets) !== undefined) return
    const now = clock.now()
    this.#idleAt = now
    for (const { name, inputs } of task.idleClocks) {
      const idleAfterMs = await this.#silenceOf(inputs, now)
      if (idleAfterMs === null || signal.aborted) continue
      await quiet.until(task.quiesce({ now, isFinal: false }))
      order.did({ kind: 'step', watermark: now - idleAfterMs, clock: name })
      task.advanceIdle(now - idleAfterMs, name)
    }
  }

  /** Declares the inputs ended, unless the run that is replayed has done so here. */
  async end(): Promise<void> {
    const { options, recorded, task, quiet, order } = this.#attempt
    if (recorded?.hasEnded === true) return
    await quiet.until(task.quiesce({ now: options.clock.now(), isFinal: false }))
    order.did({ kind: 'end' })
    task.closeOpen()
  }

  /** At which distance the clock may be followed, because all of these inputs have been silent for so long, ms; null where they have not. */
  async #silenceOf(inputs: readonly number[], now: number): Promise<number | null> {
    const { cursors, task } = this.#attempt
    const streams = inputs.filter((input) => (cursors[input] as InputCursor).input.movesTime)
    let longestMs: number | null = null
    for (const input of streams) {
      const cursor = cursors[input] as InputCursor
      const { idleAfterMs } = cursor.input
      if (idleAfterMs === undefined || now - cursor.lastRecordAt < idleAfterMs || cursor.isAtHand) return null
      longestMs = Math.max(longestMs ?? 0, idleAfterMs)
    }
    for (const input of streams) {
      if (!(await (cursors[input] as InputCursor).hasNoMore(task.nextOffsets[input] as number))) return null
    }
    return longestMs
  }
}

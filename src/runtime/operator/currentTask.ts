import { OperatorError } from '../errors.ts'
import type { StreamTask } from '../task/streamTask.ts'

interface Slot {
  readonly copy: symbol
  task: StreamTask | null
}

const copy = Symbol('this copy of millrace')
const slotKey = Symbol.for('millrace.currentTask')
const world = globalThis as { [slotKey]?: Slot }

/**
 * The task that is being built, or null outside of one.
 *
 * One variable is safe because building a graph is one synchronous span: `buildIn` sets it and restores it in `finally`. It lives on the
 * global object so that an operator of a second installed copy, which would silently do without recovery, is caught.
 */
export function currentTask(): StreamTask | null {
  const slot = world[slotKey]
  if (slot === undefined || slot.task === null) return null
  if (slot.copy !== copy) {
    throw new OperatorError(
      'an operator from a second copy of millrace was used in a pipeline; its state would not be saved. ' +
        'Run `npm ls millrace` and leave one copy.',
    )
  }
  return slot.task
}

export function buildIn<T>(task: StreamTask, build: () => T): T {
  const before = world[slotKey]
  world[slotKey] = { copy, task }
  try {
    return build()
  } finally {
    if (before === undefined) delete world[slotKey]
    else world[slotKey] = before
  }
}

let running: StreamTask | null = null

/** The task whose graph is at work right now, or null: an operator that is subscribed to meanwhile comes too late to be restored. */
export function runningTask(): StreamTask | null {
  return running
}

/** Runs `act`, a user's own asynchronous call, as if no task were at work: operators that are used in it are those of a plain program. */
export function outsideOfTasks<T>(act: () => T): T {
  const before = running
  running = null
  try {
    return act()
  } finally {
    running = before
  }
}

/** Notes which task is at work. Called around every record, hence no closure and no `finally`: a failed task is at work no more either. */
export function setRunning(task: StreamTask | null): void {
  running = task
}

import { ConfigurationError, type MillraceErrorOptions } from '../errors.ts'
import type { TaskId } from './checkpoint.ts'

/** The task that a row belongs to: the one that wrote it first. */
export type RowOwner = Pick<TaskId, 'pipeline' | 'topic' | 'partition'>

/** The task that a row belongs to, or belonged to before it was given to tasks that begin after that. */
export interface ForeignOwner extends RowOwner {
  readonly isGivenAway?: boolean
}

/** A row of a checkpoint that another task has written before. */
export interface ForeignRow {
  /** Which of the checkpoint's writes it is in. */
  readonly write: number
  /** Which of the rows there; the last of those with its natural key. */
  readonly row: number
  /** Its natural key, as `rowKeys` gives it. */
  readonly key: string
  /** Whose the row is; null where the store does not know any more. */
  readonly owner: ForeignOwner | null
}

/**
 * Rows of the checkpoint belong to other tasks, and nothing was stored. The worker sets them aside, unless it is told to stop; then the records of a key must come by
 * one partition.
 */
export class ForeignRowsError extends ConfigurationError {
  /** All of them, each natural key of a table once. */
  readonly rows: readonly ForeignRow[]

  constructor(message: string, rows: readonly ForeignRow[], options: MillraceErrorOptions = {}) {
    super(message, options)
    this.rows = rows
  }
}

/** The owner for people. */
export function ownerText(owner: ForeignOwner | null): string {
  if (owner === null) return 'a task that row_owner does not name any more'
  const name = `${owner.pipeline} ${owner.topic}/${owner.partition}`
  return owner.isGivenAway === true ? `a task that begins after ${name} has given it away` : name
}

/** Why something is set aside: its row, or the window that makes its row, belongs to another task. */
export const elsewhereReason = 'key-elsewhere'

/** The window that has made a row: that of the operator called `window.name`, folded by the operator `fold`. */
export interface RowMaker {
  readonly fold: string
  readonly window: MakingWindow
  /** False for the result of values so far. */
  readonly isClosed: boolean
}

/** What tells a window from others. */
export interface MakingWindow {
  /** Of the operator that made it. */
  readonly name: string
  /** Whose values are in it. */
  readonly key: string
  /** ms UTC. */
  readonly start: number
  /** ms UTC, no longer in it. */
  readonly end: number
  /** Unique among the windows of that operator. */
  readonly id: string
}

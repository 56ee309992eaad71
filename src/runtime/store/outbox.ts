import type { StoredMessage } from '../log/destination.ts'
import type { Claim, TaskId } from './checkpoint.ts'

/** Which messages of an outlet are asked for. */
export interface MessagePage {
  /** Those behind this sequence number, which counts from 1. */
  readonly after: number
  /** How many at most. */
  readonly maxMessages: number
  /** Of keys, values and headers, roughly; one message is given even when it is larger. */
  readonly maxBytes: number
}

/** A message that its destination will not take. */
export interface RefusedMessage extends StoredMessage {
  /** What the destination said. */
  readonly refusal: string
  /** ms UTC of processing time. */
  readonly refusedAt: number
  /** True where somebody has asked to send it again, which has not happened yet. */
  readonly isRetried: boolean
}

/**
 * Messages that checkpoints have stored and that are not sent yet, by task and outlet; part of the checkpoint store. Those that were refused stand apart: they are kept
 * until they are sent on demand.
 */
export interface Outbox {
  /** Messages that wait to be sent, in order. Throws `TaskFencedError` where the task has a newer claim. */
  read(claim: Claim, outlet: string, page: MessagePage): Promise<readonly StoredMessage[]>
  /** Takes away messages that were sent, up to this sequence number; refused ones stay. */
  forget(task: TaskId, outlet: string, upToSequence: number): Promise<void>
  /**
   * Sets a message aside that its destination will not take; nothing where it is gone.
   * @param at ms UTC of processing time
   */
  refuse(task: TaskId, outlet: string, sequence: number, refusal: string, at: number): Promise<void>
  /** Messages that were refused, in order. */
  refused(task: TaskId, outlet: string, page: MessagePage): Promise<readonly RefusedMessage[]>
  /** How many are refused. */
  countRefused(task: TaskId, outlet: string): Promise<number>
  /**
   * Asks for refused messages to be sent again, which whoever works on the task does; gives how many were asked for.
   * @param sequences all of the outlet where it is left out
   */
  retryRefused(task: TaskId, outlet: string, sequences?: readonly number[]): Promise<number>
  /** Refused messages that somebody has asked to send again, in order. */
  retried(task: TaskId, outlet: string, page: MessagePage): Promise<readonly StoredMessage[]>
  /** Takes a refused message away that was sent after all. */
  forgetRefused(task: TaskId, outlet: string, sequence: number): Promise<void>
}

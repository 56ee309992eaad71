/** Where an error happened, as far as it is known. */
export interface ErrorPlace {
  readonly pipeline?: string
  readonly topic?: string
  readonly partition?: number
  readonly offset?: number
  /** The first offset behind what cannot be read, where it is known. */
  readonly nextOffset?: number
}

/** Where an error happened, and what caused it. */
export interface MillraceErrorOptions extends ErrorPlace {
  /** The error behind this one. */
  readonly cause?: unknown
}

/**
 * Root of every error that Millrace throws. A class is named after what the runner does about it; `code` is stable and is listed,
 * with its remedy, in docs/reference/errors.md.
 */
export abstract class MillraceError extends Error {
  /** `MILLRACE_` and what it is about; it does not change between releases. */
  abstract readonly code: string
  declare readonly pipeline?: string
  declare readonly topic?: string
  declare readonly partition?: number
  declare readonly offset?: number
  /** The first offset behind what cannot be read, where it is known. */
  declare readonly nextOffset?: number

  constructor(message: string, options: MillraceErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    if (options.pipeline !== undefined) this.pipeline = options.pipeline
    if (options.topic !== undefined) this.topic = options.topic
    if (options.partition !== undefined) this.partition = options.partition
    if (options.offset !== undefined) this.offset = options.offset
    if (options.nextOffset !== undefined) this.nextOffset = options.nextOffset
  }
}

/** A setting or an option is wrong: stop and tell a human, who changes it. */
export class ConfigurationError extends MillraceError {
  readonly code = 'MILLRACE_CONFIGURATION'
}

/** The saved state does not fit the pipeline as it is written now: stop and tell a human, who migrates or resets. */
export class StateMismatchError extends MillraceError {
  readonly code = 'MILLRACE_STATE_MISMATCH'
}

/** Another owner has claimed the partition or the producer: drop the task quietly. */
export class TaskFencedError extends MillraceError {
  readonly code = 'MILLRACE_TASK_FENCED'
}

/** What a `RetryableError` may say besides. */
export interface RetryableErrorOptions extends MillraceErrorOptions {
  /** How long the other side has asked not to be bothered. */
  readonly retryAfterMs?: number
}

/** A store, a log or an archive did not answer, or not in time: drop the task, wait, claim again and read what really happened. */
export class RetryableError extends MillraceError {
  readonly code = 'MILLRACE_RETRYABLE'
  /** How long the other side has asked not to be bothered, where it has. */
  declare readonly retryAfterMs?: number

  constructor(message: string, options: RetryableErrorOptions = {}) {
    super(message, options)
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs
  }
}

/** What a `RefusedMessageError` may say besides. */
export interface RefusedMessageErrorOptions extends MillraceErrorOptions {
  /** Of the message that was refused, as it was delivered. */
  readonly id?: string
}

/** A destination will never take a message: set it aside and send the others. Without an `id` the messages that came together are sent one by one, to find out which. */
export class RefusedMessageError extends MillraceError {
  readonly code = 'MILLRACE_REFUSED_MESSAGE'
  /** Of the message that was refused, where it is known. */
  declare readonly id?: string

  constructor(message: string, options: RefusedMessageErrorOptions = {}) {
    super(message, options)
    if (options.id !== undefined) this.id = options.id
  }
}

/** The log no longer holds, or never held, the offset to resume from: stop, because only a human may choose to lose data. */
export class OffsetOutOfRangeError extends MillraceError {
  readonly code = 'MILLRACE_OFFSET_OUT_OF_RANGE'
}

/** Bytes of the log are broken: stop with topic, partition and offset rather than hand over a wrong record. */
export class CorruptRecordError extends MillraceError {
  readonly code = 'MILLRACE_CORRUPT_RECORD'
}

/** A store already holds other bytes or rows under this identity: stop, because output was not deterministic. */
export class DeterminismError extends MillraceError {
  readonly code = 'MILLRACE_DETERMINISM'
}

/** An operator was used in a way that cannot be made exact: stop and tell the programmer. */
export class OperatorError extends MillraceError {
  readonly code = 'MILLRACE_OPERATOR'
}

/** Where an error happened, as far as it is known. */
export interface ErrorPlace {
  readonly pipeline?: string
  readonly topic?: string
  readonly partition?: number
  readonly offset?: number
}

/** Where an error happened, and what caused it. */
export interface MillraceErrorOptions extends ErrorPlace {
  /** The error behind this one. */
  readonly cause?: unknown
}

/**
 * Root of every error that Millrace throws. A class is named after what the runner does about it; `code` is stable and is listed,
 * with its remedy, in docs/errors.md.
 */
export abstract class MillraceError extends Error {
  /** `MILLRACE_` and what it is about; it does not change between releases. */
  abstract readonly code: string
  declare readonly pipeline?: string
  declare readonly topic?: string
  declare readonly partition?: number
  declare readonly offset?: number

  constructor(message: string, options: MillraceErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    if (options.pipeline !== undefined) this.pipeline = options.pipeline
    if (options.topic !== undefined) this.topic = options.topic
    if (options.partition !== undefined) this.partition = options.partition
    if (options.offset !== undefined) this.offset = options.offset
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

/** A store, a log or an archive did not answer, or not in time: drop the task, wait, claim again and read what really happened. */
export class RetryableError extends MillraceError {
  readonly code = 'MILLRACE_RETRYABLE'
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

import {
  ConfigurationError,
  CorruptRecordError,
  DeterminismError,
  type MillraceError,
  OffsetOutOfRangeError,
  OperatorError,
  RetryableError,
  StateMismatchError,
  TaskFencedError,
} from '../runtime/errors.ts'

const classes: Readonly<Record<string, new (message: string) => MillraceError>> = {
  MILLRACE_CONFIGURATION: ConfigurationError,
  MILLRACE_STATE_MISMATCH: StateMismatchError,
  MILLRACE_TASK_FENCED: TaskFencedError,
  MILLRACE_RETRYABLE: RetryableError,
  MILLRACE_OFFSET_OUT_OF_RANGE: OffsetOutOfRangeError,
  MILLRACE_CORRUPT_RECORD: CorruptRecordError,
  MILLRACE_DETERMINISM: DeterminismError,
  MILLRACE_OPERATOR: OperatorError,
}

/** The error that another process told of, so that it is reported as if it had happened here. */
export function errorOf(code: string, message: string): Error {
  const Known = classes[code]
  return Known === undefined ? new Error(message) : new Known(message)
}

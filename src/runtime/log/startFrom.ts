import { ConfigurationError } from '../errors.ts'
import type { TaskId } from '../store/checkpoint.ts'
import type { LogReader } from './log.ts'

/**
 * Where a pipeline begins to read a partition in which nothing was committed for it: at the `earliest` record that the log still has, with the next one that comes
 * (`latest`), at the first record of a time or after it (ms UTC, by the timestamps of the log), or at an offset.
 *
 * `latest` is looked up anew until the first checkpoint, a moment after the start, is committed.
 */
export type StartFrom =
  | 'earliest'
  | 'latest'
  | {
      /** ms UTC, a whole number from 0 up. */
      readonly time: number
    }
  | { readonly offset: number }

/**
 * The offset at which the task begins in the log of the reader; null for the earliest that there is. Asks before it is known what the log holds, so what it says is
 * never behind the end that is found afterwards.
 * @throws ConfigurationError where the log does not have the offset, and on an offset for a task with several inputs, whose logs have nothing to do with each other's offsets
 */
export async function startOffset(from: StartFrom, reader: LogReader, task: TaskId): Promise<number | null> {
  if (from === 'earliest') return null
  if (from === 'latest') return (await reader.bounds()).next
  if ('time' in from) {
    requireWhole('a time to start from, in ms UTC,', from.time, task)
    return reader.offsetAt(from.time)
  }
  requireWhole('an offset to start from', from.offset, task)
  if (task.otherTopics?.some((topic) => topic !== task.topic) === true) {
    throw new ConfigurationError(
      `pipeline ${task.pipeline} reads several topics, and offset ${from.offset} would be another moment in each: start from a time, earliest or latest.`,
      task,
    )
  }
  const { earliest, next } = await reader.bounds()
  if (from.offset >= earliest && from.offset <= next) return from.offset
  throw new ConfigurationError(
    `pipeline ${task.pipeline} is to start from offset ${from.offset}, but ${task.topic}/${reader.partition} holds offsets ${earliest} to ${next} (the next one): ` +
      'choose one of them, or a time, earliest or latest.',
    { ...task, offset: from.offset },
  )
}

function requireWhole(what: string, value: number, task: TaskId): void {
  if (Number.isSafeInteger(value) && value >= 0) return
  throw new ConfigurationError(`${what} must be a whole number from 0 up, got ${value}`, task)
}

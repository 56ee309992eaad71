import type { Clock } from '../clock.ts'
import { ConfigurationError, OffsetOutOfRangeError } from '../errors.ts'
import type { LogSource } from '../log/log.ts'
import { mostAhead, ReadAhead } from '../log/readAhead.ts'
import { skipCommand, takeBackCommand } from '../log/skipRemedy.ts'
import { type StartFrom, startOffset } from '../log/startFrom.ts'
import type { ResolvedInput } from '../pipeline/input.ts'
import { inputsOf, type Pipeline } from '../pipeline/pipeline.ts'
import type { SavedCheckpoint, TaskId } from '../store/checkpoint.ts'
import { InputCursor } from './inputCursor.ts'

/** Of the partitions of one input that one task reads: so many records of all of them are read ahead, unless there are very many partitions. */
const mostTogether = 4 * mostAhead
const fewestAhead = 16

/** What is read. */
export interface CursorOptions {
  readonly pipeline: Pipeline
  readonly source: LogSource
  readonly others?: readonly LogSource[]
  /** What is read of them, one for each. */
  readonly inputs: readonly ResolvedInput[]
  readonly clock: Clock
  readonly mostAhead?: number
}

/** Looks whether the logs fit the inputs of the pipeline. Throws `ConfigurationError` where they do not. */
export function checkSources({ pipeline, source, others = [] }: Omit<CursorOptions, 'clock' | 'inputs'>): void {
  const inputs = inputsOf(pipeline)
  const sources = [source, ...others]
  if (sources.length !== inputs.length) {
    throw new ConfigurationError(
      `pipeline ${pipeline.name} has ${inputs.length} inputs (${inputs.map(({ name }) => name).join(', ')}) and was given ${sources.length} logs`,
    )
  }
  for (const [i, { name, topic }] of inputs.entries()) {
    const given = (sources[i] as LogSource).topic
    if (topic === null || topic === given) continue
    throw new ConfigurationError(
      `pipeline ${pipeline.name}: input ${name} is topic ${topic} and was given topic ${given}`,
    )
  }
}

/**
 * Opens the partition of each input: the task's own, unless the input names one.
 * @param from where streams begin that have no place yet; tables begin at their beginning
 * @throws ConfigurationError where the topics have different numbers of partitions
 */
export async function openCursors(
  id: TaskId,
  options: CursorOptions,
  from: StartFrom,
): Promise<readonly InputCursor[]> {
  const { pipeline, source, others = [], inputs, clock, mostAhead: most = mostAhead } = options
  const sources = [source, ...others]
  await refuseUnequalPartitions(
    pipeline.name,
    sources.filter((_, i) => inputs[i]?.partition === undefined),
  )
  const cursors: InputCursor[] = []
  try {
    for (const [i, input] of inputs.entries()) {
      const log = sources[i] as LogSource
      const reader = log.reader(input.partition ?? id.partition)
      // Before the bounds: the end may be further by then, and the start must not be behind it.
      const begin = input.movesTime ? await startOffset(from, reader, id) : null
      const bounds = await reader.bounds()
      const at = { topic: log.topic, begin, now: clock.now() }
      cursors.push(
        new InputCursor(pipeline.name, input, reader, bounds, at, aheadOf(inputs, i, Math.min(most, mostAhead))),
      )
    }
    return cursors
  } catch (error) {
    await Promise.allSettled(cursors.map(({ reader }) => reader.close()))
    throw error
  }
}

/** Of partitions that one task reads, fewer records each are read ahead where there are many. */
function aheadOf(inputs: readonly ResolvedInput[], i: number, most: number): ReadAhead {
  const { name } = inputs[i] as ResolvedInput
  const partitions = inputs.filter((other) => other.name === name).length
  const partition = inputs.slice(0, i).filter((other) => other.name === name).length
  const share = Math.max(fewestAhead, Math.floor(mostTogether / partitions))
  return new ReadAhead(Math.min(most, share), { partition, partitions })
}

async function refuseUnequalPartitions(pipeline: string, sources: readonly LogSource[]): Promise<void> {
  if (sources.length < 2) return
  const counts = await Promise.all(sources.map(async (log) => (await log.partitions()).length))
  if (counts.every((count) => count === counts[0])) return
  const found = sources.map(({ topic }, i) => `${topic} has ${counts[i]}`)
  throw new ConfigurationError(
    `pipeline ${pipeline} reads topics with different numbers of partitions (${found.join(', ')}). A task reads the same partition of each, so that what belongs together by its key ` +
      'meets: make a topic with the number of the first and write the records into it.',
    { pipeline },
  )
}

/** Of topics that a task reads whole: what is saved counts their partitions, so one that has more by now is refused. */
export function refuseOtherPartitions(
  { pipeline }: TaskId,
  cursors: readonly InputCursor[],
  restored: SavedCheckpoint | null,
): void {
  if (restored === null) return
  const added = cursors.find(
    (cursor, i) => i > 0 && cursor.input.partition !== undefined && restored.others?.[i - 1] == null,
  )
  if (added === undefined) return
  throw new ConfigurationError(
    `pipeline ${pipeline}: topic ${added.topic} has a partition ${added.partition} that the checkpoint does not know. A task reads all its partitions (partitions: 'all'), and what is saved counts them: ` +
      'make a topic with the old number and write the records into it, or start under a new pipeline name.',
    { pipeline, topic: added.topic, partition: added.partition },
  )
}

/** A topic that was made anew may have grown past our offset, so its length does not give it away. */
export function refuseOtherLog(id: TaskId, cursors: readonly InputCursor[], restored: SavedCheckpoint | null): void {
  for (const [input, { logId, topic, partition }] of cursors.entries()) {
    const saved = input === 0 ? restored : restored?.others?.[input - 1]
    if (saved?.logId === undefined || logId === undefined || saved.logId === logId) continue
    const { pipeline } = id
    throw new OffsetOutOfRangeError(
      `${topic}/${partition}: the topic was deleted and made anew since pipeline ${pipeline} last read it (its id was ${saved.logId}, now it is ${logId}), ` +
        'so its offsets mean other records. Start under a new pipeline name to read the new topic from its beginning.',
      { pipeline, topic, partition, offset: saved.nextOffset },
    )
  }
}

/**
 * A leader that had not all records, elected while nobody read, leaves the offsets and changes what they mean: the log ends below what was read from it under the
 * leader before, and has perhaps grown past it since.
 */
export async function refuseLostEnd(
  id: TaskId,
  cursors: readonly InputCursor[],
  restored: SavedCheckpoint | null,
): Promise<void> {
  for (const [input, cursor] of cursors.entries()) {
    const saved = input === 0 ? restored : restored?.others?.[input - 1]
    const { reader, topic, partition } = cursor
    if (saved?.leaderEpoch === undefined || reader.endOfEpoch === undefined) continue
    const found = await reader.endOfEpoch(saved.leaderEpoch)
    if (found !== null && (found.end < saved.nextOffset || found.leaderEpoch < saved.leaderEpoch)) {
      const { pipeline } = id
      throw new OffsetOutOfRangeError(
        `${topic}/${partition}: the log lost its end at offset ${found.end}, and pipeline ${pipeline} has processed what stood there, up to offset ${saved.nextOffset - 1} ` +
          '(a broker without those records has become the leader, or has lost what it had not written to its disk). What stands there now are other records. ' +
          `Bring the log back, or accept the loss: ${skipCommand('accept-loss', { pipeline, topic, partition }, saved.nextOffset, found.end)}.`,
        { pipeline, topic, partition, offset: saved.nextOffset, nextOffset: found.end },
      )
    }
    cursor.resumeIn(saved.leaderEpoch)
  }
}

/**
 * The log no longer has, or never had, what the task must go on with.
 * @param from where it stands; `start` is behind what it leaves out from there
 */
export function outOfRange(
  { pipeline }: TaskId,
  { topic, partition, earliest, logEnd }: InputCursor,
  start: number,
  from: number,
): OffsetOutOfRangeError {
  if (start > from && start > logEnd) {
    return new OffsetOutOfRangeError(
      `${topic}/${partition}: a person has decided that pipeline ${pipeline} leaves out the offsets from ${from} to ${start - 1}, but the log ends at ${logEnd}, so it cannot go on. ` +
        `Take the decision back, ${takeBackCommand({ pipeline, topic, partition })}, or bring the log back.`,
      { pipeline, topic, partition, offset: from },
    )
  }
  const what =
    start < earliest
      ? `records ${start} to ${earliest - 1} were deleted before they were processed; keep the log longer than the archive's objects span`
      : `the log ends at ${logEnd}, so it was replaced or lost its end`
  const nextOffset = start < earliest ? earliest : logEnd
  return new OffsetOutOfRangeError(
    `${topic}/${partition}: pipeline ${pipeline} must go on at offset ${start}, but ${what}. ` +
      `Bring the log back, or accept the loss: ${skipCommand('accept-loss', { pipeline, topic, partition }, start, nextOffset)}.`,
    { pipeline, topic, partition, offset: start, nextOffset },
  )
}

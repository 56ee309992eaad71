import { userInfo } from 'node:os'
import type { FoundPartition, FoundTopic } from '../../host/foundTopic.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { DecidedRange, StandingTask } from '../../sinks/postgres/skippedRanges.ts'
import { UsageError } from '../exit.ts'

/** What a person wants a pipeline to leave out, or to give up. */
export interface WantedRange {
  readonly pipeline: string
  readonly topic: string
  readonly partition: number
  readonly fromOffset: number | undefined
  readonly toOffset: number
  readonly because: string
}

/** What its log has of the partition that is meant. */
export type FoundPlace = FoundPartition & Pick<FoundTopic, 'isEmbedded'>

/**
 * What would be stored for a task that stands where it stands.
 * @param isLoss true where the log no longer has the records
 * @param found what the log has; null where it could not be asked
 * @throws UsageError or ConfigurationError on what would have no effect, or would end every start
 */
export function decidedRange(
  task: StandingTask,
  wanted: WantedRange,
  isLoss: boolean,
  found: FoundPlace | null,
): DecidedRange {
  const { nextOffset, archiveNextOffset, pipeline, topic, partition, inputTopic, inputPartition } = task
  const { toOffset } = wanted
  const stands = Math.min(nextOffset ?? 0, archiveNextOffset ?? nextOffset ?? 0)
  const decided = {
    pipeline,
    topic,
    partition,
    inputTopic,
    inputPartition,
    decidedBy: whoami(),
    reason: wanted.because,
  }
  if (found !== null) requireInside(task, stands, toOffset, found)
  if (isLoss && nextOffset !== null && toOffset < nextOffset) {
    if (found !== null) requireLostEnd(task, nextOffset, toOffset, found)
    return { ...decided, kind: 'rewind', fromOffset: toOffset, toOffset: nextOffset }
  }
  const fromOffset = Math.max(wanted.fromOffset ?? stands, stands)
  if (toOffset <= fromOffset) {
    throw new UsageError(
      `--to-offset ${toOffset} is not behind ${fromOffset}, where that begins; ` +
        'what is processed is not processed again: drop the state of the pipeline for that (`millrace state drop`).',
    )
  }
  if (isLoss && found !== null) requireLost(task, toOffset, found)
  return { ...decided, kind: isLoss ? 'loss' : 'skip', fromOffset, toOffset }
}

/** Behind the end nothing could ever be read. */
function requireInside(task: StandingTask, stands: number, toOffset: number, found: FoundPlace): void {
  if (toOffset <= found.next) return
  const { pipeline, inputTopic, inputPartition } = task
  const most =
    found.next > stands
      ? `--to-offset ${found.next} leaves out all that is there`
      : `there is nothing in it that the pipeline has not got`
  throw new ConfigurationError(
    `${inputTopic}/${inputPartition} ends at offset ${found.next}, so pipeline ${pipeline} could not go on at ${toOffset}: ${most}, and what is not there yet cannot be decided about.`,
    { pipeline, topic: inputTopic, partition: inputPartition, offset: toOffset },
  )
}

/** Records that are there are not lost. */
function requireLost(
  { pipeline, inputTopic, inputPartition }: StandingTask,
  toOffset: number,
  found: FoundPlace,
): void {
  if (toOffset <= found.earliest) return
  throw new ConfigurationError(
    `${inputTopic}/${inputPartition} holds the offsets from ${found.earliest} to ${found.next - 1}, which are not lost: --to-offset ${found.earliest} accepts what is. To leave out records that are there: \`millrace offsets skip\`.`,
    { pipeline, topic: inputTopic, partition: inputPartition, offset: toOffset },
  )
}

/** Going back over records that are there would give them their effect twice. */
function requireLostEnd(task: StandingTask, nextOffset: number, toOffset: number, found: FoundPlace): void {
  const { pipeline, inputTopic, inputPartition } = task
  const place = { pipeline, topic: inputTopic, partition: inputPartition, offset: toOffset }
  if (found.isEmbedded && found.next >= nextOffset) {
    throw new ConfigurationError(
      `${inputTopic}/${inputPartition} has lost nothing: it holds the offsets from ${found.earliest} to ${found.next - 1}, and pipeline ${pipeline} stands at ${nextOffset}. Going back to ${toOffset} would give records their effect twice.`,
      place,
    )
  }
  if (toOffset >= found.earliest) return
  throw new ConfigurationError(
    `${inputTopic}/${inputPartition} begins at offset ${found.earliest}, so pipeline ${pipeline} could not go on at ${toOffset}.`,
    place,
  )
}

/** Who decides, as the machine knows them. */
export function whoami(): string {
  return userInfo().username
}

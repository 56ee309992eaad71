import { ConfigurationError } from '../errors.ts'
import type { TaskId } from './checkpoint.ts'

/**
 * What a pipeline says to a topic that has another number of partitions than before: `refuse` it, because keys are spread by that number and
 * a key's records would part from its state, or `allow` it.
 */
export type PartitionGrowth = 'refuse' | 'allow'

/**
 * The refusal of a claim, the same from every store.
 * @param before the greatest number that the pipeline has claimed the topic under
 */
export function partitionsChanged(task: TaskId, before: number, now: number, cause?: unknown): ConfigurationError {
  const { pipeline, topic } = task
  return new ConfigurationError(
    `pipeline ${pipeline} has read topic ${topic} with ${counted(before)}, and now it has ${now}. Keys are spread by the number of partitions, so the ` +
      'records of a key may come to another partition than its state, and two tasks would have values for the same rows. ' +
      `Nothing was claimed. ${now > before ? grown(now, task.otherTopics ?? []) : madeAnew}`,
    { ...task, cause },
  )
}

const madeAnew =
  'A topic does not lose partitions, so it was deleted and made anew: start under a new pipeline name to read it from its beginning.'

function grown(now: number, otherTopics: readonly string[]): string {
  const isAlone = otherTopics.length === 0
  const make = isAlone
    ? `make one with ${counted(now)}, write the records into it from the beginning, and run the pipeline on that one.`
    : `make new ones with ${counted(now)} each in place of this one and of ${otherTopics.join(', ')}, whose partitions are read beside its own, write the records into ` +
      'them from the beginning, and run the pipeline on those.'
  const reading = isAlone
    ? 'reads this topic from its beginning,'
    : 'reads these topics from their beginning, once each has as many partitions,'
  return (
    `A topic does not lose partitions again: ${make} A new pipeline name ${reading} which is right only where no row is made of records from before and after the ` +
    "change. Where each key's records stay in their partition (a partitioner of one's own), or no row depends on a key, say partitionGrowth: 'allow' " +
    `in definePipeline${isAlone ? '' : ', and let all topics grow to the same number'}.`
  )
}

function counted(partitions: number): string {
  return partitions === 1 ? '1 partition' : `${partitions} partitions`
}

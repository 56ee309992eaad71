import { ConfigurationError } from '../runtime/errors.ts'
import { inputsOf, type Pipeline } from '../runtime/pipeline/pipeline.ts'

/** A topic that a run reads. */
export interface RunTopic {
  readonly name: string
  /** True for one of which the newest record of each key is enough. */
  readonly isTable: boolean
  /** True for one that a task reads whole, so that it may have another number of partitions than the leading one. */
  readonly isWhole?: boolean
  /** True where its records may be older than what a log keeps by age, so it is to keep all. */
  readonly isOfThePast: boolean
  /** Whether Kafka gets it where it is missing. A run makes no topic that somebody has told it to read: a slip of the hand would be read for ever. */
  readonly mayBeMade: boolean
  /** True where a person has named it for this run, and not the pipeline: the embedded log does not get it either where it is missing, unless the run fills it. */
  readonly isTold: boolean
}

/** What is known of the topics of a run besides their names. */
export interface TopicsOptions {
  readonly isOfThePast?: boolean
  readonly mayBeMade?: boolean
}

/**
 * The topics that the pipeline reads, the leading one first.
 * @param topic of a pipeline that names none itself
 * @throws ConfigurationError where both name topics, or neither does
 */
export function topicsOf(
  pipeline: Pipeline,
  topic: string | undefined,
  { isOfThePast = false, mayBeMade = false }: TopicsOptions = {},
): readonly RunTopic[] {
  const inputs = inputsOf(pipeline)
  const names = inputs.flatMap((input) => input.topic ?? [])
  if (names.length > 0 && topic !== undefined) {
    throw new ConfigurationError(
      `pipeline ${pipeline.name} names its topics itself (${names.join(', ')}); leave topic ${topic} out`,
    )
  }
  return inputs.map((input, i) => ({
    name: input.topic ?? required(pipeline, topic),
    isTable: !input.movesTime,
    ...(input.isWhole && i > 0 ? { isWhole: true } : {}),
    isOfThePast,
    mayBeMade,
    isTold: input.topic === null && !mayBeMade,
  }))
}

function required({ name }: Pipeline, topic: string | undefined): string {
  if (topic !== undefined) return topic
  throw new ConfigurationError(
    `pipeline ${name} names no topic: tell which one it reads (--topic NAME, or topic in the settings), or give it inputs`,
  )
}

/** The names of topics that need not have as many partitions as the others. */
export function namesApart(topics: readonly RunTopic[]): readonly string[] {
  return topics.filter(({ isWhole }) => isWhole === true).map(({ name }) => name)
}

/**
 * How many partitions the topics of a run have that are read by partition: what those that are there have, else what is asked for, else `fallback`.
 * @param counts of the topics that are there, by name
 * @param wanted asked for by a person, or null
 * @throws ConfigurationError where they differ, because a task reads the same partition of each
 */
export function commonPartitions(counts: ReadonlyMap<string, number>, wanted: number | null, fallback: number): number {
  const [first, ...others] = counts
  if (first === undefined) return wanted ?? fallback
  const [topic, partitions] = first
  const other = others.find(([, count]) => count !== partitions)
  if (other !== undefined) {
    throw new ConfigurationError(
      `topic ${topic} has ${partitions} partitions and topic ${other[0]} has ${other[1]}: a task reads the same partition of each input, and a key has to be in the same one. ` +
        'Make topics with as many partitions as each other, and copy the records over by their keys; ' +
        "or, where one of them is a table (movesTime: false), give it partitions: 'all', and every task reads all of it.",
      { topic: other[0] },
    )
  }
  if (wanted !== null && wanted !== partitions) {
    throw new ConfigurationError(
      `topic ${topic} has ${partitions} partitions, not ${wanted} as was asked for (MILLRACE_PARTITIONS, or partitions in the settings). The partition of a key depends on it: ` +
        `set ${partitions}, or take another topic.`,
      { topic },
    )
  }
  return partitions
}

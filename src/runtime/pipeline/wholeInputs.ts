import { ConfigurationError } from '../errors.ts'
import type { LogSource } from '../log/log.ts'
import type { ResolvedInput } from './input.ts'
import { inputsOf, type Pipeline } from './pipeline.ts'

/** What a task reads: an input for each partition where it reads all of them. */
export interface TaskSources {
  /** In the order of the logs. Those of one topic have the same name. */
  readonly inputs: readonly ResolvedInput[]
  readonly source: LogSource
  readonly others: readonly LogSource[]
}

/**
 * The inputs of a pipeline with a place for each partition that one task reads: those of the first input first, by their numbers. An input of which a task reads its own partition stays as it is.
 * @throws RetryableError where a log cannot be asked how many it has
 */
export async function taskSources(
  pipeline: Pipeline,
  source: LogSource,
  others: readonly LogSource[],
): Promise<TaskSources> {
  const inputs = inputsOf(pipeline)
  if (isOneTask(inputs) && pipeline.partitionGrowth === 'allow') {
    throw new ConfigurationError(
      `pipeline ${pipeline.name}: partitionGrowth: 'allow' is for tasks that each have a partition; with partitions: 'all' the number of partitions is a part of what is saved. Leave one of them out.`,
      { pipeline: pipeline.name },
    )
  }
  const read: { readonly input: ResolvedInput; readonly log: LogSource }[] = []
  for (const [i, log] of [source, ...others].entries()) {
    const input = inputs[i] as ResolvedInput
    if (!input.isWhole) read.push({ input, log })
    else for (const partition of await log.partitions()) read.push({ input: { ...input, partition }, log })
  }
  return { inputs: read.map(({ input }) => input), source, others: read.slice(1).map(({ log }) => log) }
}

/** Whether the pipeline has one task, which reads all partitions; it is called by the number 0. */
export function isOneTask(inputs: readonly ResolvedInput[]): boolean {
  return inputs[0]?.isWhole === true
}

/** Whether the input is a table that every task of several reads whole. */
export function isShared(inputs: readonly ResolvedInput[], { isWhole }: ResolvedInput): boolean {
  return isWhole && !isOneTask(inputs)
}

/** How many tasks the pipeline has over topics of so many partitions. */
export function taskCount(pipeline: Pipeline, partitions: number): number {
  return isOneTask(inputsOf(pipeline)) ? 1 : partitions
}

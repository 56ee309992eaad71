import type { TaskId } from './checkpoint.ts'

/** A partition of a topic that a task reads. */
export interface InputPlace {
  readonly topic: string
  readonly partition: number
}

/** The inputs of the task that do not lead, in their order. */
export function otherPlaces({ partition, otherTopics = [], otherPartitions }: TaskId): readonly InputPlace[] {
  return otherTopics.map((topic, i) => ({ topic, partition: otherPartitions?.[i] ?? partition }))
}

/**
 * What the input reads, the leading one being 0.
 * @throws RangeError where the task has no such input
 */
export function placeOfInput(task: TaskId, input: number): InputPlace {
  if (input === 0) return { topic: task.topic, partition: task.partition }
  const place = otherPlaces(task)[input - 1]
  if (place === undefined) throw new RangeError(`${task.pipeline} ${task.topic}: no topic of input ${input}`)
  return place
}

/** `topic/partition`. */
export function placeName({ topic, partition }: InputPlace): string {
  return `${topic}/${partition}`
}

import type { MemoryCheckpointStore } from '../../memoryCheckpointStore.ts'
import type { AbovePlan, HopPlan, HopValue } from './hopPipelines.ts'

/** What the tasks of one pipeline above have to say, by definition. */
export interface AboveTruth {
  readonly inTime: readonly HopValue[]
  /** Ids of those that came at or below the watermark. */
  readonly late: readonly string[]
  /** How far each task has come in the end, ms UTC; null for one without a time, infinite for one whose input was declared ended. */
  readonly reached: readonly (number | null)[]
}

/** A step of time that no record caused. */
interface Step {
  readonly partition: number
  readonly offset: number
  readonly watermark: number
}

/** Which values come in time, and how far each task comes: the newest value, less what is allowed, or a step that was recorded at the place. */
export function inTimeAbove(
  { partitions, maxOutOfOrdernessMs, closesOpen }: AbovePlan,
  values: readonly (HopValue & { readonly partition: number })[],
  steps: readonly Step[],
): AboveTruth {
  const inTime: HopValue[] = []
  const late: string[] = []
  const reached = Array.from({ length: partitions }, (_, partition) => {
    const ofTask = values.filter((value) => value.partition === partition)
    let watermark = Number.NEGATIVE_INFINITY
    for (let offset = 0; offset <= ofTask.length; offset++) {
      for (const step of steps)
        if (step.partition === partition && step.offset === offset) watermark = Math.max(watermark, step.watermark)
      const value = ofTask[offset]
      if (value === undefined) break
      if (value.at <= watermark) late.push(value.id)
      else inTime.push(value)
      watermark = Math.max(watermark, value.at - maxOutOfOrdernessMs - 1)
    }
    if (closesOpen) return Number.POSITIVE_INFINITY
    return watermark === Number.NEGATIVE_INFINITY ? null : watermark
  })
  // What waits for its time in a task that goes on later has not been sent yet.
  const isSent = ({ at, id }: HopValue) => at <= (reached[Number(id.split('.')[1])] ?? Number.NEGATIVE_INFINITY)
  return { inTime: inTime.filter(isSent), late, reached }
}

/** Each value that came in time is in the row of its window, once, where time has come to the window's end; no other row is there. */
export function untruthsOfRows(
  { sizeMs, closesOpen }: HopPlan,
  truths: readonly AboveTruth[],
  store: MemoryCheckpointStore,
): readonly string[] {
  const tasks = truths.flatMap(({ reached }) => reached)
  const least = tasks.includes(null) ? Number.NEGATIVE_INFINITY : Math.min(...(tasks as readonly number[]))
  const windows = Map.groupBy(
    truths.flatMap(({ inTime }) => inTime),
    ({ key, at }) => `${key} ${Math.floor(at / sizeMs) * sizeMs}`,
  )
  const expected = [...windows].flatMap(([window, values]) => {
    const end = Number(window.split(' ')[1]) + sizeMs
    if (!closesOpen && end - 1 > least) return []
    return [
      `${window} ${values
        .map(({ id }) => id)
        .sort()
        .join(' ')}`,
    ]
  })
  const found = store.rows('counts').map(({ key, start, ids }) => `${key} ${start} ${ids}`)
  const isExpected = new Set(expected)
  const isFound = new Set(found)
  return [
    ...expected.filter((row) => !isFound.has(row)).map((row) => `- row ${row}`),
    ...found.filter((row) => !isExpected.has(row)).map((row) => `+ row ${row}`),
    ...(isFound.size === found.length ? [] : ['! a row is there twice']),
  ]
}

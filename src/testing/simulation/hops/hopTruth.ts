import type { MemoryCheckpointStore } from '../../memoryCheckpointStore.ts'
import { type AbovePlan, furtherWindow, type HopPlan, type HopValue } from './hopPipelines.ts'

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

/** Each value that came in time is in the row of its window, once, where time has come to the window's end; no other row is there. The same of the rows that come of these behind a second hop. */
export function untruthsOfRows(
  { sizeMs, closesOpen }: HopPlan,
  truths: readonly AboveTruth[],
  stores: readonly MemoryCheckpointStore[],
): readonly string[] {
  const tasks = truths.flatMap(({ reached }) => reached)
  const least = tasks.includes(null) ? Number.NEGATIVE_INFINITY : Math.min(...(tasks as readonly number[]))
  // What has closed what was open has ended for those below it.
  const come = closesOpen ? Number.POSITIVE_INFINITY : least
  const values = truths.flatMap(({ inTime }) => inTime)
  const rows = rowsOf(values, come, ({ key, at }) => {
    const start = Math.floor(at / sizeMs) * sizeMs
    return { key, start, end: start + sizeMs }
  })
  const further = rowsOf(rows, come, ({ key, start }) => furtherWindow(key, start, sizeMs))
  return stores.flatMap((store, i) => {
    const name = i === 0 ? 'row' : 'further row'
    const expected = (i === 0 ? rows : further).map(({ key, start, id }) => `${key} ${start} ${id}`)
    const found = store.rows('counts').map(({ key, start, ids }) => `${key} ${start} ${ids}`)
    const isExpected = new Set(expected)
    const isFound = new Set(found)
    return [
      ...expected.filter((row) => !isFound.has(row)).map((row) => `- ${name} ${row}`),
      ...found.filter((row) => !isExpected.has(row)).map((row) => `+ ${name} ${row}`),
      ...(isFound.size === found.length ? [] : [`! a ${name} is there twice`]),
    ]
  })
}

interface WindowOf {
  readonly key: string
  readonly start: number
  readonly end: number
}

/** The windows of the values to whose end time has come, with the ids of all values in them. */
function rowsOf<V extends { readonly id: string }>(
  values: readonly V[],
  come: number,
  windowOf: (value: V) => WindowOf,
): readonly (WindowOf & { readonly id: string })[] {
  const windows = Map.groupBy(values, (value) => JSON.stringify(windowOf(value)))
  return [...windows].flatMap(([text, inWindow]) => {
    const window = JSON.parse(text) as WindowOf
    if (window.end - 1 > come) return []
    const ids = inWindow.flatMap(({ id }) => id.split(' ')).sort()
    return [{ ...window, id: ids.join(' ') }]
  })
}

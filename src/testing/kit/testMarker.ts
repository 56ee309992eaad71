import { type Marker, markerMessage } from '../../runtime/log/marker.ts'
import type { TestRecord } from './testRecord.ts'

/** What a marker of a test says; all but the watermark may be left out. */
export interface TestMarkerOptions extends Partial<Omit<Marker, 'watermark'>> {
  /** ms UTC of event time: nothing that comes behind it from this task is at or before it. Null for a task that has no time yet. */
  readonly watermark: number | null
}

/**
 * A marker as a record, to be pushed to a pipeline with `upstreamTime`, as if a pipeline above had written it with `toTopic({ markers: true })`. Unless told, it is that of the only task and outlet of
 * a pipeline called `upstream`.
 */
export function testMarker({
  watermark,
  pipeline = 'upstream',
  topic = 'records',
  outlet = 'out',
  outlets = [outlet],
  task = 0,
  tasks = 1,
  isEnd = false,
}: TestMarkerOptions): TestRecord {
  const marker = { pipeline, topic, outlet, outlets, task, tasks, watermark, isEnd }
  const { key, value, headers = [], time } = markerMessage(marker)
  return { key, value, headers, timestamp: time }
}

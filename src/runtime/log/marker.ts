import type { OutgoingMessage } from './destination.ts'
import { farthestTimestamp, type RecordHeader, type RecordView } from './record.ts'

/** The header by which a record of a topic is known as a marker: it says how far the time of an upstream task is, and is no value. */
export const markerHeader = 'millrace-marker'

/** What the key of every marker begins with, so that compaction keeps the newest of each upstream task and outlet. */
const markerKeyPrefix = 'millrace-marker/'

const headerName = Buffer.from(markerHeader)
const layoutVersion = '1'

/** So many tasks may an upstream pipeline have, so many of its outlets may write markers into one topic, and so many may both be together. */
const mostTasks = 10_000
const mostOutlets = 100
export const mostMarkers = 100_000
const mostNameLength = 255
const mostBytes = 65_536

/** Who writes markers: one outlet of one task of a pipeline. */
export interface MarkerSource {
  /** By its name. */
  readonly pipeline: string
  /** The topic that leads the pipeline's inputs. */
  readonly topic: string
  /** As the pipeline calls it. */
  readonly outlet: string
  /** Counts from 0. */
  readonly task: number
}

/** What one upstream task says of its time: of what comes behind the marker from this outlet of it, nothing is at or before the watermark that was not late there already. */
export interface Marker extends MarkerSource {
  /** How many tasks the pipeline has. */
  readonly tasks: number
  /** All outlets of the pipeline that write markers into the topic. */
  readonly outlets: readonly string[]
  /** ms UTC of event time; null where nothing has moved it yet. */
  readonly watermark: number | null
  /** True where the input of the task was declared ended: it holds nothing back any more. */
  readonly isEnd: boolean
}

/** True for the header of a marker, which only the runtime writes. */
export function isMarkerHeader({ key }: RecordHeader): boolean {
  return key === markerHeader
}

/** True for a message that is a marker, which goes to every partition of its topic. */
export function isMarker({ headers }: OutgoingMessage): boolean {
  return headers?.some(isMarkerHeader) === true
}

/** The marker as a message. Its value is not null, so that no compaction takes it for a tombstone. */
export function markerMessage(marker: Marker): OutgoingMessage {
  const { pipeline, topic, outlet, task, watermark } = marker
  return {
    // Not before 1970, where logs take it for none, and none that a log does not take.
    time: Math.min(farthestTimestamp, Math.max(0, watermark ?? 0)),
    key: Buffer.from(`${markerKeyPrefix}${pipeline}/${topic}/${outlet}/${task}`),
    value: Buffer.from(JSON.stringify(marker)),
    headers: [{ key: markerHeader, value: Buffer.from(layoutVersion) }],
  }
}

/** True for a record that is a marker, whether it can be read or not. */
export function isMarkerRecord(record: RecordView): boolean {
  return record.headersLength > 0 && record.headerValue(headerName) !== undefined
}

/** The marker that the record is; null for one that is none, and text that says what is wrong with one that cannot be read. */
export function readMarker(record: RecordView): Marker | string | null {
  const version = record.headerValue(headerName)
  if (version === undefined) return null
  const found = version === null ? '' : Buffer.from(version).toString()
  if (found !== layoutVersion)
    return `it is a marker of layout ${JSON.stringify(found)}, and this version of Millrace reads layout ${layoutVersion}`
  if (record.valueLength > mostBytes)
    return `it has the header of a marker and a value of ${record.valueLength} bytes, and no marker has more than ${mostBytes}`
  try {
    return checked(JSON.parse(record.valueText() ?? 'null'))
  } catch (error) {
    return `it has the header of a marker, but cannot be read as one: ${error instanceof Error ? error.message : String(error)}`
  }
}

function checked(found: unknown): Marker {
  if (typeof found !== 'object' || found === null) throw new TypeError('its value is no object')
  const { pipeline, topic, outlet, task, tasks, outlets, watermark, isEnd } = found as Partial<Record<string, unknown>>
  const marker = {
    pipeline: name(pipeline, 'pipeline'),
    topic: name(topic, 'topic'),
    outlet: name(outlet, 'outlet'),
    task: whole(task, 'task', 0, mostTasks - 1),
    tasks: whole(tasks, 'tasks', 1, mostTasks),
    outlets: list(outlets).map((one) => name(one, 'outlets')),
    watermark:
      watermark === null ? null : whole(watermark, 'watermark', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    isEnd: isEnd === true,
  }
  if (marker.tasks * marker.outlets.length > mostMarkers)
    throw new TypeError(
      `it tells of ${marker.tasks} tasks with ${marker.outlets.length} outlets each, more than ${mostMarkers} in all`,
    )
  if (marker.task >= marker.tasks) throw new TypeError(`its task is ${marker.task} of ${marker.tasks}`)
  if (!marker.outlets.includes(marker.outlet))
    throw new TypeError(`its outlet ${marker.outlet} is not among its outlets`)
  return marker
}

function name(found: unknown, field: string): string {
  if (typeof found === 'string' && found.length > 0 && found.length <= mostNameLength) return found
  throw new TypeError(`its ${field} is no name`)
}

function list(found: unknown): readonly unknown[] {
  if (Array.isArray(found) && found.length <= mostOutlets) return found
  throw new TypeError(`its outlets are no list of at most ${mostOutlets}`)
}

function whole(found: unknown, field: string, least: number, most: number): number {
  if (typeof found === 'number' && Number.isSafeInteger(found) && found >= least && found <= most) return found
  throw new TypeError(`its ${field} is no whole number from ${least} to ${most}`)
}

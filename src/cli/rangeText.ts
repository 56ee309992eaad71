import type { StoredRange } from '../sinks/postgres/skippedRanges.ts'
import { printable } from './deadLetterFormat.ts'
import { formatTime } from './time.ts'

/** What was decided about offsets, in a line of `status`. */
export function rangeText(range: StoredRange): string {
  const { pipeline, inputTopic, partition, fromOffset, toOffset, kind, decidedAt, decidedBy, reason } = range
  const what = kind === 'rewind' ? 'read anew' : kind === 'loss' ? 'lost, accepted' : 'left out'
  return `${pipeline}, ${inputTopic}/${partition}: offsets ${fromOffset} to ${toOffset - 1} ${what} by ${printable(decidedBy)}, ${formatTime(decidedAt)}: ${printable(reason)}`
}

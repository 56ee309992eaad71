import { ConfigurationError } from '../../runtime/errors.ts'
import { LineCutter } from '../lineCutter.ts'
import type { FeedRecords } from '../ownFeed/defineFeed.ts'
import type { FeedRecord } from '../ownFeed/feedRecord.ts'
import { isSimulatedMark, refusedMark } from '../tapeMark.ts'
import { BadLine, type LineFields, readLine } from './lineFields.ts'

export interface JsonLinesOptions extends Partial<LineFields> {
  /** What becomes of a line that is no JSON, or without its key or time. Default stop. */
  readonly onBadLine?: 'stop' | 'skip'
  /** True for lines that are invented: those that say so are no records. False refuses them. */
  readonly isSimulated?: boolean
  /** Told of the first lines that are skipped, and why. */
  readonly onNotice?: (notice: string) => void
  /** A longer line is a bad one. Default 8 MiB, which an append of a log can hold. */
  readonly maxLineBytes?: number
}

/** What has become of the lines of one source so far, over all that open it. */
export interface LineCounts {
  lines: number
  skipped: number
  /** Passed over at the last opening, because they are in the log already. */
  linesBefore: number
}

/** Where a source of lines was opened, and what it is called in messages. */
export interface LinesStart {
  readonly place: string
  readonly line: number
  readonly byte: number
}

/** The text of a position behind so many lines and bytes; `isOpen` where the last line had no end. */
export type PositionText = (line: number, byte: number, isOpen: boolean) => string

const defaultMaxLineBytes = 8 * 1024 * 1024
/** So much goes into the log at once, or not at all. */
const linesAtOnce = 500
const toldAtMost = 5

/**
 * Records of JSON lines: the value is the line as it stands, key and time are fields of it. A line without a time gets none: there is no clock in this.
 *
 * Throws `ConfigurationError` at a line that says that what follows is invented, unless that is known, and at a bad line, with its place and what is wrong, once those before it were yielded.
 */
export async function* jsonLines(
  chunks: AsyncIterable<Buffer>,
  start: LinesStart,
  options: JsonLinesOptions,
  counts: LineCounts,
  positionText: PositionText,
): AsyncGenerator<FeedRecords> {
  const { maxLineBytes = defaultMaxLineBytes, isSimulated = false } = options
  let longBytes = 0
  const onLong = (part: Buffer, fullLength: number) => {
    longBytes = fullLength
    return part
  }
  const cutter = new LineCutter(maxLineBytes, onLong, start.byte, start.line)
  const fields = fieldsOf(options)
  const found: Buffer[] = []
  let records: FeedRecord[] = []
  let firstOfPart = cutter.linesDone

  function take(): void {
    const line = found.pop()
    counts.lines = Math.max(counts.lines, cutter.linesDone)
    if (line === undefined) return
    const fullLength = longBytes
    longBytes = 0
    if (isSimulatedMark(line)) {
      if (isSimulated) return
      throw new ConfigurationError(`${refusedMark(`${start.place}:${cutter.linesDone}`)}.`)
    }
    try {
      if (fullLength > 0) throw new BadLine(`${fullLength} bytes long; at most ${maxLineBytes} are taken`)
      const { key, timestamp } = readLine(line, fields)
      records.push({ key, value: line, ...(timestamp === null ? {} : { timestamp }) })
    } catch (error) {
      if (!(error instanceof BadLine)) throw error
      skipOrStop(`${start.place}:${cutter.linesDone}: ${error.message}`, options, counts)
    }
  }

  function part(isOpen = false): FeedRecords {
    const made = { records, position: positionText(cutter.linesDone, cutter.bytesDone, isOpen) }
    records = []
    firstOfPart = cutter.linesDone
    return made
  }

  try {
    for await (const chunk of chunks) {
      for (let at = 0; at >= 0 && at < chunk.length; ) {
        const before = { line: cutter.linesDone, byte: cutter.bytesDone }
        at = cutter.next(chunk, at, found)
        try {
          if (at >= 0) take()
        } catch (error) {
          if (records.length > 0) yield { records, position: positionText(before.line, before.byte, false) }
          records = []
          throw error
        }
        if (cutter.linesDone - firstOfPart >= linesAtOnce) yield part()
      }
      if (cutter.linesDone > firstOfPart) yield part()
    }
  } catch (error) {
    if (records.length > 0) yield part()
    throw error
  }
  const linesBefore = cutter.linesDone
  cutter.finish(found)
  if (cutter.linesDone === linesBefore) return
  take()
  yield part(true)
}

export function fieldsOf({ key = null, time = null, timeUnit = null }: JsonLinesOptions): LineFields {
  return { key, time, timeUnit }
}

function skipOrStop(what: string, { onBadLine = 'stop', onNotice }: JsonLinesOptions, counts: LineCounts): void {
  if (onBadLine === 'stop') {
    throw new ConfigurationError(
      `${what}. The lines before it are in the log; mend the line, or leave such lines out with --on-bad-line skip.`,
    )
  }
  counts.skipped++
  if (counts.skipped <= toldAtMost) onNotice?.(`${what}; skipped`)
  if (counts.skipped === toldAtMost) onNotice?.('Further lines that are skipped are only counted.')
}

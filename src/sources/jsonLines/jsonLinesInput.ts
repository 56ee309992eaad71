import { addAbortSignal, type Readable } from 'node:stream'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { Feed } from '../../runtime/log/feed.ts'
import type { FeedRecords } from '../ownFeed/defineFeed.ts'
import { outgoingRecord } from '../ownFeed/feedRecord.ts'
import { GeneratorReader } from '../ownFeed/generatorReader.ts'
import { fieldsOf, type JsonLinesOptions, jsonLines, type LineCounts } from './jsonLines.ts'
import { formatPosition, headOf, type LinesPosition, parsePosition } from './linesPosition.ts'

const name = 'standard-input'
/** By which an input is told from another one: no more than the first line, for the rest may not have come yet. */
const headBytes = 4_096
const newline = 0x0a

/**
 * JSON lines from a stream that cannot be wound back, such as standard input. It is given anew at a restart, from its beginning, and the lines that are in the log
 * already are passed over by their number.
 *
 * Memory: a chunk and at most one line. Can be opened once: a failure after which it would be opened again ends the ingest with
 * `ConfigurationError`, as do an input that begins differently than before or ends before it, other options, and a bad line.
 */
export function jsonLinesInput(input: Readable, options: JsonLinesOptions = {}): Feed {
  const counts: LineCounts = { lines: 0, skipped: 0, linesBefore: 0 }
  let isOpened = false
  return {
    name,
    isSimulated: options.isSimulated ?? false,
    open: async (position, target) => {
      if (isOpened) {
        throw new ConfigurationError(
          'The log failed and what was read of standard input cannot be read again. Start the command once more with the same input: it goes on behind what is in the log.',
        )
      }
      isOpened = true
      const from = position === null ? null : parsePosition(position, name, fieldsOf(options))
      counts.linesBefore = from?.line ?? 0
      return new GeneratorReader({
        name,
        position,
        recordsOf: (part) => ('records' in part ? part.records.map((record) => outgoingRecord(record, target)) : []),
        read: (_, signal) => linesOf(addAbortSignal(signal, input), from, options, counts),
        progress: () => ({ counts: { ...counts } }),
      })
    },
  }
}

async function* linesOf(
  input: Readable,
  from: LinesPosition | null,
  options: JsonLinesOptions,
  counts: LineCounts,
): AsyncGenerator<FeedRecords> {
  const fields = fieldsOf(options)
  const chunks = (input as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  const beginning = await firstLine(chunks)
  const head = headOf(beginning.subarray(0, lineEnd(beginning)))
  if (from !== null && from.head.hash !== head.hash) {
    throw new ConfigurationError(
      `standard input begins differently than what was read of it before (${from.line} lines). It is read from its beginning at each start; name another producer with --producer NAME for other data.`,
    )
  }
  const rest = skipLines(joined(beginning, chunks), from?.line ?? 0)
  yield* jsonLines(
    rest,
    { place: 'standard input', line: from?.line ?? 0, byte: 0 },
    options,
    counts,
    (line, byte, isOpen) => formatPosition({ line, byte, isOpen, fields, head }),
  )
}

async function firstLine(chunks: AsyncIterator<Buffer>): Promise<Buffer> {
  let beginning = Buffer.alloc(0)
  while (beginning.length < headBytes && !beginning.includes(newline)) {
    const next = await chunks.next()
    if (next.done === true) break
    beginning = Buffer.concat([beginning, next.value])
  }
  return beginning
}

function lineEnd(beginning: Buffer): number {
  const end = beginning.indexOf(newline)
  return Math.min(headBytes, end < 0 ? beginning.length : end)
}

async function* joined(beginning: Buffer, chunks: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield beginning
  for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value
}

/** Throws `ConfigurationError` where there are fewer. */
async function* skipLines(chunks: AsyncIterable<Buffer>, lines: number): AsyncGenerator<Buffer> {
  let left = lines
  let isOpenLine = false
  for await (const chunk of chunks) {
    let at = 0
    while (left > 0 && at < chunk.length) {
      const end = chunk.indexOf(newline, at)
      isOpenLine = end < chunk.length - 1 || end < 0
      if (end < 0) {
        at = chunk.length
        continue
      }
      at = end + 1
      left--
    }
    if (at < chunk.length) yield chunk.subarray(at)
  }
  // The last line may lack its line end.
  if (left > (isOpenLine ? 1 : 0)) {
    throw new ConfigurationError(
      `standard input has only ${lines - left} lines, and ${lines} of it were read before. It is read from its beginning at each start; name another producer with --producer NAME for other data.`,
    )
  }
}

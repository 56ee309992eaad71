import { basename } from 'node:path'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { Feed } from '../../runtime/log/feed.ts'
import {
  inspectLineFile,
  type LineFile,
  type LineFileKind,
  type LineFileStream,
  lineFileError,
  streamLineFile,
} from '../lineFile.ts'
import type { FeedRecords } from '../ownFeed/defineFeed.ts'
import { outgoingRecord } from '../ownFeed/feedRecord.ts'
import { GeneratorReader } from '../ownFeed/generatorReader.ts'
import { fieldsOf, type JsonLinesOptions, jsonLines, type LineCounts } from './jsonLines.ts'
import { formatPosition, headOf, type LinesPosition, parsePosition } from './linesPosition.ts'

/** What a file of JSON lines is called in messages. */
export const jsonLinesKind: LineFileKind = { what: 'File', advice: 'Name a file of JSON lines, plain, .gz or .zst.' }

/**
 * The lines of a file of JSON, plain or packed (gzip, Zstandard), as records: blank lines are left out, the value is the line as it stands.
 *
 * Goes on where it was, also in a file that has grown since; its position is the line and the byte. Memory: a chunk of the file and at most one line.
 * Throws `ConfigurationError` when the file is missing, is another one than before (by its first 4 KiB and its size) or was read with other
 * options, and at a bad line. A file must not change while it is read, except that lines may be added.
 */
export function jsonLinesFile(path: string, options: JsonLinesOptions = {}): Feed {
  const name = basename(path)
  const counts: LineCounts = { lines: 0, skipped: 0, linesBefore: 0 }
  return {
    name,
    isSimulated: options.isSimulated ?? false,
    open: async (position, target) => {
      const file = await inspectLineFile(jsonLinesKind, path)
      const from = position === null ? null : parsePosition(position, name, fieldsOf(options))
      if (from !== null) requireSameFile(file, from)
      counts.linesBefore = from?.line ?? 0
      let stream: LineFileStream | null = null
      const openStream = () => {
        stream = streamLineFile(file, from?.byte ?? 0)
        return stream
      }
      return new GeneratorReader({
        name,
        position,
        recordsOf: (part) => ('records' in part ? part.records.map((record) => outgoingRecord(record, target)) : []),
        read: () => linesOf(file, openStream, from, options, counts),
        progress: () => ({ bytesDone: stream?.bytesRead() ?? 0, bytesTotal: file.sizeBytes, counts: { ...counts } }),
      })
    },
  }
}

async function* linesOf(
  file: LineFile,
  openStream: () => LineFileStream,
  from: LinesPosition | null,
  options: JsonLinesOptions,
  counts: LineCounts,
): AsyncGenerator<FeedRecords> {
  const { line = 0, byte = 0 } = from ?? {}
  const head = headOf(file.head)
  const fields = fieldsOf(options)
  // A line without an end is done, so the line end that came since belongs to it and starts no line of its own.
  const start = { place: file.path, byte, line: from?.isOpen === true ? line - 1 : line }
  const stream = openStream()
  try {
    const rest = restOf(file, stream, from)
    yield* jsonLines(rest, start, options, counts, (lines, bytes, isOpen) =>
      formatPosition({ line: lines, byte: bytes, isOpen, fields, head }),
    )
  } finally {
    stream.destroy()
  }
}

/** What lies behind the position. Throws `ConfigurationError` where the file ends before it, or its last line went on. */
async function* restOf(file: LineFile, stream: LineFileStream, from: LinesPosition | null): AsyncGenerator<Buffer> {
  let toSkip = file.packing === null ? 0 : (from?.byte ?? 0)
  let isFirst = true
  for await (const chunk of chunksOf(file, stream)) {
    const rest = chunk.subarray(Math.min(toSkip, chunk.length))
    toSkip -= chunk.length - rest.length
    if (rest.length === 0) continue
    if (isFirst && from?.isOpen === true && !/^\r?\n/.test(rest.toString('latin1', 0, 2))) {
      throw new ConfigurationError(
        `${file.path}:${from.line} was taken when the file ended in it, and it has gone on since. Write whole lines; bring it in again with --producer NAME or into another topic.`,
      )
    }
    isFirst = false
    yield rest
  }
  if (toSkip > 0 && from !== null) throw anotherFile(file, from, 'is shorter')
}

async function* chunksOf({ path }: LineFile, stream: LineFileStream): AsyncGenerator<Buffer> {
  try {
    yield* stream.bytes as AsyncIterable<Buffer>
  } catch (error) {
    throw lineFileError(jsonLinesKind, path, error)
  }
}

function requireSameFile(file: LineFile, from: LinesPosition): void {
  const { head } = from
  const isSame = file.head.length >= head.bytes && headOf(file.head.subarray(0, head.bytes)).hash === head.hash
  if (!isSame) throw anotherFile(file, from, 'begins differently')
  if (file.packing === null && file.sizeBytes < from.byte) throw anotherFile(file, from, 'is shorter')
}

function anotherFile({ path }: LineFile, { line, byte }: LinesPosition, how: string): ConfigurationError {
  return new ConfigurationError(
    `${path} ${how} than when it was read before (up to line ${line}, byte ${byte}). Bring back that file; or take this one as another, with --producer NAME or into another topic.`,
  )
}

import { z } from 'zod'
import { ConfigurationError } from '../runtime/errors.ts'
import { LineCutter } from './lineCutter.ts'
import { type LineFile, type LineFileStream, lineFileError, streamLineFile } from './lineFile.ts'
import { cutFrame, defaultMaxFrameBytes } from './market/cutFrame.ts'
import type { FrameBatch, FrameFeed, FrameProgress, FrameReader, FrameReadOptions } from './market/frameFeed.ts'
import { inspectTape, tapeKind } from './tapeFile.ts'
import { isMarkedSimulated, isSimulatedMark } from './tapeMark.ts'

export interface TapeFeedOptions {
  readonly path: string
  /** A longer line is handed over cut and marked. Default 8 MiB. */
  readonly maxLineBytes?: number
}

const positionSchema = z.object({ line: z.number().int().min(0), byte: z.number().int().min(0) })
type TapePosition = z.infer<typeof positionSchema>

/**
 * The frames of a file, one a line, in order, plain or packed (gzip, Zstandard); blank lines are left out.
 *
 * Memory: a chunk of the file, a batch and at most one line. Resumes exactly behind any frame: a position counts lines and unzipped bytes, so
 * the rest of a tape is read as if it had never been left. Throws `ConfigurationError` when the file is missing, empty, broken or
 * shorter than the position.
 */
export function tapeFeed({ path, maxLineBytes = defaultMaxFrameBytes }: TapeFeedOptions): FrameFeed {
  return {
    name: `tape ${path}`,
    open: async (position) => new TapeReader(await inspectTape(path), parsePosition(path, position), maxLineBytes),
  }
}

class TapeReader implements FrameReader {
  readonly #tape: LineFile
  readonly #from: TapePosition
  readonly #lines: LineCutter
  readonly #stream: LineFileStream
  readonly #chunks: AsyncIterator<Buffer>
  #toSkip: number
  #chunk: Buffer = Buffer.alloc(0)
  #at = 0
  #hasEnded = false
  #failure: Error | null = null

  constructor(tape: LineFile, from: TapePosition, maxLineBytes: number) {
    this.#tape = tape
    this.#from = from
    this.#lines = new LineCutter(maxLineBytes, cutFrame, from.byte, from.line)
    this.#stream = streamLineFile(tape, from.byte)
    this.#toSkip = tape.packing === null ? 0 : from.byte
    this.#chunks = (this.#stream.bytes as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  }

  async read({ maxFrames, maxBytes, signal }: FrameReadOptions): Promise<FrameBatch | null> {
    const frames: Buffer[] = []
    let bytes = 0
    while (frames.length < maxFrames && bytes < maxBytes && !signal.aborted) {
      if (this.#at >= 0 && this.#at < this.#chunk.length) {
        const before = frames.length
        this.#at = this.#lines.next(this.#chunk, this.#at, frames)
        this.#passOverMark(frames, before)
        if (frames.length > before) bytes += frames[before]?.length ?? 0
      } else if (this.#hasEnded || !(await this.#nextChunk(frames))) break
    }
    if (frames.length === 0 && !signal.aborted) return this.#end()
    return { frames, position: this.#position(), quietThrough: null }
  }

  progress(): FrameProgress {
    return {
      bytesDone: this.#stream.bytesRead(),
      bytesTotal: this.#tape.sizeBytes,
      waitingFor: null,
      counts: { lines: this.#lines.linesDone, linesBefore: this.#from.line },
    }
  }

  async close(): Promise<void> {
    this.#stream.destroy()
  }

  /** False at the end of the file, whole or not: what is wrong with it is said once the lines before are handed over. */
  async #nextChunk(frames: Buffer[]): Promise<boolean> {
    try {
      const next = await this.#chunks.next()
      if (next.done !== true) {
        const skipped = Math.min(this.#toSkip, next.value.length)
        this.#toSkip -= skipped
        this.#chunk = next.value
        this.#at = skipped
        return true
      }
      const before = frames.length
      this.#lines.finish(frames)
      this.#passOverMark(frames, before)
    } catch (error) {
      this.#failure = lineFileError(tapeKind, this.#tape.path, error)
    }
    this.#hasEnded = true
    return false
  }

  /** What a tape says of itself is no frame; it stands in the middle where tapes were joined. */
  #passOverMark(frames: Buffer[], before: number): void {
    const line = frames[before]
    if (line === undefined || !isSimulatedMark(line)) return
    frames.pop()
    if (isMarkedSimulated(this.#tape.firstLines)) return
    throw new ConfigurationError(
      `Tape ${this.#tape.path} says behind line ${this.#lines.linesDone} that prices are invented, and its first lines do not: two tapes were joined. Take them apart, and read each by itself.`,
    )
  }

  #end(): null {
    if (this.#failure !== null) throw this.#failure
    const size = this.#lines.bytesDone
    if (this.#toSkip > 0 || (this.#tape.packing === null && this.#tape.sizeBytes < this.#from.byte)) {
      throw new ConfigurationError(
        `Tape ${this.#tape.path} is shorter than what was read of it before (line ${this.#from.line}, byte ${this.#from.byte}). Bring back the whole file, or use another topic.`,
      )
    }
    if (size === 0) throw new ConfigurationError(`Tape ${this.#tape.path} is empty. Name a file of frames, one a line.`)
    return null
  }

  #position(): string {
    const position: TapePosition = { line: this.#lines.linesDone, byte: this.#lines.bytesDone }
    return JSON.stringify(position)
  }
}

function parsePosition(path: string, text: string | null): TapePosition {
  if (text === null) return { line: 0, byte: 0 }
  try {
    return positionSchema.parse(JSON.parse(text))
  } catch (error) {
    throw new ConfigurationError(
      `Tape ${path} cannot go on at ${text.slice(0, 80)}: that is not a position of a tape. Use another topic or producer.`,
      { cause: error },
    )
  }
}

import { type FileHandle, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import { Backoff } from '../runtime/backoff.ts'
import type { Clock } from '../runtime/clock.ts'
import { ConfigurationError, RetryableError } from '../runtime/errors.ts'
import type { FrameFeed, FrameReader } from './market/frameFeed.ts'
import { simulatedMark } from './tapeMark.ts'

export interface RecordTapeOptions {
  readonly feed: FrameFeed
  /** Of the tape. Beside it is `<path>.position`, which a later recording goes on from. */
  readonly path: string
  /** What is recorded, in words that must be the same for a recording that goes on. */
  readonly what: string
  readonly isSimulated: boolean
  /** How many frames this recording adds at most; null for no end. */
  readonly maxFrames: number | null
  readonly clock: Clock
  /** Ends it after what was read is written. */
  readonly signal: AbortSignal
  /** Told about once a second, with what is in the tape by then. */
  readonly onProgress: (recorded: Recorded) => void
  readonly onNotice: (line: string) => void
}

/** What a tape holds. */
export interface Recorded {
  readonly frames: number
  readonly bytes: number
  /** How many of the frames this recording has added. */
  readonly added: number
}

const savedSchema = z.object({
  what: z.string().max(10_000),
  frames: z.int().min(0),
  bytes: z.int().min(0),
  position: z.string().max(1_000_000),
})
type Saved = z.infer<typeof savedSchema>

const readOptions = { maxFrames: 2_000, maxBytes: 1024 * 1024, lingerMs: 250 }
const saveEveryMs = 1_000
const firstRetryMs = 100
const longestRetryMs = 5_000

/**
 * Writes the frames of a feed into a tape, one a line, until the signal or the bound. Gives what the tape holds. One that got no frame is not left behind.
 *
 * Goes on where an earlier recording into the same file ended: frames are made durable before the position that follows them is, and what a crash left behind the
 * position is cut off, so no frame is there twice and none that the feed can give again is missing. Memory: one read of the feed.
 * Throws `ConfigurationError` on a file that is no recording of this kind; while the feed throws `RetryableError` it is opened again.
 */
export async function recordTape(options: RecordTapeOptions): Promise<Recorded> {
  const { path, isSimulated } = options
  const saved = await readSaved(options)
  const file = await open(path, saved === null ? 'wx' : 'r+').catch((error: unknown) => {
    throw fileError(path, error)
  })
  try {
    const recording = new Recording(options, file, saved)
    if (saved === null) await recording.begin(isSimulated)
    else await recording.resume(saved)
    const recorded = await recording.run()
    if (saved === null && recorded.frames === 0) await rm(path)
    return recorded
  } finally {
    await file.close()
  }
}

class Recording {
  readonly #options: RecordTapeOptions
  readonly #file: FileHandle
  #frames: number
  #bytes: number
  #position: string | null
  #added = 0
  #savedAt = Number.NEGATIVE_INFINITY

  constructor(options: RecordTapeOptions, file: FileHandle, saved: Saved | null) {
    this.#options = options
    this.#file = file
    this.#frames = saved?.frames ?? 0
    this.#bytes = saved?.bytes ?? 0
    this.#position = saved?.position ?? null
  }

  async begin(isSimulated: boolean): Promise<void> {
    if (isSimulated) await this.#write([simulatedMark])
  }

  async resume({ bytes }: Saved): Promise<void> {
    const { size } = await this.#file.stat()
    const { path } = this.#options
    if (size < bytes) {
      throw new ConfigurationError(
        `${path} is shorter than what was recorded into it (${bytes} bytes). Bring back the whole file, or record into another one.`,
      )
    }
    await this.#file.truncate(bytes)
  }

  async run(): Promise<Recorded> {
    const { feed, clock, signal, onNotice } = this.#options
    const backoff = new Backoff(firstRetryMs, longestRetryMs)
    while (!this.#isOver()) {
      let reader: FrameReader | null = null
      try {
        reader = await feed.open(this.#position)
        await this.#copy(reader, () => backoff.reset())
      } catch (error) {
        if (!(error instanceof RetryableError)) throw error
        const waitMs = backoff.next()
        onNotice(`${error.message}; tried again in ${waitMs} ms`)
        await clock.sleep(waitMs, signal)
      } finally {
        await reader?.close()
      }
    }
    await this.#save()
    return this.#recorded()
  }

  async #copy(reader: FrameReader, onRead: () => void): Promise<void> {
    const { maxFrames, signal, clock } = this.#options
    while (!this.#isOver()) {
      const left = maxFrames === null ? readOptions.maxFrames : Math.min(readOptions.maxFrames, maxFrames - this.#added)
      const batch = await reader.read({ ...readOptions, maxFrames: left, signal })
      if (batch === null) throw new Error('bug: a live feed came to an end')
      onRead()
      if (batch.frames.length > 0) await this.#write(batch.frames)
      this.#added += batch.frames.length
      this.#frames += batch.frames.length
      this.#position = batch.position
      if (clock.now() - this.#savedAt >= saveEveryMs) await this.#save()
    }
  }

  #recorded(): Recorded {
    return { frames: this.#frames, bytes: this.#bytes, added: this.#added }
  }

  #isOver(): boolean {
    const { maxFrames, signal } = this.#options
    return signal.aborted || (maxFrames !== null && this.#added >= maxFrames)
  }

  async #write(frames: readonly Buffer[]): Promise<void> {
    const lines = Buffer.concat(frames.flatMap((frame) => [oneLine(frame), newline]))
    await this.#file.write(lines, 0, lines.length, this.#bytes)
    this.#bytes += lines.length
  }

  async #save(): Promise<void> {
    const { path, what, clock, onProgress } = this.#options
    if (this.#position === null) return
    await this.#file.datasync()
    const saved: Saved = { what, frames: this.#frames, bytes: this.#bytes, position: this.#position }
    await writeFile(`${positionPath(path)}.new`, JSON.stringify(saved), { flush: true })
    await rename(`${positionPath(path)}.new`, positionPath(path))
    this.#savedAt = clock.now()
    onProgress(this.#recorded())
  }
}

const newline = Buffer.from('\n')

/** Line ends between the parts of a frame are blanks to JSON, and would cut it in two here. */
function oneLine(frame: Buffer): Buffer {
  if (!frame.includes(0x0a) && !frame.includes(0x0d)) return frame
  return Buffer.from(frame.map((byte) => (byte === 0x0a || byte === 0x0d ? 0x20 : byte)))
}

function positionPath(path: string): string {
  return `${path}.position`
}

async function readSaved({ path, what }: RecordTapeOptions): Promise<Saved | null> {
  let text: string
  try {
    text = await readFile(positionPath(path), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw fileError(positionPath(path), error)
    await removeUnsaved(path)
    return null
  }
  let saved: Saved
  try {
    saved = savedSchema.parse(JSON.parse(text))
  } catch (error) {
    throw new ConfigurationError(`${positionPath(path)} is no position of a recording. Record into another file.`, {
      cause: error,
    })
  }
  if (saved.what === what) return saved
  throw new ConfigurationError(
    `${path} is a recording of ${saved.what}, and this one is of ${what}. Record into another file.`,
  )
}

/** An empty file, or the mark alone, is a recording that was ended before its first frame. */
async function removeUnsaved(path: string): Promise<void> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw fileError(path, error)
  })
  if (found === null) return
  const mark = Buffer.concat([simulatedMark, newline])
  const isBegun = found.size === 0 || (found.size === mark.length && mark.equals(await readFile(path)))
  if (!isBegun) {
    throw new ConfigurationError(
      `${path} is there and no recording wrote it (no ${positionPath(path)}). Record into another file.`,
    )
  }
  await rm(path)
}

function fileError(path: string, error: unknown): Error {
  const { code } = error as NodeJS.ErrnoException
  return new ConfigurationError(
    `${path} cannot be written (${code}). Name a file in a folder that is there and that this user may write to.`,
    {
      cause: error,
    },
  )
}

import { z } from 'zod'
import { ConfigurationError } from '../runtime/errors.ts'
import type { FrameBatch, FrameFeed, FrameProgress, FrameReader, FrameReadOptions } from './market/frameFeed.ts'
import { tapeFeed } from './tape.ts'
import { inspectTape, tapeIdentity } from './tapeFile.ts'

const positionSchema = z.object({ ids: z.array(z.string()).min(1), at: z.string() })
/** Behind the first tape: which tapes followed it, the last of them being the one that is read, and where in that one. */
type TapesPosition = z.infer<typeof positionSchema>

/**
 * The frames of tapes that continue each other, in the order in which they are named, as if they were one file.
 *
 * In the first tape a position is that of the tape alone, so one that was read by itself is gone on with by naming the next behind it. Throws `ConfigurationError` on a
 * tape that is named twice, and where those that were read before are not named again in the same order.
 */
export function tapesFeed(paths: readonly string[]): FrameFeed {
  return {
    name: `tape ${paths.join(', then ')}`,
    async open(position) {
      const tapes: Tape[] = []
      for (const path of paths) {
        const { sizeBytes } = await inspectTape(path)
        const id = await tapeIdentity(path)
        const known = tapes.find((tape) => tape.id === id)
        if (known !== undefined)
          throw new ConfigurationError(`Tapes ${known.path} and ${path} begin alike: name each tape once.`)
        tapes.push({ path, id, sizeBytes })
      }
      const { index, at } = placeIn(tapes, position)
      return new TapesReader(tapes, index, await readerOf(tapes, index, at))
    },
  }
}

interface Tape {
  readonly path: string
  readonly id: string
  readonly sizeBytes: number
}

class TapesReader implements FrameReader {
  readonly #tapes: readonly Tape[]
  #index: number
  #reader: FrameReader

  constructor(tapes: readonly Tape[], index: number, reader: FrameReader) {
    this.#tapes = tapes
    this.#index = index
    this.#reader = reader
  }

  async read(options: FrameReadOptions): Promise<FrameBatch | null> {
    for (;;) {
      const batch = await this.#reader.read(options)
      if (batch !== null) return { ...batch, position: this.#position(batch.position) }
      if (this.#index === this.#tapes.length - 1) return null
      await this.#reader.close()
      this.#index += 1
      this.#reader = await readerOf(this.#tapes, this.#index, null)
    }
  }

  progress(): FrameProgress {
    const progress = this.#reader.progress()
    const sizeOf = (tapes: readonly Tape[]) => tapes.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    return {
      ...progress,
      bytesDone: sizeOf(this.#tapes.slice(0, this.#index)) + (progress.bytesDone ?? 0),
      bytesTotal: sizeOf(this.#tapes),
    }
  }

  close(): Promise<void> {
    return this.#reader.close()
  }

  #position(at: string): string {
    if (this.#index === 0) return at
    const position: TapesPosition = { ids: this.#tapes.slice(1, this.#index + 1).map(({ id }) => id), at }
    return JSON.stringify(position)
  }
}

function readerOf(tapes: readonly Tape[], index: number, at: string | null): Promise<FrameReader> {
  return tapeFeed({ path: (tapes[index] as Tape).path }).open(at)
}

function placeIn(
  tapes: readonly Tape[],
  position: string | null,
): { readonly index: number; readonly at: string | null } {
  const { data } = positionSchema.safeParse(position === null ? null : jsonOf(position))
  // Whatever else it is, the first tape says what is wrong with it.
  if (data === undefined) return { index: 0, at: position }
  for (const [i, id] of data.ids.entries()) {
    const tape = tapes[i + 1]
    if (tape?.id === id) continue
    throw new ConfigurationError(
      `What was read before in this topic went on behind ${tapes[i]?.path} with another tape than ${tape === undefined ? 'none' : tape.path} (one whose identity is ${id}): ` +
        'name all tapes that were read, in the same order, then those that follow; or use another topic.',
    )
  }
  return { index: data.ids.length, at: data.at }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

import { promisify } from 'node:util'
import zlib, { type ZstdCompress } from 'node:zlib'
import { EMPTY_FRAME_BYTES, frameEnd } from './zstdFrame.ts'

/** As many as the thread pool has threads, unless told otherwise. Each keeps about half a megabyte. */
const MOST_STREAMS = 4
/** What is compressed lies in slices of buffers of this size. */
const OUTPUT_BYTES = 64 * 1024

const compressOnce = promisify(zlib.zstdCompress)

/**
 * Compresses pieces on the thread pool, each into a Zstandard frame of its own (RFC 8878) that depends on the piece alone.
 *
 * Works with up to four streams, which are used again and again; more pieces wait in the order in which they came. What the functions of `node:zlib`
 * allocate for each call lies outside of the heap, where a few megabytes have the garbage collector mark all of it.
 */
export class FrameCompressor {
  readonly #params: Readonly<Record<number, number>>
  readonly #idle: ZstdCompress[] = []
  readonly #waiting: (() => void)[] = []
  #working = 0

  constructor(params: Readonly<Record<number, number>>) {
    this.#params = params
  }

  /** The frame, in parts. The piece must not change until then. Throws what the compression failed with. */
  async compress(piece: Buffer): Promise<Buffer[]> {
    if (this.#working === MOST_STREAMS) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#working++
    try {
      if (piece.length < OUTPUT_BYTES) return [await compressOnce(piece, { params: { ...this.#params } })]
      const stream = this.#idle.pop() ?? this.#open()
      const frame = await frameOf(stream, piece)
      this.#idle.push(stream)
      return frame
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#working--
      else next()
    }
  }

  /**
   * Makes a stream that ends a frame with each write. Zstandard then knows how long the piece is, and where the output buffer has room for the frame whatever the piece holds, it packs in another way, which makes other
   * bytes. How much room there is depends on what came before, so no piece may be small enough for that.
   */
  #open(): ZstdCompress {
    const flush = zlib.constants.ZSTD_e_end
    return zlib.createZstdCompress({ params: { ...this.#params }, chunkSize: OUTPUT_BYTES, flush })
  }
}

function frameOf(stream: ZstdCompress, piece: Buffer): Promise<Buffer[]> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    const onData = (part: Buffer) => parts.push(part)
    stream.on('data', onData)
    stream.once('error', reject)
    stream.write(piece, () => {
      stream.off('data', onData)
      stream.off('error', reject)
      resolve(withoutEmptyFrame(parts))
    })
  })
}

/**
 * Where a frame ends exactly where the output buffer of its stream does, Node asks once more for the end, and Zstandard makes a second frame, of
 * nothing. What came before in the stream must not show in the bytes, so it is left out.
 */
function withoutEmptyFrame(parts: Buffer[]): Buffer[] {
  if (parts.length < 2 || parts.at(-1)?.length !== EMPTY_FRAME_BYTES) return parts
  const frames = Buffer.concat(parts)
  return frameEnd(frames) === frames.length ? parts : parts.slice(0, -1)
}

import { createHash } from 'node:crypto'
import zlib from 'node:zlib'
import type { BodyBuffers } from './bodyBuffers.ts'
import { FrameCompressor } from './frameCompressor.ts'

/**
 * Where the compression runs: on the thread pool, or within the call (for simulations, where nothing may wait for the
 * machine). The two make different bytes of the same pieces.
 */
export type Compression = 'background' | 'inline'

/**
 * Level 1: on trade frames 11 to 1 in two fifths of the time that gzip's fastest level takes for 9 to 1. Every frame
 * ends with the checksum of what it holds.
 */
const PARAMS = {
  [zlib.constants.ZSTD_c_compressionLevel]: 1,
  [zlib.constants.ZSTD_c_windowLog]: 17,
  [zlib.constants.ZSTD_c_hashLog]: 10,
  [zlib.constants.ZSTD_c_checksumFlag]: 1,
}

/** Of all archives of the process. */
const frames = new FrameCompressor(PARAMS)

/** A frame that decoders pass over (RFC 8878, 3.1.2): its magic number and the length of what it holds. */
const SKIPPED_FRAME = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 8, 0, 0, 0])
const END_MARK_BYTES = SKIPPED_FRAME.length + 8

const NOTHING = Buffer.alloc(0)

export interface ZstdFile {
  /** Lies in one of the `BodyBuffers`, and is the caller's to give back. */
  readonly body: Buffer
  /** Lower-case hex of `body`. */
  readonly sha256: string
}

/**
 * Builds one Zstandard file (RFC 8878) out of pieces, each a frame of its own, so that none takes long and the thread
 * pool can work on several. The bytes depend on the pieces alone, not on where or in which order they were compressed.
 *
 * Frames that are missing at the end would not be missed. So the file ends with a frame that decoders pass over and that
 * says how many bytes the others hold.
 */
export class ZstdPieces {
  readonly #compression: Compression
  readonly #bodies: BodyBuffers
  readonly #onHeld: (bytes: number) => void
  readonly #onFree: (piece: Buffer) => void
  readonly #onFailed: (error: unknown) => void
  readonly #hash = createHash('sha256')
  #body: Buffer = NOTHING
  #bodyLength = 0
  #joined: Promise<void> = Promise.resolve()
  #length = 0
  #compressing = 0

  /**
   * @param bodies where the file grows
   * @param onHeld told how many bytes more (or fewer) are held, whenever that changes
   * @param onFree given each piece once it was compressed
   * @param onFailed told what a piece could not be compressed for, which `finish` throws as well
   */
  constructor(
    compression: Compression,
    bodies: BodyBuffers,
    onHeld: (bytes: number) => void,
    onFree: (piece: Buffer) => void,
    onFailed: (error: unknown) => void,
  ) {
    this.#compression = compression
    this.#bodies = bodies
    this.#onHeld = onHeld
    this.#onFree = onFree
    this.#onFailed = onFailed
  }

  get isCompressing(): boolean {
    return this.#compressing > 0
  }

  /** Takes the piece over: it must not change until `onFree` gives it back. */
  add(piece: Buffer): void {
    this.#length += piece.length
    if (this.#compression === 'background') this.#compress(piece)
    else {
      this.#join(zlib.zstdCompressSync(piece, { params: PARAMS }))
      this.#onFree(piece)
    }
  }

  /** Packs the piece before it returns, so that the bytes are the caller's again: for what would otherwise be there twice. */
  addNow(piece: Buffer): void {
    this.#length += piece.length
    const frame = zlib.zstdCompressSync(piece, { params: PARAMS })
    if (this.#compression === 'inline') this.#join(frame)
    else {
      this.#joined = this.#joined.then(() => this.#join(frame))
      this.#joined.catch(this.#onFailed)
    }
  }

  /** The whole file. Its bytes count as held until whoever takes them says otherwise. */
  async finish(): Promise<ZstdFile> {
    await this.#joined
    this.#join(endMark(this.#length))
    return { body: this.#body.subarray(0, this.#bodyLength), sha256: this.#hash.digest('hex') }
  }

  #compress(piece: Buffer): void {
    this.#compressing++
    this.#onHeld(piece.length)
    const compressed = frames.compress(piece)
    const free = () => this.#onFree(piece)
    compressed.then(free, free)
    this.#joined = this.#joined.then(async () => {
      try {
        for (const part of await compressed) this.#join(part)
      } finally {
        this.#compressing--
        this.#onHeld(-piece.length)
      }
    })
    this.#joined.catch(this.#onFailed)
  }

  #join(part: Buffer): void {
    this.#hash.update(part)
    this.#body = this.#bodies.append(this.#body, this.#bodyLength, part)
    this.#bodyLength += part.length
    this.#onHeld(part.length)
  }
}

/** What `ZstdPieces` has packed. Throws an Error on bytes that it did not write, or not to their end. */
export function unpackZstdPieces(file: Uint8Array): Buffer {
  const unpacked = zlib.zstdDecompressSync(file)
  if (endMark(unpacked.length).equals(file.subarray(-END_MARK_BYTES))) return unpacked
  throw new Error('it has no end mark that fits')
}

function endMark(length: number): Buffer {
  const mark = Buffer.alloc(END_MARK_BYTES)
  SKIPPED_FRAME.copy(mark)
  mark.writeBigUInt64LE(BigInt(length), SKIPPED_FRAME.length)
  return mark
}

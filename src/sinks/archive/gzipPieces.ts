import { createHash } from 'node:crypto'
import { constants, crc32, deflateRaw, deflateRawSync } from 'node:zlib'

/**
 * Where the compression runs: on the thread pool, or within the call (for simulations, where nothing may wait for the
 * machine).
 */
export type Compression = 'background' | 'inline'

/**
 * Deflate, no flags, no time, no hints, system unknown: nothing in the header depends on when or where it was
 * written.
 */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])
/** An empty last block, which ends a stream whose blocks were all written as "more to come". */
const LAST_BLOCK = Buffer.from([0x03, 0x00])

/**
 * Level 1 and pieces on their own: on trade frames 13.3 to 1 at 460 MB/s, against 13.4 for one long stream, 15.5 at
 * 240 MB/s for level 4 and 17 at 160 MB/s for level 6. The sync flush ends a piece on a byte border, so that pieces
 * can be joined.
 */
const SETTINGS = { level: 1, finishFlush: constants.Z_SYNC_FLUSH } as const

export interface GzipFile {
  readonly body: Buffer
  /** Lower-case hex of `body`. */
  readonly sha256: string
}

/**
 * Builds one gzip file (RFC 1952, a single member) out of pieces that are deflated independently, so that none takes
 * long and the thread pool can work on several. The bytes depend on the pieces alone, not on where or in which order
 * they were compressed.
 */
export class GzipPieces {
  readonly #compression: Compression
  readonly #onHeld: (bytes: number) => void
  readonly #hash = createHash('sha256').update(HEADER)
  readonly #parts: Buffer[] = [HEADER]
  #joined: Promise<void> = Promise.resolve()
  #crc = 0
  #length = 0
  #compressing = 0

  /** @param onHeld told how many bytes more (or fewer) are held, whenever that changes */
  constructor(compression: Compression, onHeld: (bytes: number) => void) {
    this.#compression = compression
    this.#onHeld = onHeld
    onHeld(HEADER.length)
  }

  get isCompressing(): boolean {
    return this.#compressing > 0
  }

  /**
   * Takes the piece over: it must not change until it was compressed. With inline compression that is when this
   * returns.
   */
  add(piece: Buffer): void {
    this.#crc = crc32(piece, this.#crc)
    this.#length += piece.length
    if (this.#compression === 'inline') this.#join(deflateRawSync(piece, SETTINGS))
    else this.#compress(piece)
  }

  /** The whole file. Its bytes count as held until whoever takes them says otherwise. */
  async finish(): Promise<GzipFile> {
    await this.#joined
    const trailer = Buffer.alloc(8)
    trailer.writeUInt32LE(this.#crc, 0)
    trailer.writeUInt32LE(this.#length % 2 ** 32, 4)
    this.#join(LAST_BLOCK)
    this.#join(trailer)
    return { body: Buffer.concat(this.#parts), sha256: this.#hash.digest('hex') }
  }

  #compress(piece: Buffer): void {
    this.#compressing++
    this.#onHeld(piece.length)
    const compressed = compress(piece)
    this.#joined = this.#joined.then(async () => {
      try {
        this.#join(await compressed)
      } finally {
        this.#compressing--
        this.#onHeld(-piece.length)
      }
    })
    // A failure shows in `finish`; until somebody asks, it must not count as unhandled.
    compressed.catch(() => {})
    this.#joined.catch(() => {})
  }

  #join(part: Buffer): void {
    this.#hash.update(part)
    this.#parts.push(part)
    this.#onHeld(part.length)
  }
}

function compress(piece: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    deflateRaw(piece, SETTINGS, (error, compressed) => (error === null ? resolve(compressed) : reject(error)))
  })
}

import { createHash } from 'node:crypto'
import zlib from 'node:zlib'
import { CorruptRecordError } from '../runtime/errors.ts'
import type { ObjectStore } from '../runtime/objectStore.ts'
import { frameEnd, isSkippedFrame } from '../sinks/archive/zstdFrame.ts'
import type { ManifestObject } from './archiveManifest.ts'

const newline = 0x0a
/** What most frames unpack to fits, so that it comes in one part. */
const unpackedBytes = 320 * 1024
const noBytes = Buffer.alloc(0)

/**
 * The lines of one object, some 256 KiB at a time: each piece ends with a line. Holds the object as it is stored, and one piece.
 */
export class ArchivedFrames {
  readonly object: ManifestObject
  readonly #body: Buffer
  #at = 0
  /** Of the frame at hand, what was not given yet. */
  #left: Buffer = noBytes
  /** The beginning of a line that goes on in the next frame. */
  #rest: Buffer = noBytes

  private constructor(object: ManifestObject, body: Buffer) {
    this.object = object
    this.#body = body
  }

  /** Fetches an object. Throws `CorruptRecordError` where it is not there, or not as the manifest has it. */
  static async open(store: ObjectStore, object: ManifestObject): Promise<ArchivedFrames> {
    const body = await store.get(object.key)
    const where = `archive object ${object.key} in ${store.location}`
    if (body === null) {
      throw new CorruptRecordError(
        `${where} is in the manifest, and not there. Somebody has deleted it, or the archive's place is another one than when it was written.`,
      )
    }
    const sha256 = createHash('sha256').update(body).digest('hex')
    if (sha256 !== object.sha256) {
      throw new CorruptRecordError(
        `${where} is not as it was written: ${body.length} bytes with SHA-256 ${sha256}, and the manifest has ${object.sizeBytes} bytes with ${object.sha256}. Bring it back from a backup.`,
      )
    }
    return new ArchivedFrames(object, body)
  }

  /** The next piece; null behind the last. */
  next(): Buffer | null {
    for (;;) {
      const lines = this.#left.length > 0 ? this.#left : this.#nextFrame()
      if (lines === null) break
      const piece = this.#rest.length > 0 ? this.#endRest(lines) : this.#wholeLines(lines)
      if (piece.length > 0) return piece
    }
    if (this.#rest.length > 0)
      throw new CorruptRecordError(`archive object ${this.object.key}: its last line has no end`)
    return null
  }

  /** A line that is in two frames is a piece of its own, so that no frame is copied for it. */
  #endRest(lines: Buffer): Buffer {
    const end = lines.indexOf(newline) + 1
    const begun = Buffer.concat([this.#rest, end === 0 ? lines : lines.subarray(0, end)])
    this.#rest = end === 0 ? begun : noBytes
    this.#left = end === 0 ? noBytes : lines.subarray(end)
    return end === 0 ? noBytes : begun
  }

  #wholeLines(lines: Buffer): Buffer {
    const end = lines.lastIndexOf(newline) + 1
    this.#rest = lines.subarray(end)
    this.#left = noBytes
    return lines.subarray(0, end)
  }

  #nextFrame(): Buffer | null {
    const body = this.#body
    while (this.#at < body.length) {
      const start = this.#at
      this.#at = this.#whole(() => frameEnd(body, start))
      if (isSkippedFrame(body, start)) continue
      const frame = body.subarray(start, this.#at)
      return this.#whole(() => zlib.zstdDecompressSync(frame, { chunkSize: unpackedBytes }))
    }
    return null
  }

  #whole<T>(read: () => T): T {
    try {
      return read()
    } catch (error) {
      throw new CorruptRecordError(`archive object ${this.object.key} was not written by the archive`, { cause: error })
    }
  }
}

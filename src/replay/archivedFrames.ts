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
    const body = this.#body
    while (this.#at < body.length) {
      const start = this.#at
      this.#at = this.#whole(() => frameEnd(body, start))
      if (isSkippedFrame(body, start)) continue
      const unpacked = this.#whole(() =>
        zlib.zstdDecompressSync(body.subarray(start, this.#at), { chunkSize: unpackedBytes }),
      )
      const lines = this.#rest.length === 0 ? unpacked : Buffer.concat([this.#rest, unpacked])
      const end = lines.lastIndexOf(newline) + 1
      this.#rest = lines.subarray(end)
      if (end > 0) return lines.subarray(0, end)
    }
    if (this.#rest.length > 0)
      throw new CorruptRecordError(`archive object ${this.object.key}: its last line has no end`)
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

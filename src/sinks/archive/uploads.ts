import { createHash } from 'node:crypto'
import type { Clock } from '../../runtime/clock.ts'
import { DeterminismError, type ErrorPlace, RetryableError } from '../../runtime/errors.ts'
import type { ObjectStore } from '../../runtime/objectStore.ts'
import type { ArchivedObject } from '../../runtime/store/checkpoint.ts'
import type { SealedObject } from './openObject.ts'
import type { Slots } from './slots.ts'
import { unpackZstdPieces } from './zstdPieces.ts'

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 30_000
/** An upload that takes longer is worth a word in the status line. */
const SLOW_MS = 5_000

interface Upload {
  readonly startedAt: number
  /** Since when it has been failing, and what was said last. */
  trouble: { readonly since: number; message: string } | null
}

export interface UploaderOptions {
  readonly store: ObjectStore
  readonly clock: Clock
  readonly random: () => number
  readonly slots: Slots
  readonly place: ErrorPlace
}

/**
 * Puts objects into the store, again and again while the store asks for patience, with pauses that double up to half
 * a minute and are spread at random, so that many writers do not come back in step. Says in words what it waits for.
 */
export class Uploader {
  readonly #options: UploaderOptions
  readonly #uploads = new Set<Upload>()

  constructor(options: UploaderOptions) {
    this.#options = options
  }

  get waitingFor(): string | null {
    const now = this.#options.clock.now()
    let longest: { readonly since: number; readonly message: string } | null = null
    for (const { trouble, startedAt } of this.#uploads) {
      const wait =
        trouble ?? (now - startedAt >= SLOW_MS ? { since: startedAt, message: 'an upload has no answer yet' } : null)
      if (wait !== null && (longest === null || wait.since < longest.since)) longest = wait
    }
    if (longest === null) return null
    const { location } = this.#options.store
    const message = longest.message.startsWith(location) ? longest.message : `${location}: ${longest.message}`
    return `${message}, ${Math.round((now - longest.since) / 1000)} s`
  }

  /**
   * The manifest's line of what is durable now, or null when the signal fired first. Throws what the upload failed
   * for good with.
   */
  async upload(object: SealedObject, signal: AbortSignal): Promise<ArchivedObject | null> {
    const { clock, slots } = this.#options
    const upload: Upload = { startedAt: clock.now(), trouble: null }
    this.#uploads.add(upload)
    try {
      for (let attempt = 0; !signal.aborted; attempt++) {
        try {
          return await slots.run(() => this.#put(object), signal)
        } catch (error) {
          if (!(error instanceof RetryableError)) throw error
          upload.trouble = { since: upload.trouble?.since ?? clock.now(), message: error.message }
        }
        await clock.sleep(this.#pauseMs(attempt), signal)
      }
      return null
    } finally {
      this.#uploads.delete(upload)
    }
  }

  #pauseMs(attempt: number): number {
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 20))
    return longest * (0.5 + this.#options.random() / 2)
  }

  async #put({ entry, body }: SealedObject): Promise<ArchivedObject> {
    const { store, place } = this.#options
    try {
      await store.put(entry.key, body, entry.sha256)
      return entry
    } catch (error) {
      if (!(error instanceof DeterminismError)) throw error
      // Another release of Zstandard (a new Node) may have compressed the same lines into other bytes before a
      // crash.
      const existing = await store.get(entry.key)
      if (existing !== null && holdSameLines(existing, body)) {
        return { ...entry, sizeBytes: existing.length, sha256: sha256Of(existing) }
      }
      throw new DeterminismError(
        `${error.message}. These are offsets ${entry.firstOffset} to ${entry.lastOffset}. If the manifest does not name that object, ` +
          'it is left over from an upload that was never committed and may be deleted; else find out which of the two is right',
        { ...place, offset: entry.firstOffset, cause: error },
      )
    }
  }
}

function holdSameLines(a: Buffer, b: Buffer): boolean {
  try {
    return unpackZstdPieces(a).equals(unpackZstdPieces(b))
  } catch {
    // Not even an object of an archive, so not the same.
    return false
  }
}

function sha256Of(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex')
}

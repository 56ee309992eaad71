import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { ConfigurationError, RetryableError } from '../runtime/errors.ts'

/** What a file of lines is for, in words for messages. */
export interface LineFileKind {
  /** `Tape`, `File`. */
  readonly what: string
  /** `Name a file of frames, one a line.` */
  readonly advice: string
}

/** What is known of a file of lines before it is read. */
export interface LineFile {
  readonly kind: LineFileKind
  readonly path: string
  readonly sizeBytes: number
  /** By its first bytes, whatever its name. */
  readonly isGzip: boolean
  /** The first of its bytes, as they lie in the file: as many as were asked for, or as there are. */
  readonly head: Buffer
}

/** Throws `ConfigurationError` where there is no file that this process may read. */
export async function inspectLineFile(kind: LineFileKind, path: string, headBytes = 2): Promise<LineFile> {
  try {
    const found = await stat(path)
    if (found.isDirectory()) throw new ConfigurationError(`${kind.what} ${path} is a directory. ${kind.advice}`)
    const file = await open(path, 'r')
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(headBytes), 0, headBytes, 0)
      const head = buffer.subarray(0, bytesRead)
      return { kind, path, sizeBytes: found.size, isGzip: head[0] === 0x1f && head[1] === 0x8b, head }
    } finally {
      await file.close()
    }
  } catch (error) {
    throw lineFileError(kind, path, error)
  }
}

export interface LineFileStream {
  /** Unzipped. */
  readonly bytes: Readable
  /** Bytes of the file itself that have been read. */
  bytesRead(): number
  /** Lets go of the file, in mid-read too. */
  destroy(): void
}

/** The unzipped bytes of a file of lines; a plain file starts at `plainStart` at once. */
export function streamLineFile({ path, isGzip }: LineFile, plainStart: number): LineFileStream {
  const file = createReadStream(path, { start: isGzip ? 0 : plainStart, highWaterMark: 256 * 1024 })
  if (!isGzip) {
    return { bytes: file, bytesRead: () => plainStart + file.bytesRead, destroy: () => file.destroy() }
  }
  const unzipped = createGunzip({ chunkSize: 256 * 1024 })
  file.on('error', (error) => unzipped.destroy(error))
  file.pipe(unzipped)
  const destroy = () => {
    file.destroy()
    unzipped.destroy()
  }
  return { bytes: unzipped, bytesRead: () => file.bytesRead, destroy }
}

/** What the runner is to do about a failure to read a file of lines. */
export function lineFileError({ what }: LineFileKind, path: string, error: unknown): Error {
  if (error instanceof ConfigurationError) return error
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const name = basename(path)
  const options = { cause: error }
  if (code === 'ENOENT') return new ConfigurationError(`${what} ${path} does not exist. Check the path.`, options)
  if (code === 'EACCES' || code === 'EPERM') {
    return new ConfigurationError(`${what} ${path} may not be read by this user. Change its permissions.`, options)
  }
  if (code === 'Z_BUF_ERROR') {
    return new ConfigurationError(
      `${what} ${name}: the gzip data ends in the middle. Whole lines up to there were taken; replace the file by a complete copy and start again.`,
      options,
    )
  }
  if (code.startsWith('Z_')) {
    return new ConfigurationError(
      `${what} ${name}: the gzip data is broken (${messageOf(error)}). Whole lines up to there were taken; replace the file by a sound copy and start again.`,
      options,
    )
  }
  if (code === 'EIO' || code === 'EMFILE' || code === 'ENFILE') {
    return new RetryableError(`${what} ${name} cannot be read just now: ${messageOf(error)}.`, options)
  }
  return new ConfigurationError(`${what} ${path} cannot be read: ${messageOf(error)}.`, options)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

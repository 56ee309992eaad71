import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { ConfigurationError, RetryableError } from '../runtime/errors.ts'

/** What is known of a tape before it is read. */
export interface TapeFile {
  readonly path: string
  readonly sizeBytes: number
  /** By its first bytes, whatever its name. */
  readonly isGzip: boolean
}

/** Throws `ConfigurationError` where there is no file with something in it, which this process may read. */
export async function inspectTape(path: string): Promise<TapeFile> {
  try {
    const found = await stat(path)
    if (found.isDirectory())
      throw new ConfigurationError(`Tape ${path} is a directory. Name a file of frames, one a line.`)
    const file = await open(path, 'r')
    try {
      const head = Buffer.alloc(2)
      const { bytesRead } = await file.read(head, 0, 2, 0)
      if (bytesRead === 0) throw new ConfigurationError(`Tape ${path} is empty. Name a file of frames, one a line.`)
      return { path, sizeBytes: found.size, isGzip: bytesRead === 2 && head[0] === 0x1f && head[1] === 0x8b }
    } finally {
      await file.close()
    }
  } catch (error) {
    throw tapeError(path, error)
  }
}

export interface TapeStream {
  /** Unzipped. */
  readonly bytes: Readable
  /** Bytes of the file itself that have been read. */
  bytesRead(): number
  /** Lets go of the file, in mid-read too. */
  destroy(): void
}

/** The unzipped bytes of a tape; a plain file starts at `plainStart` at once. */
export function streamTape(tape: TapeFile, plainStart: number): TapeStream {
  const file = createReadStream(tape.path, { start: tape.isGzip ? 0 : plainStart, highWaterMark: 256 * 1024 })
  if (!tape.isGzip) {
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

const identityBytes = 1024 * 1024

/**
 * What a tape is called in a topic: the first 12 hex digits of the SHA-256 of its first unzipped MiB, so that the same tape finds its log
 * again, zipped or not and wherever it lies. Throws `ConfigurationError` as `inspectTape` does.
 */
export async function tapeIdentity(path: string): Promise<string> {
  const stream = streamTape(await inspectTape(path), 0)
  const hash = createHash('sha256')
  let left = identityBytes
  try {
    for await (const chunk of stream.bytes as AsyncIterable<Buffer>) {
      hash.update(chunk.subarray(0, left))
      left -= Math.min(left, chunk.length)
      if (left === 0) break
    }
  } catch (error) {
    throw tapeError(path, error)
  } finally {
    stream.destroy()
  }
  return hash.digest('hex').slice(0, 12)
}

/** The topic of a tape's own. Throws `ConfigurationError` as `inspectTape` does. */
export async function tapeTopic(path: string): Promise<string> {
  return `crypto.trades.tape.${await tapeIdentity(path)}`
}

/** What the runner is to do about a failure to read a tape. */
export function tapeError(path: string, error: unknown): Error {
  if (error instanceof ConfigurationError) return error
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const name = basename(path)
  const options = { cause: error }
  if (code === 'ENOENT') return new ConfigurationError(`Tape ${path} does not exist. Check the path.`, options)
  if (code === 'EACCES' || code === 'EPERM') {
    return new ConfigurationError(`Tape ${path} may not be read by this user. Change its permissions.`, options)
  }
  if (code === 'Z_BUF_ERROR') {
    return new ConfigurationError(
      `Tape ${name}: the gzip data ends in the middle. Whole lines up to there were taken; replace the file by a complete copy and start again.`,
      options,
    )
  }
  if (code.startsWith('Z_')) {
    return new ConfigurationError(
      `Tape ${name}: the gzip data is broken (${messageOf(error)}). Whole lines up to there were taken; replace the file by a sound copy and start again.`,
      options,
    )
  }
  if (code === 'EIO' || code === 'EMFILE' || code === 'ENFILE') {
    return new RetryableError(`Tape ${name} cannot be read just now: ${messageOf(error)}.`, options)
  }
  return new ConfigurationError(`Tape ${path} cannot be read: ${messageOf(error)}.`, options)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

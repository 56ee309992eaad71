import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Readable } from 'node:stream'
import zlib from 'node:zlib'
import { ConfigurationError, RetryableError } from '../runtime/errors.ts'
import { foreignFormat, foreignLines, headBytes } from './foreignFile.ts'

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
  /** By its first bytes, whatever its name; null for one that is not packed. */
  readonly packing: Packing | null
  /** The first 4 KiB, or what there is, as they lie in the file. */
  readonly head: Buffer
  /** The first lines, up to 64 KiB of them: unpacked, and only as far as they are sound. */
  readonly firstLines: Buffer
}

/** In what a file of lines may be packed. */
export type Packing = 'gzip' | 'zstd'

const rawHeadBytes = 4_096

/** Throws `ConfigurationError` where there is no file of lines in UTF-8 that this process may read. */
export async function inspectLineFile(kind: LineFileKind, path: string): Promise<LineFile> {
  try {
    const found = await stat(path)
    if (found.isDirectory()) throw new ConfigurationError(`${kind.what} ${path} is a directory. ${kind.advice}`)
    if (!found.isFile()) {
      throw new ConfigurationError(
        `${kind.what} ${path} is no file but a pipe or a device, which can be read only once. Write what it gives into a file first.`,
      )
    }
    const head = await headOfFile(path)
    const packing = packingOf(head)
    const foreign = packing === null ? foreignFormat(head) : null
    if (foreign !== null) throw new ConfigurationError(`${kind.what} ${path} ${foreign}`)
    const firstLines = await firstBytes({ path, packing })
    const problem = foreignFormat(firstLines) ?? foreignLines(firstLines)
    if (problem !== null) throw new ConfigurationError(`${kind.what} ${path} ${problem} ${kind.advice}`)
    return { kind, path, sizeBytes: found.size, packing, head, firstLines }
  } catch (error) {
    throw lineFileError(kind, path, error)
  }
}

async function headOfFile(path: string): Promise<Buffer> {
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(rawHeadBytes), 0, rawHeadBytes, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

function packingOf(head: Buffer): Packing | null {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip'
  return head.length >= 4 && head.readUInt32LE(0) === zstdMagic ? 'zstd' : null
}

const zstdMagic = 0xfd2fb528

/** What cannot be unpacked is told by whoever reads the file, behind the lines before it. */
async function firstBytes(file: Pick<LineFile, 'path' | 'packing'>): Promise<Buffer> {
  const stream = streamLineFile(file, 0)
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of stream.bytes as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      length += chunk.length
      if (length >= headBytes) break
    }
  } catch (error) {
    if (file.packing === null) throw error
  } finally {
    stream.destroy()
  }
  return Buffer.concat(chunks).subarray(0, headBytes)
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
export function streamLineFile(
  { path, packing }: Pick<LineFile, 'path' | 'packing'>,
  plainStart: number,
): LineFileStream {
  const file = createReadStream(path, { start: packing === null ? plainStart : 0, highWaterMark: 256 * 1024 })
  if (packing === null) {
    return { bytes: file, bytesRead: () => plainStart + file.bytesRead, destroy: () => file.destroy() }
  }
  const chunkSize = 256 * 1024
  const unzipped = packing === 'gzip' ? zlib.createGunzip({ chunkSize }) : zlib.createZstdDecompress({ chunkSize })
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
      `${what} ${name}: the packed data ends in the middle. Whole lines up to there were taken; replace the file by a complete copy and start again.`,
      options,
    )
  }
  if (code.startsWith('Z_') || code.startsWith('ZSTD_')) {
    return new ConfigurationError(
      `${what} ${name}: the packed data is broken (${messageOf(error)}). Whole lines up to there were taken; replace the file by a sound copy and start again.`,
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

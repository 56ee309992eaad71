import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import { type Entry, openPromise } from 'yauzl'
import { ConfigurationError } from '../runtime/errors.ts'
import { LineCutter } from '../sources/lineCutter.ts'
import { lineFileError, streamLineFile } from '../sources/lineFile.ts'

const kind = { what: 'Archive', advice: 'Name a zip or csv of the exchange, such as BTCUSDT-1m-2024-08.zip.' }
const maxLineBytes = 4_096

/** The lines of an archive, a piece at a time, with the number of the first one. */
export interface ArchiveLines {
  readonly lines: readonly string[]
  /** From 1 on, as editors count; blank lines are not counted. */
  readonly firstLine: number
}

/**
 * The lines of a csv, or of the one csv in a zip, without their line ends. Keeps a piece of the file.
 * Throws `ConfigurationError` for a file that is not there, is damaged, or is something else.
 */
export async function* archiveLines(path: string): AsyncGenerator<ArchiveLines, void, undefined> {
  const { bytes, close } = await openBytes(path)
  const cutter = new LineCutter(
    maxLineBytes,
    (_start, length) => {
      throw new ConfigurationError(`Archive ${path} has a line of ${length} bytes, and is none of the exchange.`)
    },
    0,
    0,
  )
  let firstLine = 1
  try {
    for await (const chunk of bytes) {
      const lines: Buffer[] = []
      for (let at = 0; at >= 0 && at < chunk.length; ) at = cutter.next(chunk, at, lines)
      if (lines.length > 0) yield { lines: lines.map(String), firstLine }
      firstLine += lines.length
    }
    const last: Buffer[] = []
    cutter.finish(last)
    if (last.length > 0) yield { lines: last.map(String), firstLine }
  } catch (error) {
    throw lineFileError(kind, path, error)
  } finally {
    close()
  }
}

/** Lower-case hex of the file as it lies there. Throws as `archiveLines` does. */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  } catch (error) {
    throw lineFileError(kind, path, error)
  }
  return hash.digest('hex')
}

/** What the `.CHECKSUM` beside a file says its SHA-256 is; null where there is none. Throws `ConfigurationError` for one that says nothing. */
export async function checksumBeside(path: string): Promise<string | null> {
  const name = `${path}.CHECKSUM`
  try {
    return checksumIn(name, await readFile(name, 'utf8'))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}

/** The SHA-256 in the text of a checksum file: 64 hex digits, and the name behind them. Throws `ConfigurationError` where there is none. */
export function checksumIn(name: string, text: string): string {
  const [, digest] = /^([0-9a-f]{64})(?:\s|$)/i.exec(text) ?? []
  if (digest !== undefined) return digest.toLowerCase()
  throw new ConfigurationError(`${name} does not begin with a SHA-256. Fetch it again, or remove it to read without.`)
}

async function openBytes(path: string): Promise<{ readonly bytes: AsyncIterable<Buffer>; readonly close: () => void }> {
  const packing = await packingOf(path)
  if (packing === 'zip') return openZip(path)
  const stream = streamLineFile({ path, packing }, 0)
  return { bytes: stream.bytes as AsyncIterable<Buffer>, close: () => stream.destroy() }
}

/** Of a zip with something in it, and of an empty one. */
const zipStarts: readonly string[] = ['PK\x03\x04', 'PK\x05\x06']

async function packingOf(path: string): Promise<'zip' | 'gzip' | null> {
  const head = Buffer.alloc(4)
  try {
    const file = await open(path, 'r')
    try {
      await file.read(head, 0, head.length, 0)
    } finally {
      await file.close()
    }
  } catch (error) {
    throw lineFileError(kind, path, error)
  }
  if (zipStarts.includes(head.toString('latin1'))) return 'zip'
  return head[0] === 0x1f && head[1] === 0x8b ? 'gzip' : null
}

async function openZip(path: string): Promise<{ readonly bytes: AsyncIterable<Buffer>; readonly close: () => void }> {
  const zip = await openPromise(path, { autoClose: false }).catch((error: unknown) => {
    throw damaged(path, error)
  })
  try {
    const entries: Entry[] = []
    for await (const entry of zip.eachEntry()) {
      if (!entry.fileName.endsWith('/')) entries.push(entry)
      if (entries.length > 1) break
    }
    const [csv] = entries
    if (csv === undefined || entries.length > 1 || !csv.fileName.endsWith('.csv')) {
      const found = entries.map((entry) => entry.fileName.slice(0, 100)).join(', ')
      throw new ConfigurationError(
        `Archive ${path} must hold one csv, as the exchange packs them, and holds ${found === '' ? 'nothing' : found}.`,
      )
    }
    const stream = await zip.openReadStreamPromise(csv)
    const close = () => {
      stream.destroy()
      zip.close()
    }
    return { bytes: whole(path, stream, csv.crc32), close }
  } catch (error) {
    zip.close()
    throw error instanceof ConfigurationError ? error : damaged(path, error)
  }
}

/** The bytes of an entry, and an error behind them where they are not those that were packed. */
async function* whole(path: string, stream: Readable, expected: number): AsyncGenerator<Buffer, void, undefined> {
  let crc = 0
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      crc = crc32(chunk, crc)
      yield chunk
    }
  } catch (error) {
    throw damaged(path, error)
  }
  if (crc !== expected) throw damaged(path, new Error('its checksum is another'))
}

function damaged(path: string, error: unknown): ConfigurationError {
  const why = error instanceof Error ? error.message : String(error)
  return new ConfigurationError(`Archive ${path} is damaged (${why}). Nothing of it was taken; fetch it again.`, {
    cause: error,
  })
}

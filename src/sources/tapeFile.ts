import { createHash } from 'node:crypto'
import { ConfigurationError } from '../runtime/errors.ts'
import { inspectLineFile, type LineFile, type LineFileKind, lineFileError, streamLineFile } from './lineFile.ts'

export const tapeKind: LineFileKind = {
  what: 'Tape',
  advice: 'Name a file of frames of the exchange, one a line, as `millrace record` writes them.',
}

/** Throws `ConfigurationError` where there is no file with something in it, which this process may read. */
export async function inspectTape(path: string): Promise<LineFile> {
  const tape = await inspectLineFile(tapeKind, path)
  if (tape.head.length === 0) throw new ConfigurationError(`Tape ${path} is empty. ${tapeKind.advice}`)
  return tape
}

const identityBytes = 1024 * 1024

/**
 * What a tape is called in a topic: the first 12 hex digits of the SHA-256 of its first unzipped MiB, so that the same tape finds its log
 * again, zipped or not and wherever it lies. Throws `ConfigurationError` as `inspectTape` does.
 */
export async function tapeIdentity(path: string): Promise<string> {
  const stream = streamLineFile(await inspectTape(path), 0)
  const hash = createHash('sha256')
  let left = identityBytes
  try {
    for await (const chunk of stream.bytes as AsyncIterable<Buffer>) {
      hash.update(chunk.subarray(0, left))
      left -= Math.min(left, chunk.length)
      if (left === 0) break
    }
  } catch (error) {
    throw lineFileError(tapeKind, path, error)
  } finally {
    stream.destroy()
  }
  return hash.digest('hex').slice(0, 12)
}

/** The topic of a tape's own. Throws `ConfigurationError` as `inspectTape` does. */
export async function tapeTopic(path: string): Promise<string> {
  return `crypto.trades.tape.${await tapeIdentity(path)}`
}

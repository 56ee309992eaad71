import type { Writable } from 'node:stream'
import { shownText } from '../runtime/shownText.ts'

/** Where a command prints: results to `out`, everything for people beside them to `err`. */
export interface Output {
  /** Resolves when more may be written; false once nobody reads any more (`| head`), when a command should stop quietly. */
  out(text: string): Promise<boolean>
  err(line: string): void
}

/** A pipe without a reader, and a terminal that was closed. */
const goneCodes: ReadonlySet<string | undefined> = new Set(['EPIPE', 'EIO'])

/** Output on the streams of the process. A reader that went away is no error: what is written after it is dropped. */
export function processOutput(stdout: Writable, stderr: Writable): Output {
  let isClosed = false
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (!goneCodes.has(error.code)) throw error
    isClosed = true
  })
  stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (!goneCodes.has(error.code)) throw error
  })
  return {
    out: (text) =>
      new Promise((resolve) => {
        if (isClosed || stdout.destroyed) return resolve(false)
        stdout.write(text, (error) => resolve(error === null || error === undefined))
      }),
    err: (line) => {
      if (!stderr.destroyed) stderr.write(`${shownText(line)}\n`)
    },
  }
}

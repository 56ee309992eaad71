import type { Writable } from 'node:stream'
import { shownText } from '../runtime/shownText.ts'

/** Where a command prints: results to `out`, everything for people beside them to `err`. */
export interface Output {
  /** Resolves when more may be written; false once nobody reads any more (`| head`), when a command should stop quietly. */
  out(text: string): Promise<boolean>
  err(line: string): void
  /** Calls back as soon as nobody reads results any more, or at once when that is so already. */
  onClosed(callback: () => void): void
}

/** A pipe that nobody reads (`| head`), and a terminal that was closed. */
const closedCodes: readonly unknown[] = ['EPIPE', 'EIO', 'ECONNRESET', 'ERR_STREAM_DESTROYED']

/** Output on the streams of the process. A reader that went away is no error: what is written after it is dropped. */
export function processOutput(stdout: Writable, stderr: Writable): Output {
  let isClosed = false
  const told: (() => void)[] = []
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (!closedCodes.includes(error.code)) throw error
    if (isClosed) return
    isClosed = true
    for (const callback of told) callback()
  })
  stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (!closedCodes.includes(error.code)) throw error
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
    onClosed: (callback) => {
      told.push(callback)
      if (isClosed) callback()
    },
  }
}

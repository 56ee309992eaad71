import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('guardProcess.ts', import.meta.url))

/** Ends what was started here when this process is gone, however it went: a process of its own is told of all of it, and hears the end. */
export class Guard {
  readonly #process: ChildProcess

  constructor() {
    // A session of its own: what ends this process by its group must leave the guard.
    this.#process = spawn(process.execPath, [program], { detached: true, stdio: ['pipe', 'ignore', 'inherit'] })
    this.#process.unref()
  }

  /** A process that leads a group of its own. */
  started(pid: number): void {
    this.#tell({ pid })
  }

  ended(pid: number): void {
    this.#tell({ gone: pid })
  }

  folder(path: string): void {
    this.#tell({ folder: path })
  }

  /** For when all is ended: it removes the folders and goes. */
  close(): Promise<void> {
    const ended = new Promise<void>((resolve) => this.#process.once('exit', () => resolve()))
    this.#process.ref()
    this.#process.stdin?.end()
    return ended
  }

  #tell(what: Readonly<Record<string, string | number>>): void {
    this.#process.stdin?.write(`${JSON.stringify(what)}\n`)
  }
}

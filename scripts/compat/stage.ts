import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Guard } from './guard.ts'

/** What is closed when all cases are through, the last first. */
type Close = () => Promise<void> | void

/** What the cases share: parts that are started once, a folder, and the end of it all. */
export class Stage {
  readonly folder: string
  /** Whether what is missing may be fetched, which takes minutes. */
  readonly mayInstall: boolean
  readonly #guard = new Guard()
  readonly #parts = new Map<string, Promise<unknown>>()
  readonly #closing: Close[] = []
  #count = 0

  constructor({ mayInstall }: { readonly mayInstall: boolean }) {
    this.mayInstall = mayInstall
    this.folder = mkdtempSync(join(tmpdir(), 'millrace-compat-'))
    // Servers that refuse to run as root have to pass through.
    chmodSync(this.folder, 0o755)
    this.#guard.folder(this.folder)
  }

  /** The part of the name, started by the first who asks. One that failed is not tried again. */
  part<T>(name: string, start: () => Promise<T>): Promise<T> {
    const existing = this.#parts.get(name) as Promise<T> | undefined
    if (existing !== undefined) return existing
    const starting = start()
    this.#parts.set(name, starting)
    return starting
  }

  /** Short, and no other case has it. */
  unique(what: string): string {
    this.#count += 1
    return `${what}_${this.#count}`
  }

  newFolder(what: string): string {
    const path = join(this.folder, this.unique(what))
    mkdirSync(path, { recursive: true })
    return path
  }

  /** Starts a process that ends with this one, whatever becomes of either. */
  spawn(command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const child = spawn(command, args, { ...options, detached: true })
    const { pid } = child
    if (pid !== undefined) {
      this.#guard.started(pid)
      child.once('exit', () => this.#guard.ended(pid))
    }
    return child
  }

  /** The same, to its end; throws what it said where it does not end well. */
  async run(command: string, args: readonly string[], options: SpawnOptions = {}): Promise<void> {
    const child = this.spawn(command, args, { ...options, stdio: ['ignore', 'ignore', 'pipe'] })
    let errors = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      errors = (errors + chunk.toString()).slice(-2_000)
    })
    const [code] = await once(child, 'close')
    if (code !== 0) throw new Error(`${command} ended with ${code}: ${errors.trim()}`)
  }

  /** One that somebody else has started here as the leader of a group. */
  guards(pid: number | null): void {
    if (pid !== null) this.#guard.started(pid)
  }

  onClose(close: Close): void {
    this.#closing.push(close)
  }

  async close(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close()
    await this.#guard.close()
  }
}

/** Ends a process and waits for it; one that does not go by itself is killed. */
export async function endProcess(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const ended = once(child, 'exit')
  child.kill(signal)
  const killing = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await ended
  clearTimeout(killing)
}

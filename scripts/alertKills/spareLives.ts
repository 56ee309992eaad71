import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** What a life is told. */
export interface Life {
  readonly databaseUrl: string
  readonly schema: string
  readonly dataDir: string
  /** Of the receiver. */
  readonly url: string
  /** How many there are, each a decision. */
  readonly minutes: number
  /** Between two of them. */
  readonly pauseMs: number
}

/** A process that has begun. */
export interface Begun {
  /** False where it has ended already. */
  kill(): boolean
  /** Its exit code, null for one that was killed; rejects with what it wrote where it failed. */
  readonly ended: Promise<number | null>
}

/**
 * Processes that each live once. One is always a step ahead, waiting with its modules loaded, and what they load is compiled once for all: to load it is most of what a short life costs.
 */
export class SpareLives {
  readonly #cache: string
  #next: ChildProcess | null = null

  /** @param cache a folder for compiled modules */
  constructor(cache: string) {
    this.#cache = cache
  }

  /** Fills the cache, which a process that is killed does not. */
  async warmUp(): Promise<void> {
    const child = this.#spawn()
    child.stdin?.end()
    await once(child, 'exit')
  }

  begin(life: Life): Begun {
    const child = this.#next ?? this.#spawn()
    this.#next = this.#spawn()
    let errors = ''
    child.stderr?.on('data', (data: Buffer) => {
      errors += data.toString()
    })
    const ended = once(child, 'exit').then(([code]) => {
      if (code !== null && code !== 0) throw new Error(`a life ended with ${String(code)}: ${errors}`)
      return code as number | null
    })
    // One that is killed before it has read all of it.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(JSON.stringify(life))
    return { kill: () => child.kill('SIGKILL'), ended }
  }

  async close(): Promise<void> {
    const child = this.#next
    this.#next = null
    if (child === null) return
    child.stdin?.end()
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }

  #spawn(): ChildProcess {
    return spawn(process.execPath, [fileURLToPath(new URL('life.ts', import.meta.url))], {
      stdio: ['pipe', 'ignore', 'pipe'],
      env: { ...process.env, NODE_COMPILE_CACHE: this.#cache },
    })
  }
}

import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { prepareLayout } from '../../src/embedded/layout.ts'

const main = new URL('../../src/cli/main.ts', import.meta.url).pathname

/** One start of `millrace run realtime` over a tape, as a process of its own. */
export class CliRun {
  readonly #child: ChildProcess
  readonly #dataDir: string
  #output = ''
  #exitCode: number | null | undefined
  /** Resolves with the exit code, or null when a signal ended it. */
  readonly ended: Promise<number | null>

  constructor(tape: string, dataDir: string) {
    this.#dataDir = dataDir
    const args = [
      'run',
      'realtime',
      '--source',
      'tape',
      '--tape',
      tape,
      '--until-end',
      '--close-open',
      '--data-dir',
      dataDir,
    ]
    this.#child = spawn(process.execPath, [main, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, MILLRACE_TTY: 'false', MILLRACE_CHECKPOINT_MS: '50' },
    })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#output = (this.#output + chunk.toString()).slice(-20_000)
      })
    }
    this.ended = new Promise((resolve, reject) => {
      this.#child.on('error', reject)
      this.#child.on('close', (code) => {
        this.#exitCode = code
        resolve(code)
      })
    })
  }

  get hasEnded(): boolean {
    return this.#exitCode !== undefined
  }

  /** What it said, the end of it. */
  get output(): string {
    return this.#output
  }

  /** True once it has said that it waits for trades: everything is open by then. */
  get isAtWork(): boolean {
    return this.#output.includes('Waiting for the first trades')
  }

  signal(name: NodeJS.Signals): boolean {
    return !this.hasEnded && this.#child.kill(name)
  }

  /** `kill -9` of the database server that serves the data folder. False when none runs. */
  killPostgres(): boolean {
    const pid = postmasterPid(this.#dataDir)
    if (pid === null) return false
    try {
      process.kill(pid, 'SIGKILL')
      return true
    } catch {
      return false
    }
  }
}

/** Out of the server's own pid file, or null when there is none. */
export function postmasterPid(dataDir: string): number | null {
  try {
    const { cluster } = prepareLayout(dataDir, () => {})
    const pid = Number(readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n')[0])
    return Number.isSafeInteger(pid) && pid > 1 ? pid : null
  } catch {
    return null
  }
}

import { type ChildProcess, spawn } from 'node:child_process'

const main = new URL('../../src/cli/main.ts', import.meta.url).pathname

export interface WorkerPlace {
  /** What is run, as `millrace run` is told. */
  readonly run: readonly string[]
  /** Flags of Node itself. */
  readonly nodeFlags?: readonly string[]
  readonly dataDir: string
  /** Where everything is, as the variables say it. */
  readonly env: Readonly<Record<string, string>>
}

/** `millrace run`, as a process of its own: one worker, who keeps its id over its lives. */
export class WorkerProcess {
  readonly id: string
  readonly #child: ChildProcess
  #output = ''
  #hasEnded = false
  /** Resolves with the exit code, or null when a signal ended it. */
  readonly ended: Promise<number | null>
  isSuspended = false

  constructor(place: WorkerPlace, id: string, flags: readonly string[] = []) {
    this.id = id
    const command = [...(place.nodeFlags ?? []), main, 'run', ...place.run]
    this.#child = spawn(process.execPath, [...command, '--worker-id', id, '--data-dir', place.dataDir, ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...place.env },
    })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#output = (this.#output + chunk.toString()).slice(-20_000)
      })
    }
    this.ended = new Promise((resolve, reject) => {
      this.#child.on('error', reject)
      this.#child.on('close', (code) => {
        this.#hasEnded = true
        resolve(code)
      })
    })
  }

  get pid(): number {
    return this.#child.pid as number
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  get output(): string {
    return this.#output
  }

  /** True once it has said that it waits for records: everything is open by then. */
  get isAtWork(): boolean {
    return /Waiting for (the first trades|records of)/.test(this.#output)
  }

  signal(name: NodeJS.Signals): boolean {
    return !this.#hasEnded && this.#child.kill(name)
  }
}

/** Workers that come and go; one that ends by itself is noted and started again, as whatever runs them in production does. */
export class Workers {
  readonly #place: WorkerPlace
  readonly #onGaveUp: (worker: WorkerProcess, code: number) => void
  readonly #running = new Map<string, WorkerProcess>()
  readonly #leaving = new Set<Promise<number | null>>()
  #isEnding = false
  starts = 0

  constructor(place: WorkerPlace, onGaveUp: (worker: WorkerProcess, code: number) => void) {
    this.#place = place
    this.#onGaveUp = onGaveUp
  }

  /** Of those that are not suspended. */
  awake(): readonly WorkerProcess[] {
    return [...this.#running.values()].filter((worker) => !worker.isSuspended && !worker.hasEnded)
  }

  get count(): number {
    return this.#running.size
  }

  /** Under the first free name, so that one who left comes back as who it was. */
  join(): void {
    let number = 1
    while (this.#running.has(`w${number}`)) number++
    this.#start(`w${number}`)
  }

  /** Lets it end tidily, for good. */
  leave(worker: WorkerProcess): void {
    this.#running.delete(worker.id)
    worker.signal('SIGTERM')
    this.#leaving.add(worker.ended)
    void worker.ended.then(() => this.#leaving.delete(worker.ended))
  }

  async end(): Promise<void> {
    this.#isEnding = true
    for (const worker of this.#running.values()) {
      if (worker.isSuspended) worker.signal('SIGCONT')
      worker.signal('SIGTERM')
    }
    await Promise.all([...[...this.#running.values()].map(({ ended }) => ended), ...this.#leaving])
  }

  kill(): void {
    this.#isEnding = true
    for (const worker of this.#running.values()) worker.signal('SIGKILL')
  }

  #start(id: string): void {
    const worker = new WorkerProcess(this.#place, id)
    this.starts++
    this.#running.set(id, worker)
    void worker.ended.then((code) => {
      if (this.#isEnding || this.#running.get(id) !== worker) return
      if (code !== null) this.#onGaveUp(worker, code)
      this.#start(id)
    })
  }
}

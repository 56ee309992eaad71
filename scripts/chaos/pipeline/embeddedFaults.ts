import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { EmbeddedPostgres } from '../../../src/embedded/embeddedPostgres.ts'
import type { Random } from '../../../src/testing/random.ts'
import { type WorkerPlace, WorkerProcess } from '../workers.ts'
import type { Faults, OnGaveUp } from './stage.ts'

type EmbeddedFault = 'kill-worker' | 'kill-postgres' | 'kill-both' | 'suspend-worker' | 'stop-worker' | 'takeover'

const killing: readonly EmbeddedFault[] = ['kill-worker', 'kill-postgres', 'kill-both']

/** Drawn without putting back, so that a short run meets most kinds, too. */
const deck: readonly EmbeddedFault[] = [
  ...Array<EmbeddedFault>(5).fill('kill-worker'),
  ...Array<EmbeddedFault>(3).fill('kill-postgres'),
  ...Array<EmbeddedFault>(2).fill('kill-both'),
  ...Array<EmbeddedFault>(2).fill('suspend-worker'),
  'stop-worker',
  ...Array<EmbeddedFault>(2).fill('takeover'),
]

const pollMs = 20
const startWithinMs = 120_000
const frozenMs = 10_000
const holdWithinMs = 2_000

interface EmbeddedParts {
  readonly place: WorkerPlace
  readonly postgres: EmbeddedPostgres
  readonly onGaveUp: OnGaveUp
  readonly say: (line: string) => void
}

/**
 * One worker on the database of a data folder, struck at seeded moments and started again. A worker that is frozen at times finds that another one has taken over
 * when it wakes up; then it has to end, or, where it claims once more before it is told, the other one.
 */
export class EmbeddedFaults implements Faults {
  starts = 0
  readonly #parts: EmbeddedParts
  readonly #random: Random
  readonly #all = new Set<WorkerProcess>()
  #current: WorkerProcess
  #deck: EmbeddedFault[] = []
  #isEnding = false
  readonly #counts: Record<EmbeddedFault, number>
  /** Takeovers in which the other one was at work before the frozen one woke up. */
  #takenOver = 0

  constructor(parts: EmbeddedParts, random: Random) {
    this.#parts = parts
    this.#random = random
    this.#counts = Object.fromEntries(deck.map((fault) => [fault, 0])) as Record<EmbeddedFault, number>
    this.#current = this.#start()
  }

  get counts() {
    return { ...this.#counts, zombies: this.#takenOver }
  }

  get kills(): number {
    return killing.reduce((sum, fault) => sum + this.#counts[fault], 0)
  }

  get faults(): number {
    return Object.values(this.#counts).reduce((sum, count) => sum + count, 0)
  }

  /** Resolves after so many kills; whatever was suspended runs again. */
  async strike(kills: number): Promise<void> {
    while (this.kills < kills) {
      if (this.#current.hasEnded) this.#current = this.#alive() ?? this.#start()
      // Mostly while it works; now and then while it starts.
      if (!this.#random.chance(0.15)) await this.#untilAtWork(this.#current)
      await sleep(this.#random.int(5, this.#random.chance(0.5) ? 400 : 2_500))
      if (this.#deck.length === 0) this.#deck = this.#random.shuffle([...deck])
      const fault = this.#deck.pop() as EmbeddedFault
      const { isAtWork } = this.#current
      if (!(await this.#act(fault))) continue
      this.#counts[fault]++
      this.#parts.say(`  ${this.kills}/${kills} ${fault}${isAtWork ? '' : ' at the start'}`)
    }
  }

  /** Lets all of them end tidily. */
  async end(): Promise<void> {
    this.#isEnding = true
    for (const worker of this.#all) worker.signal('SIGTERM')
    await Promise.all([...this.#all].map(({ ended }) => ended))
  }

  kill(): void {
    this.#isEnding = true
    for (const worker of this.#all) worker.signal('SIGKILL')
  }

  async #act(fault: EmbeddedFault): Promise<boolean> {
    switch (fault) {
      case 'kill-worker': {
        const letGo = this.#random.chance(0.5) ? await this.#holdOutbox() : null
        if (letGo !== null) await sleep(this.#random.int(50, 400))
        const isKilled = await this.#killWorker()
        await letGo?.()
        return isKilled
      }
      case 'kill-postgres':
        return this.#killPostgres()
      case 'kill-both': {
        const isServerKilled = this.#killPostgres()
        return (await this.#killWorker()) && isServerKilled
      }
      case 'suspend-worker': {
        // Longer than a commit takes, so that whatever is under way times out, breaks off or is overtaken.
        if (!this.#current.signal('SIGSTOP')) return false
        await sleep(this.#random.int(500, 2_500))
        return this.#current.signal('SIGCONT')
      }
      case 'stop-worker': {
        const isAsked = this.#current.signal('SIGTERM')
        await this.#current.ended
        return isAsked
      }
      case 'takeover':
        return this.#takeover()
    }
  }

  async #takeover(): Promise<boolean> {
    const frozen = this.#current
    if (!frozen.isAtWork || !frozen.signal('SIGSTOP')) return false
    this.#current = this.#start()
    // One that froze while it started the server again holds what the other one needs for its start.
    if (await this.#isAtWork(this.#current, frozenMs)) this.#takenOver++
    await sleep(this.#random.int(0, 1_500))
    return frozen.signal('SIGCONT')
  }

  async #killWorker(): Promise<boolean> {
    const worker = this.#current
    const isKilled = worker.signal('SIGKILL')
    await worker.ended
    return isKilled
  }

  /**
   * Lets nothing be taken out of the outbox, nor put into it: what was sent by then is not forgotten, as in a database that is slow at the wrong moment. Null where the
   * database cannot be asked.
   */
  async #holdOutbox(): Promise<(() => Promise<void>) | null> {
    const client = new pg.Client(this.#parts.postgres.connection)
    // The server that goes ends the hold as well.
    client.on('error', () => undefined)
    try {
      await client.connect()
      await client.query(`SET lock_timeout = ${holdWithinMs}; BEGIN; LOCK TABLE outbox IN SHARE MODE`)
    } catch {
      // PostgreSQL is down at times; that is what this is about.
      await client.end().catch(() => undefined)
      return null
    }
    return () => client.end().catch(() => undefined)
  }

  #killPostgres(): boolean {
    const pid = this.#parts.postgres.serverPid
    return pid !== null && process.kill(pid, 'SIGKILL')
  }

  async #untilAtWork(worker: WorkerProcess): Promise<void> {
    if ((await this.#isAtWork(worker, startWithinMs)) || worker.hasEnded) return
    throw new Error(`worker ${worker.id} does not come to work:\n${worker.output.slice(-2_000)}`)
  }

  /** False where it has ended, or is not so far within the time. */
  async #isAtWork(worker: WorkerProcess, withinMs: number): Promise<boolean> {
    const deadline = performance.now() + withinMs
    while (!worker.isAtWork && !worker.hasEnded && performance.now() < deadline) await sleep(pollMs)
    return worker.isAtWork
  }

  #alive(): WorkerProcess | null {
    return [...this.#all][0] ?? null
  }

  /** Under the first name that is free: one of that name is refused while it lives. */
  #start(): WorkerProcess {
    let number = 1
    while ([...this.#all].some(({ id }) => id === `w${number}`)) number++
    const worker = new WorkerProcess(this.#parts.place, `w${number}`)
    this.starts++
    this.#all.add(worker)
    void worker.ended.then((code) => {
      this.#all.delete(worker)
      if (code !== null && code !== 0 && !this.#isEnding) this.#parts.onGaveUp(worker, code)
    })
    return worker
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import type { EmbeddedPostgres } from '../../../src/embedded/embeddedPostgres.ts'
import type { Random } from '../../../src/testing/random.ts'
import type { Broker } from '../../../test/support/brokerProcess.ts'
import type { S3Server } from '../../../test/support/s3Server.ts'
import type { WorkerProcess, Workers } from '../workers.ts'

export type KafkaFault =
  | 'kill-worker'
  | 'kill-postgres'
  | 'kill-broker'
  | 'restart-broker'
  | 'suspend-worker'
  | 'worker-joins'
  | 'worker-leaves'
  | 'archive-outage'

const killing: readonly KafkaFault[] = ['kill-worker', 'kill-postgres', 'kill-broker']

/** Drawn without putting back, so that a short run meets most kinds, too. */
const deck: readonly KafkaFault[] = [
  ...Array<KafkaFault>(6).fill('kill-worker'),
  ...Array<KafkaFault>(3).fill('kill-postgres'),
  'kill-broker',
  'restart-broker',
  ...Array<KafkaFault>(3).fill('suspend-worker'),
  ...Array<KafkaFault>(2).fill('worker-joins'),
  ...Array<KafkaFault>(2).fill('worker-leaves'),
  ...Array<KafkaFault>(2).fill('archive-outage'),
]

const fewestWorkers = 2
const mostWorkers = 4
const settleMs = 10_000

export interface KafkaParts {
  readonly workers: Workers
  readonly broker: Broker
  readonly postgres: EmbeddedPostgres
  readonly objects: S3Server
  readonly sessionTimeoutMs: number
  /** Who owns each partition, by the database; null while that cannot be asked. */
  owners(): Promise<ReadonlyMap<number, string> | null>
  readonly say: (line: string) => void
}

/** Faults of every kind, at seeded moments, several at a time. */
export class KafkaFaults {
  readonly counts: Record<KafkaFault, number>
  /** Suspended workers whose partitions another one had claimed by the time they woke up. */
  zombies = 0
  readonly #parts: KafkaParts
  readonly #random: Random
  readonly #lasting: Promise<void>[] = []
  #deck: KafkaFault[] = []
  #isBrokerDown = false
  #isArchiveDown = false

  constructor(parts: KafkaParts, random: Random) {
    this.#parts = parts
    this.#random = random
    this.counts = Object.fromEntries(deck.map((fault) => [fault, 0])) as Record<KafkaFault, number>
  }

  get kills(): number {
    return killing.reduce((sum, fault) => sum + this.counts[fault], 0)
  }

  get faults(): number {
    return Object.values(this.counts).reduce((sum, count) => sum + count, 0)
  }

  /** Resolves after so many kills, with everything running again. */
  async strike(kills: number): Promise<void> {
    while (this.kills < kills) {
      await sleep(this.#random.int(100, this.#random.chance(0.5) ? 1_000 : 5_000))
      if (this.#deck.length === 0) this.#deck = this.#random.shuffle([...deck])
      const fault = this.#deck.pop() as KafkaFault
      if (!(await this.#act(fault))) continue
      this.counts[fault]++
      this.#parts.say(`  ${this.kills}/${kills} ${fault}`)
    }
    await Promise.all(this.#lasting)
  }

  async #act(fault: KafkaFault): Promise<boolean> {
    const { workers, broker, postgres } = this.#parts
    switch (fault) {
      case 'kill-worker':
        return this.#anyWorker()?.signal('SIGKILL') ?? false
      case 'kill-postgres': {
        const pid = postgres.serverPid
        return pid !== null && process.kill(pid, 'SIGKILL')
      }
      case 'kill-broker':
      case 'restart-broker': {
        if (this.#isBrokerDown) return false
        this.#isBrokerDown = true
        await (fault === 'kill-broker' ? broker.kill() : broker.stop())
        this.#last(async () => {
          await sleep(this.#random.int(0, 3_000))
          await broker.start()
          this.#isBrokerDown = false
        })
        return true
      }
      case 'suspend-worker':
        return this.#suspend()
      case 'worker-joins':
        if (workers.count >= mostWorkers) return false
        workers.join()
        return true
      case 'worker-leaves': {
        const worker = this.#anyWorker()
        if (worker === null || workers.count <= fewestWorkers) return false
        workers.leave(worker)
        return true
      }
      case 'archive-outage':
        return this.#refuseObjects()
    }
  }

  #anyWorker() {
    const awake = this.#parts.workers.awake()
    return awake.length === 0 ? null : this.#random.pick(awake)
  }

  /** Longer than the group waits for it, so that others take its partitions, and it wakes up believing that they are its own. */
  async #suspend(): Promise<boolean> {
    const { owners, sessionTimeoutMs } = this.#parts
    const found = await this.#owning()
    if (found === null) return false
    const { worker, own } = found
    if (!worker.signal('SIGSTOP')) return false
    worker.isSuspended = true
    this.#last(async () => {
      await sleep(sessionTimeoutMs + this.#random.int(500, 4_000))
      const after = await owners()
      if (own.some((partition) => after?.get(partition)?.endsWith(`:${worker.pid}`) === false)) this.zombies++
      worker.isSuspended = false
      worker.signal('SIGCONT')
    })
    return true
  }

  /** A worker that has partitions, and others beside it; waits for one, since after many a fault nobody has any for a moment. */
  async #owning(): Promise<{ readonly worker: WorkerProcess; readonly own: readonly number[] } | null> {
    const { workers, owners } = this.#parts
    const deadline = performance.now() + settleMs
    for (;;) {
      const all = [...((await owners()) ?? [])]
      const awake = workers.awake()
      const owning = awake.flatMap((worker) => {
        const own = all.flatMap(([partition, owner]) => (owner.endsWith(`:${worker.pid}`) ? [partition] : []))
        return own.length > 0 ? [{ worker, own }] : []
      })
      if (owning.length > 0 && awake.length > 1) return this.#random.pick(owning)
      if (performance.now() > deadline) return null
      await sleep(100)
    }
  }

  #refuseObjects(): boolean {
    const { faults } = this.#parts.objects
    if (this.#isArchiveDown) return false
    this.#isArchiveDown = true
    const isDropping = this.#random.chance(0.5)
    if (isDropping) faults.dropNext(1_000_000, this.#random.pick(['before', 'after']))
    else faults.failNext(1_000_000, this.#random.pick([500, 503]))
    this.#last(async () => {
      await sleep(this.#random.int(500, 6_000))
      faults.clear()
      this.#isArchiveDown = false
    })
    return true
  }

  /** Goes on meanwhile; a failure is thrown at the end. */
  #last(lasting: () => Promise<void>): void {
    const until = lasting()
    until.catch(() => undefined)
    this.#lasting.push(until)
  }
}

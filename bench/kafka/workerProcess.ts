import { type ChildProcess, fork } from 'node:child_process'
import { enableCompileCache } from 'node:module'
import { dirname } from 'node:path'
import { workerFlags } from '../../src/host/workerFlags.ts'
import type { PostgresConnection } from '../../src/sinks/postgres/connection.ts'
import type { CpuSample } from './cost.ts'
import type { WorkerMoments } from './moments.ts'

/** What a worker process of a benchmark is to do. */
export interface BenchJob {
  /** `bench`: 1m and 5m candles. `realtime`: the main job, with open candles as often as `provisionalEveryMs` says. */
  readonly pipeline: 'bench' | 'realtime'
  readonly brokers: readonly string[]
  readonly client: 'wire' | 'kafkajs'
  readonly topic: string
  readonly group: string
  readonly instanceId: string
  readonly connection: PostgresConnection
  readonly schema: string
  /** A folder, or null for none. */
  readonly archive: string | null
  readonly checkpointMs: number
  readonly provisionalEveryMs: number
  /** How far it had come when is told in the report; false if left out. */
  readonly tellsMoments?: boolean
}

/** What it says at its end, about all of its life. */
export interface BenchReport {
  readonly cpuSeconds: number
  readonly peakRssMb: number
  /** Commits that it was asked to remember, ms each, in the order of size. */
  readonly commitMs: readonly number[]
  readonly moments?: WorkerMoments
  /** In the order of time. */
  readonly cpu: readonly CpuSample[]
}

// As the command does it for its workers, whose entry file is then in the cache as well: a start should not be about stripping types.
const { directory } = enableCompileCache()
const env = directory === undefined ? process.env : { ...process.env, NODE_COMPILE_CACHE: dirname(directory) }

/** One worker of a benchmark, as a process of its own so that its time and memory are its own, started as `--workers` starts its workers. */
export class BenchWorker {
  readonly #child: ChildProcess
  readonly #ended: Promise<BenchReport>

  /** @param program as `workerProgram` gives it */
  constructor(program: string, job: BenchJob) {
    this.#child = fork(program, [JSON.stringify(job)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env,
      execArgv: [...process.execArgv, ...workerFlags],
    })
    this.#ended = new Promise((resolve, reject) => {
      let report: BenchReport | null = null
      this.#child.on('message', (message: BenchReport) => {
        report = message
      })
      this.#child.on('error', reject)
      this.#child.on('exit', (code, signal) => {
        if (report !== null && code === 0) resolve(report)
        else reject(new Error(`a worker ended with ${signal ?? `exit code ${code}`}`))
      })
    })
    this.#ended.catch(() => undefined)
  }

  /** Rejects when it ends without being asked to. */
  get failed(): Promise<never> {
    return this.#ended.then(() => {
      throw new Error('a worker ended before it was asked to')
    })
  }

  /** Lets it commit the rest, close what is open, and end. */
  end(mode: 'now' | 'drain-and-close'): Promise<BenchReport> {
    this.#child.send(mode)
    return this.#ended
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}

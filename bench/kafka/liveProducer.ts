import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Produced, ProducerWay, Schedule } from './schedule.ts'

const program = fileURLToPath(new URL('./liveTrades.ts', import.meta.url))

/** Trades that come in steadily, from a process of their own. */
export class LiveProducer {
  readonly #child: ChildProcess
  readonly schedule: Promise<Schedule>
  /** Rejects when it ends without being asked to. */
  readonly failed: Promise<never>
  #isStopping = false

  constructor(brokers: readonly string[], topic: string, rate: number, way: ProducerWay) {
    this.#child = fork(program, [brokers.join(','), topic, String(rate), way])
    this.failed = new Promise((_, reject) => {
      this.#child.once('exit', (code, signal) => {
        if (!this.#isStopping) reject(new Error(`the producer ended with ${signal ?? `exit code ${code}`}`))
      })
    })
    this.failed.catch(() => undefined)
    this.schedule = new Promise((resolve, reject) => {
      this.#child.once('message', (schedule: Schedule) => resolve(schedule))
      this.failed.catch(reject)
    })
    this.schedule.catch(() => undefined)
  }

  /** Has it end; resolves to what it says then, or null where it says nothing. */
  async stop(): Promise<Produced | null> {
    this.#isStopping = true
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return null
    let produced: Produced | null = null
    this.#child.on('message', (message: Produced) => {
      produced = message
    })
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.kill('SIGTERM')
    const killing = setTimeout(() => this.#child.kill('SIGKILL'), 5_000)
    await ended
    clearTimeout(killing)
    return produced
  }
}

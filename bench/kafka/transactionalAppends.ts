import { setTimeout as sleep } from 'node:timers/promises'
import { RetryableError } from '../../src/runtime/errors.ts'
import type { LogWriter, OutgoingRecord } from '../../src/runtime/log/log.ts'
import type { KafkaSettings } from '../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaWriter } from '../../src/sources/kafka/producer/openKafkaWriter.ts'
import { type Append, type Appends, type Produced, wallClock } from './schedule.ts'

const retryMs = 100
const producer = 'live'

/** Appends as `millrace ingest` does: one transaction after the other, each with the position behind it. */
export class TransactionalAppends implements Appends {
  readonly #writer: LogWriter
  /** A broker that is not this run's alone may hold what an earlier one has stored. */
  readonly #run = `${wallClock()} `
  readonly #done: Append[] = []
  #hasFailed = false

  private constructor(writer: LogWriter) {
    this.#writer = writer
  }

  static async open(settings: KafkaSettings, topic: string): Promise<TransactionalAppends> {
    const writer = await openKafkaWriter(settings, { topic })
    await writer.claim(producer)
    return new TransactionalAppends(writer)
  }

  /** A broker that is too busy to answer in time is asked what it has stored, and gets the rest by the schedule: late, but not lost. */
  async append(records: readonly OutgoingRecord[], until: number, isOver: () => boolean): Promise<number> {
    const sentAt = wallClock()
    let problem: unknown
    try {
      await this.#writer.append(records, `${this.#run}${until}`)
      this.#done.push({ until, sentAt, storedAt: wallClock() })
      return until
    } catch (error) {
      problem = error
      this.#hasFailed = true
    }
    while (!isOver()) {
      if (!(problem instanceof RetryableError)) throw problem
      console.error(`the producer tries again: ${problem.message}`)
      await sleep(retryMs)
      try {
        const { position } = await this.#writer.claim(producer)
        return position?.startsWith(this.#run) ? Number(position.slice(this.#run.length)) : 0
      } catch (error) {
        problem = error
      }
    }
    return until
  }

  async end(): Promise<Produced> {
    await this.#writer.close()
    return { appends: this.#hasFailed ? null : this.#done, hasMarkers: true }
  }
}

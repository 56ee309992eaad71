import { setTimeout as sleep } from 'node:timers/promises'
import type { OpenedTopic } from '../../../src/host/openedTopic.ts'
import { RetryableError } from '../../../src/runtime/errors.ts'
import type { OutgoingRecord } from '../../../src/runtime/log/log.ts'
import type { Step } from './salesRecords.ts'

const retryMs = 100
const producer = 'chaos'

/** Appends what is generated to its topics, each record once, until it is told that it is enough. A log that is away is waited for. */
export class InputWriter {
  readonly #topics: ReadonlyMap<string, OpenedTopic>
  /** Records by topic. */
  readonly #appended = new Map<string, number>()
  readonly #stop = new AbortController()

  constructor(topics: ReadonlyMap<string, OpenedTopic>) {
    this.#topics = topics
  }

  get records(): number {
    return [...this.#appended.values()].reduce((sum, count) => sum + count, 0)
  }

  enough(): void {
    this.#stop.abort()
  }

  async write(steps: Iterable<Step>): Promise<void> {
    const { signal } = this.#stop
    for (const topic of this.#topics.keys()) await this.#claim(topic)
    for (const { records, pauseMs } of steps) {
      for (const [name, all] of Map.groupBy(records, ({ topic }) => topic)) {
        const { partitionOf } = this.#topic(name)
        await this.#append(
          name,
          all.map(({ timestamp, key, value }, index) => {
            const bytes = key === null ? null : Buffer.from(key)
            const partition = partitionOf(bytes, index)
            return { partition, timestamp, key: bytes, value: value === null ? null : Buffer.from(value) }
          }),
        )
      }
      if (signal.aborted) return
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined)
    }
  }

  async close(): Promise<void> {
    for (const { writer } of this.#topics.values()) await writer.close()
  }

  /** As an ingest does it: after a failure, what the log itself says is the position. */
  async #append(name: string, records: readonly OutgoingRecord[]): Promise<void> {
    const before = this.#appended.get(name) ?? 0
    const after = before + records.length
    for (let position = before; position !== after; ) {
      if (position !== before) throw new Error(`${name} stands at ${position}, not at ${before} or ${after}`)
      try {
        await this.#topic(name).writer.append(records, String(after))
        position = after
      } catch (error) {
        if (!(error instanceof RetryableError)) throw error
        position = await this.#claim(name)
      }
    }
    this.#appended.set(name, after)
  }

  async #claim(name: string): Promise<number> {
    for (;;) {
      try {
        return Number((await this.#topic(name).writer.claim(producer)).position ?? 0)
      } catch (error) {
        if (!(error instanceof RetryableError)) throw error
        await sleep(retryMs)
      }
    }
  }

  #topic(name: string): OpenedTopic {
    const topic = this.#topics.get(name)
    if (topic === undefined) throw new Error(`nobody has opened ${name}`)
    return topic
  }
}

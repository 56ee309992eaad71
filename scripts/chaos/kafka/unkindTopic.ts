import { setTimeout as sleep } from 'node:timers/promises'
import { RetryableError } from '../../../src/runtime/errors.ts'
import type { LogWriter, OutgoingRecord } from '../../../src/runtime/log/log.ts'
import { type ExpectedCandle, unkindTrades } from '../../../src/testing/unkind/unkindTrades.ts'
import { digestOf } from './topicContent.ts'

/** Symbol i lies in partition i modulo 4, where the partitioner of Kafka's Java client puts it, too. */
const symbols = ['SHIBUSDT', 'ETHUSDT', 'BTCUSDT', 'BNBUSDT', 'XRPUSDT', 'SOLUSDT', 'DOTUSDT', 'LTCUSDT'] as const
export const partitions = 4

const blockTrades = 1_000
const hourMs = 3_600_000
const blockSpanMs = 48 * hourMs
const appendedAtOnce = 50
const pauseMs = 100
const retryMs = 200

/** What must come of the input. */
export interface Truth {
  readonly candles: readonly ExpectedCandle[]
  /** `partition/place` of records that must be dead letters, and of those that may be; a place is counted in records from 0. */
  readonly dead: ReadonlySet<string>
  readonly perhapsDead: ReadonlySet<string>
  readonly records: number
  /** Of what was written, by partition. */
  readonly digests: readonly (readonly string[])[]
}

/**
 * Writes unkind trades into a topic, some hundred a second, block after block, each two days of event time (or more) after the one before, until it is told that
 * it is enough. A broker that is away is waited for.
 */
export class UnkindTopic {
  readonly #writer: LogWriter
  readonly #seed: number
  readonly #candles: ExpectedCandle[] = []
  readonly #dead = new Set<string>()
  readonly #perhapsDead = new Set<string>()
  readonly #digests: string[][] = Array.from({ length: partitions }, () => [])
  #startMs = Date.UTC(2024, 7, 9, 1)
  #appended = 0
  #isEnough = false

  constructor(writer: LogWriter, seed: number) {
    this.#writer = writer
    this.#seed = seed
  }

  get records(): number {
    return this.#appended
  }

  /** Ends the writing after the block that is being written, whose truth would otherwise not be known. */
  enough(): void {
    this.#isEnough = true
  }

  async write(): Promise<Truth> {
    await this.#claim()
    for (let block = 0; !this.#isEnough || block === 0; block++) {
      const records = this.#block(block)
      for (let at = 0; at < records.length; at += appendedAtOnce) {
        await this.#append(records.slice(at, at + appendedAtOnce))
        await sleep(pauseMs)
      }
    }
    return {
      ...{ candles: this.#candles, dead: this.#dead, perhapsDead: this.#perhapsDead },
      ...{ records: this.#appended, digests: this.#digests },
    }
  }

  #block(block: number): readonly OutgoingRecord[] {
    const { records, candles, deadLetters, perhapsDeadLetters } = unkindTrades({
      seed: `${this.#seed}/${block}`,
      trades: blockTrades,
      symbols,
      partitions,
      startMs: this.#startMs,
      averageStepMs: 4_000,
      maxOutOfOrdernessMs: 2_000,
      allowedLatenessMs: 30_000,
      hasGaps: true,
    })
    this.#candles.push(...candles)
    // A block with many halts may last longer than a block should, and must not make the next one late.
    const lastMinute = candles.reduce((last, { openTime }) => Math.max(last, openTime), this.#startMs)
    this.#startMs += Math.ceil((lastMinute + hourMs - this.#startMs) / blockSpanMs) * blockSpanMs
    const base = this.#digests.map(({ length }) => length)
    const place = (of: { readonly partition: number; readonly offset: number }) =>
      `${of.partition}/${(base[of.partition] as number) + of.offset}`
    for (const letter of deadLetters) this.#dead.add(place(letter))
    for (const letter of perhapsDeadLetters) this.#perhapsDead.add(place(letter))
    for (const { partition, value } of records) this.#digests[partition]?.push(digestOf(value))
    return records
  }

  /** As an ingest does it: after a failure, what the log itself says is the position. */
  async #append(records: readonly OutgoingRecord[]): Promise<void> {
    const before = String(this.#appended)
    const after = String(this.#appended + records.length)
    for (let position: string | null = before; position !== after; ) {
      if (position !== before && !(position === null && before === '0'))
        throw new Error(`the log stands at ${position}, not at ${before} or ${after}`)
      try {
        await this.#writer.append(records, after)
        position = after
      } catch (error) {
        if (!(error instanceof RetryableError)) throw error
        position = await this.#claim()
      }
    }
    this.#appended += records.length
  }

  async #claim(): Promise<string | null> {
    for (;;) {
      try {
        return (await this.#writer.claim('chaos')).position
      } catch (error) {
        if (!(error instanceof RetryableError)) throw error
        await sleep(retryMs)
      }
    }
  }
}

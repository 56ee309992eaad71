import { gapFrame } from '../market/feedGap.ts'
import type { Market } from '../market/trade.ts'
import type { FeedTarget } from '../runtime/log/feed.ts'
import type { LogWriter, OutgoingRecord } from '../runtime/log/log.ts'
import type { ToldTrade } from '../sources/live/exchangeDialect.ts'
import { markedFrame } from '../sources/live/markedFrame.ts'

/** Trades that are brought in again, and why. Times are ms UTC. */
export interface Refill {
  readonly market: Market
  readonly symbol: string
  /** How often the symbol's ids had started again. */
  readonly epoch: number
  /** All trades of the candle, oldest first; at least one. */
  readonly trades: readonly ToldTrade[]
  /** `[from, to)` of the candle. */
  readonly from: number
  readonly to: number
  /** How many of them the candle lacked. */
  readonly missing: number
  /** How often they have been brought in before. */
  readonly refills: number
  readonly at: number
}

/** How the exchange's stream would have brought a trade. */
export type FrameOf = (symbol: string, trade: ToldTrade) => Buffer

/**
 * The records of a refill: a word that opens a gap over the candle, its trades as fills, and the word that it is filled. The pipeline leaves out what it has, and
 * corrects the candle by what it lacked, as with any gap.
 */
export function refillRecords(
  refill: Refill,
  target: FeedTarget,
  timeUnit: 'ms' | 'us',
  frameOf: FrameOf,
): readonly OutgoingRecord[] {
  const { market, symbol, epoch, trades, from, to, missing, refills, at } = refill
  const key = Buffer.from(symbol)
  const partition = target.partitionOf(key)
  const facts = {
    ...({ type: 'gap', market, symbol, epoch } as const),
    firstId: trades[0]?.id ?? 0,
    lastId: trades.at(-1)?.id ?? 0,
    ...{ fromTime: from, toTime: to - 1, seenAt: at, at },
  }
  const revision = 2 * refills + 1
  const opened = gapFrame({
    ...facts,
    ...{ state: 'open', missing, revision, reason: "the candle is not the exchange's: its trades are fetched again" },
  })
  const filled = gapFrame({
    ...facts,
    ...{
      state: 'filled',
      missing: 0,
      revision: revision + 1,
      reason: 'all trades of the candle were brought in again',
    },
  })
  const mark = epoch === 0 ? '"fill":true' : `"fill":true,"epoch":${epoch}`
  const perMs = timeUnit === 'us' ? 1_000 : 1
  return [
    { partition, timestamp: from, key, value: opened },
    ...trades.map((trade) => {
      const frame = frameOf(symbol, { ...trade, time: trade.time * perMs })
      return { partition, timestamp: trade.time, key, value: markedFrame(frame, mark) }
    }),
    { partition, timestamp: from, key, value: filled },
  ]
}

/** Appends refills to the topic of the market, each whole or not at all. */
export class RefillWriter {
  readonly #writer: LogWriter
  readonly #target: FeedTarget
  readonly #timeUnit: 'ms' | 'us'
  readonly #frameOf: FrameOf
  #count = 0

  /** @param writer whose producer is claimed */
  constructor(writer: LogWriter, target: FeedTarget, timeUnit: 'ms' | 'us', frameOf: FrameOf) {
    this.#writer = writer
    this.#target = target
    this.#timeUnit = timeUnit
    this.#frameOf = frameOf
  }

  async append(refill: Refill): Promise<void> {
    const { symbol, from } = refill
    const position = JSON.stringify({ refill: ++this.#count, symbol, from })
    await this.#writer.append(refillRecords(refill, this.#target, this.#timeUnit, this.#frameOf), position)
  }
}

import { z } from 'zod'
import { type Clock, systemClock } from '../../runtime/clock.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { FrameBatch, FrameFeed, FrameProgress, FrameReader, FrameReadOptions } from '../market/frameFeed.ts'
import { requireMarket } from './simulatedFrames.ts'
import { SimulatedMarket, type SimulatedMarketState } from './simulatedMarket.ts'

export interface SimulatorFeedOptions {
  readonly symbols: readonly string[]
  /** Default 1. */
  readonly seed?: number
  /** Over all symbols. Default 20 a symbol. */
  readonly tradesPerSecond?: number
  readonly clock?: Clock
}

const integer = z.number().int()
const positionSchema = z.object({
  random: z.tuple([integer, integer, integer, integer]),
  time: integer,
  books: z.record(z.string(), z.tuple([integer.positive(), integer.positive()])),
})

/** Longest wait of a read without a trade: then it says at least that time has passed. */
const idleMs = 1_000

/**
 * A market that goes on for ever at the clock's pace: ids without gaps, event times that are the clock's and never go back.
 *
 * Keeps a book a symbol. Its position is all it knows, so after a restart ids and prices go on where they were; while it does not run, nothing
 * is traded. A reader that falls behind (a log that does not answer) makes the trades of that time up to a second's worth, not more.
 */
export function simulatorFeed(options: SimulatorFeedOptions): FrameFeed {
  const { symbols, seed = 1, tradesPerSecond = 20 * symbols.length, clock = systemClock } = options
  requireMarket('simulatorFeed', symbols, tradesPerSecond)
  return {
    name: `simulator seed ${seed}`,
    isSimulated: true,
    open: async (position) => {
      const restored = position === null ? undefined : parsePosition(position)
      const market = new SimulatedMarket({ seed, symbols, tradesPerSecond }, clock.now(), restored)
      return new SimulatorReader(market, clock)
    },
  }
}

class SimulatorReader implements FrameReader {
  readonly #market: SimulatedMarket
  readonly #clock: Clock
  /** ms UTC at which the next trade is due. */
  #dueAt: number
  #trades = 0

  constructor(market: SimulatedMarket, clock: Clock) {
    this.#market = market
    this.#clock = clock
    this.#dueAt = Math.max(market.time, clock.now()) + market.drawGapMs()
  }

  async read({ maxFrames, maxBytes, lingerMs, signal }: FrameReadOptions): Promise<FrameBatch> {
    const wait = Math.max(lingerMs, this.#dueAt - this.#clock.now())
    await this.#clock.sleep(Math.min(wait, idleMs), signal)
    const now = this.#clock.now()
    this.#dueAt = Math.max(this.#dueAt, now - idleMs)
    const frames: Buffer[] = []
    let bytes = 0
    while (this.#dueAt <= now && frames.length < maxFrames && bytes < maxBytes) {
      const frame = this.#market.trade(this.#dueAt)
      frames.push(frame)
      bytes += frame.length
      this.#dueAt += this.#market.drawGapMs()
    }
    this.#trades += frames.length
    const isCaughtUp = this.#dueAt > now
    return { frames, position: JSON.stringify(this.#market.snapshot()), quietThrough: isCaughtUp ? now : null }
  }

  progress(): FrameProgress {
    return { bytesDone: null, bytesTotal: null, waitingFor: null, counts: { trades: this.#trades } }
  }

  async close(): Promise<void> {}
}

function parsePosition(text: string): SimulatedMarketState {
  try {
    return positionSchema.parse(JSON.parse(text))
  } catch (error) {
    throw new ConfigurationError(
      `The simulator cannot go on at ${text.slice(0, 80)}: that is not a position of a simulator. Use another topic or producer.`,
      { cause: error },
    )
  }
}

import { z } from 'zod'
import { ConfigurationError } from '../runtime/errors.ts'
import type { ToldTrade } from '../sources/live/exchangeDialect.ts'
import type {
  FrameBatch,
  FrameFeed,
  FrameProgress,
  FrameReader,
  FrameReadOptions,
} from '../sources/market/frameFeed.ts'
import { StoppedAsking } from './exchangeApi.ts'
import type { ExchangeHistory, TradesHistory } from './exchangeHistory.ts'
import type { TimeRange } from './klineStore.ts'
import { readPosition } from './readPosition.ts'

export interface TradesFeedOptions {
  readonly symbols: readonly string[]
  readonly range: TimeRange
  /** For messages: `binance spot`. */
  readonly name: string
  /** What the frames are, where they are not Binance's. */
  readonly peek?: FrameFeed['peek']
  /** True for an exchange that invents its prices. */
  readonly isSimulated?: boolean
  /** Asks the exchange until the signal fires. */
  readonly historyOf: (signal: AbortSignal) => Pick<ExchangeHistory, 'api'> & { readonly trades: TradesHistory }
}

/** The next trade of each symbol; null for one that is done. */
const positionSchema = z.object({ next: z.record(z.string(), z.int().min(0).nullable()) })

/**
 * Old trades of an exchange, as the frames that its stream would have brought: all symbols together by trade time, each symbol by id, and at the end of the range the end.
 *
 * Keeps a page of each symbol. Resumes behind the last trade of each. Throws as `TradesHistory` does.
 */
export function tradesFeed({ symbols, range, name, peek, isSimulated, historyOf }: TradesFeedOptions): FrameFeed {
  return {
    name: `${name}, old trades`,
    ...(peek === undefined ? {} : { peek }),
    isSimulated: isSimulated ?? false,
    open: async (position) => {
      const next = position === null ? null : parsePosition(position, symbols)
      return new TradesReader(symbols, range, next, historyOf)
    },
  }
}

interface Lane {
  readonly symbol: string
  /** Of the next page; null behind the last one, undefined while it has to be looked for. */
  nextId: number | null | undefined
  page: readonly ToldTrade[]
  at: number
}

class TradesReader implements FrameReader {
  readonly #lanes: readonly Lane[]
  readonly #range: TimeRange
  readonly #history: ReturnType<TradesFeedOptions['historyOf']>
  readonly #closed = new AbortController()
  #isFetching = false

  constructor(
    symbols: readonly string[],
    range: TimeRange,
    next: Readonly<Record<string, number | null>> | null,
    historyOf: TradesFeedOptions['historyOf'],
  ) {
    this.#range = range
    this.#history = historyOf(this.#closed.signal)
    this.#lanes = symbols.map((symbol) => ({ symbol, nextId: next?.[symbol], page: [], at: 0 }))
  }

  async read({ maxFrames, maxBytes, signal }: FrameReadOptions): Promise<FrameBatch | null> {
    const stop = () => this.#closed.abort()
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    const frames: Buffer[] = []
    let bytes = 0
    try {
      while (frames.length < maxFrames && bytes < maxBytes) {
        // What is there goes out before a page is waited for.
        if (this.#isBarren() && frames.length > 0) break
        await this.#fetchPages()
        const lane = this.#earliest()
        if (lane === null) break
        const trade = lane.page[lane.at++] as ToldTrade
        const frame = this.#history.trades.frame(lane.symbol, trade)
        frames.push(frame)
        bytes += frame.length
      }
      if (frames.length === 0) return null
    } catch (error) {
      if (!(error instanceof StoppedAsking)) throw error
    } finally {
      signal.removeEventListener('abort', stop)
    }
    return { frames, position: this.#position(), quietThrough: null }
  }

  progress(): FrameProgress {
    return {
      bytesDone: null,
      bytesTotal: null,
      waitingFor: this.#isFetching ? 'REST, for the next trades' : null,
      counts: { weight: this.#history.api.usedWeight },
    }
  }

  async close(): Promise<void> {
    this.#closed.abort()
  }

  /** Whether a symbol has used up its page and has another. */
  #isBarren(): boolean {
    return this.#lanes.some((lane) => lane.at === lane.page.length && lane.nextId !== null)
  }

  /** Time must not run ahead of a symbol whose next trade is not known. */
  async #fetchPages(): Promise<void> {
    for (const lane of this.#lanes) {
      this.#isFetching = true
      while (lane.at === lane.page.length && lane.nextId !== null) {
        lane.nextId ??= await this.#history.trades.firstId(lane.symbol, this.#range.from)
        if (lane.nextId === null) break
        const { trades, nextId } = await this.#history.trades.page(lane.symbol, lane.nextId, this.#range)
        lane.page = trades
        lane.at = 0
        lane.nextId = nextId
      }
      this.#isFetching = false
    }
  }

  #earliest(): Lane | null {
    let earliest: Lane | null = null
    for (const lane of this.#lanes) {
      const time = lane.page[lane.at]?.time
      if (time === undefined) continue
      if (earliest === null || time < (earliest.page[earliest.at] as ToldTrade).time) earliest = lane
    }
    return earliest
  }

  #position(): string {
    const next = this.#lanes.flatMap((lane) => {
      const id = lane.page[lane.at]?.id ?? lane.nextId
      return id === undefined ? [] : [[lane.symbol, id] as const]
    })
    return JSON.stringify({ next: Object.fromEntries(next) })
  }
}

function parsePosition(text: string, symbols: readonly string[]): Readonly<Record<string, number | null>> {
  const position = readPosition(text, positionSchema)
  if (position !== null && Object.keys(position.next).every((symbol) => symbols.includes(symbol))) return position.next
  throw new ConfigurationError(
    `The old trades of ${symbols.join(', ')} cannot go on at ${text.slice(0, 80)}: that is not a position of them. Use another topic.`,
  )
}

import { z } from 'zod'
import type { TimeUnit } from '../market/timeUnit.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import type { BinanceMarket } from '../sources/binance/endpoints.ts'
import { type RestTrade, tradeFrame } from '../sources/binance/restTrades.ts'
import type {
  FrameBatch,
  FrameFeed,
  FrameProgress,
  FrameReader,
  FrameReadOptions,
} from '../sources/market/frameFeed.ts'
import { type ArchiveLines, archiveLines } from './archiveFile.ts'
import { ArchiveTimes } from './archiveTimes.ts'
import { readPosition } from './readPosition.ts'

export interface ArchiveTradesOptions {
  readonly market: BinanceMarket
  readonly symbol: string
  /** Archives of trades that continue each other, in their order. */
  readonly paths: readonly string[]
  /** Told for each archive, in which unit its times are. */
  readonly onUnit: (path: string, unit: TimeUnit) => void
}

/** How many archives were read whole, and how many lines of the next. */
const positionSchema = z.object({ archives: z.int().min(0), lines: z.int().min(0) })
type Position = z.infer<typeof positionSchema>

/**
 * The trades of archives of the exchange, as the frames that its stream would have brought, with times in ms.
 *
 * Keeps a piece of a file. Resumes behind any line. Throws `ConfigurationError` for an archive that is damaged, or is none of trades.
 */
export function archiveTradesFeed(options: ArchiveTradesOptions): FrameFeed {
  return {
    name: `archives of ${options.symbol}`,
    open: async (position) => new ArchiveTradesReader(options, parsePosition(position)),
  }
}

class ArchiveTradesReader implements FrameReader {
  readonly #options: ArchiveTradesOptions
  #position: Position
  #pieces: AsyncGenerator<ArchiveLines, void, undefined> | null = null
  #times: ArchiveTimes | null = null
  #piece: ArchiveLines = { lines: [], firstLine: 1 }
  #at = 0

  constructor(options: ArchiveTradesOptions, position: Position) {
    this.#options = options
    this.#position = position
  }

  async read({ maxFrames, maxBytes, signal }: FrameReadOptions): Promise<FrameBatch | null> {
    const { market, symbol } = this.#options
    const frames: Buffer[] = []
    let bytes = 0
    while (frames.length < maxFrames && bytes < maxBytes && !signal.aborted) {
      if (this.#at >= this.#piece.lines.length && !(await this.#nextPiece())) break
      const text = this.#piece.lines[this.#at]
      const line = this.#piece.firstLine + this.#at++
      // Read before the stop that led here.
      if (text === undefined || line <= this.#position.lines) continue
      this.#position = { ...this.#position, lines: line }
      const trade = this.#tradeOf(text, line)
      if (trade === null) continue
      const frame = tradeFrame(market, symbol, trade)
      frames.push(frame)
      bytes += frame.length
    }
    if (frames.length === 0 && !signal.aborted) return null
    return { frames, position: JSON.stringify(this.#position), quietThrough: null }
  }

  progress(): FrameProgress {
    return { bytesDone: null, bytesTotal: null, waitingFor: null, counts: { lines: this.#position.lines } }
  }

  async close(): Promise<void> {
    await this.#pieces?.return()
  }

  /** False behind the last archive. */
  async #nextPiece(): Promise<boolean> {
    for (;;) {
      const path = this.#options.paths[this.#position.archives]
      if (path === undefined) return false
      this.#pieces ??= archiveLines(path)
      this.#times ??= new ArchiveTimes(path, (unit) => this.#options.onUnit(path, unit))
      const next = await this.#pieces.next()
      if (next.done !== true) {
        this.#piece = next.value
        this.#at = 0
        return true
      }
      this.#pieces = null
      this.#times = null
      this.#position = { archives: this.#position.archives + 1, lines: 0 }
    }
  }

  /** Null for a line of column names. */
  #tradeOf(text: string, line: number): RestTrade | null {
    const path = this.#options.paths[this.#position.archives] ?? ''
    const [id = '', price = '', qty = '', , time = '', maker = '', best] = text.split(',')
    if (line === 1 && id === 'id') return null
    const isSound = /^\d{1,15}$/.test(id) && decimal.test(price) && decimal.test(qty) && flag.test(maker)
    if (!isSound || (best !== undefined && !flag.test(best))) {
      throw new ConfigurationError(
        `Archive ${path}, line ${line} is no trade of the exchange: ${JSON.stringify(text.slice(0, 80))}.`,
      )
    }
    return {
      id: Number(id),
      price,
      qty,
      time: (this.#times as ArchiveTimes).read(time, line),
      isBuyerMaker: isTrue(maker),
      ...(best === undefined ? {} : { isBestMatch: isTrue(best) }),
    }
  }
}

const decimal = /^\d{1,18}(?:\.\d{1,18})?$/
const flag = /^(?:true|false)$/i

function isTrue(text: string): boolean {
  return text.toLowerCase() === 'true'
}

function parsePosition(text: string | null): Position {
  if (text === null) return { archives: 0, lines: 0 }
  const position = readPosition(text, positionSchema)
  if (position !== null) return position
  throw new ConfigurationError(
    `The archives cannot go on at ${text.slice(0, 80)}: that is not a position of them. Use another topic.`,
  )
}

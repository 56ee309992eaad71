import type pg from 'pg'
import type { Caution, Panel } from '../../console/snapshot.ts'
import { countText, decimalText } from '../../console/text.ts'
import type { LivePanel } from '../../host/liveConsole.ts'
import { type CandleLine, readOpenCandles } from '../../queries/openCandles.ts'

/** Said of invented prices, wherever prices are shown. */
export const simulatedCaution: Caution = {
  text: 'SIMULATED PRICES: invented by a random generator, not a market',
  word: 'SIMULATED',
}

const headings = ['symbol', 'minute', 'open', 'high', 'low', 'close', 'volume', 'trades'] as const
/** Symbol, close and trades stay. */
const droppable = ['minute', 'volume', 'open', 'low', 'high'] as const

/** The open, or the newest, candle of each symbol. */
export function candlePanel(candles: readonly CandleLine[]): Panel {
  const brief = candles.slice(0, 3).map(({ symbol, close }) => `${symbol} ${decimalText(close)}`)
  return {
    table: {
      headings,
      rows: candles.map(cells),
      droppable,
      note: candles.some(({ isClosed }) => !isClosed) ? '* this minute is not over' : null,
      rowsAre: 'symbols',
      ifEmpty: 'No candle yet: waiting for the first trades.',
    },
    brief: brief.length === 0 ? null : brief.join(', '),
  }
}

function cells(candle: CandleLine): readonly string[] {
  return [
    candle.symbol,
    `${new Date(candle.openTime).toISOString().slice(11, 16)}${candle.isClosed ? '' : '*'}`,
    decimalText(candle.open),
    decimalText(candle.high),
    decimalText(candle.low),
    decimalText(candle.close),
    decimalText(candle.volume),
    countText(candle.tradeCount),
  ]
}

export interface LiveCandlesOptions {
  readonly pool: pg.Pool
  readonly market: string
  /** Whose first candle is told; null for any. */
  readonly symbol: string | null
  /** Processing time at which the command was started, ms UTC. */
  readonly startedAt: number
  readonly now: () => number
  readonly say: (line: string) => void
  /** What to try once there is a candle. */
  readonly nextCommand: (symbol: string) => string
}

/** Reads the candles that are shown, and says when the first one is there that this run has made or gone on with. */
export class LiveCandles implements LivePanel {
  readonly #options: LiveCandlesOptions
  /** As they were before the run, by symbol. */
  #before: ReadonlyMap<string, string> = new Map()
  #candles: readonly CandleLine[] = []
  #hasCandle = false

  constructor(options: LiveCandlesOptions) {
    this.#options = options
  }

  get isEager(): boolean {
    return !this.#hasCandle
  }

  async begin(): Promise<void> {
    await this.look(false)
    this.#before = new Map(this.#candles.map((candle) => [candle.symbol, JSON.stringify(candle)]))
  }

  /** A database that fails leaves the last candles in place. */
  async look(hasCommitted: boolean): Promise<void> {
    const { pool, market, symbol } = this.#options
    try {
      this.#candles = await readOpenCandles(pool, market)
    } catch {
      // The worker meets the same database and says what is wrong with it.
    }
    if (this.#hasCandle || !hasCommitted) return
    const made = this.#candles.filter((candle) => this.#before.get(candle.symbol) !== JSON.stringify(candle))
    const first = made.find((candle) => candle.symbol === symbol) ?? made[0]
    if (first !== undefined) this.#announce(first)
  }

  show(): Panel {
    return candlePanel(this.#candles)
  }

  #announce({ symbol, openTime, close, tradeCount }: CandleLine): void {
    const { startedAt, now, say, nextCommand } = this.#options
    this.#hasCandle = true
    const seconds = ((now() - startedAt) / 1000).toFixed(1)
    const minute = new Date(openTime).toISOString().slice(0, 16)
    say(`First candle after ${seconds} s: ${symbol} ${minute}Z close ${decimalText(close)}, ${tradeCount} trades.`)
    say(`Try: ${nextCommand(symbol)}`)
  }
}

import type pg from 'pg'
import { lineScreen, type Screen, type Terminal, tableScreen } from '../../console/screen.ts'
import type { CandleLine, ConsoleSnapshot } from '../../console/snapshot.ts'
import { decimalText } from '../../console/text.ts'
import { systemClock } from '../../runtime/clock.ts'
import type { RealtimeRun } from './realtimeRun.ts'
import type { RunPlan } from './runPlan.ts'
import { Snapshotter } from './snapshotter.ts'

export interface RealtimeConsoleOptions {
  readonly plan: RunPlan
  readonly title: string
  readonly terminal: Terminal
  readonly isTable: boolean
  readonly run: RealtimeRun
  readonly pool: pg.Pool
  readonly databaseWait: () => string | null
  /** Told once a second. */
  readonly onSnapshot: (snapshot: ConsoleSnapshot, now: number) => void
  /** Processing time at which the command was started, ms UTC. */
  readonly startedAt: number
  readonly now: () => number
  /** What to try once there is a candle. */
  readonly nextCommand: (symbol: string) => string
}

const refreshMs = 1_000
/** Until the first candle is there. */
const eagerMs = 100
/** Longest wait of one look for the candles. */
const mostReadMs = 500
const linesEveryMs = 5_000

/** Shows a run once a second, and says when its first candle is there. It reads; nothing waits for it. */
export class RealtimeConsole {
  readonly #options: RealtimeConsoleOptions
  readonly #screen: Screen
  readonly #snapshotter: Snapshotter
  #timer: NodeJS.Timeout | null = null
  #hasCandle = false
  #hasEnded = false
  #shownAt = Number.NEGATIVE_INFINITY
  #refreshing: Promise<void> = Promise.resolve()

  constructor(options: RealtimeConsoleOptions) {
    this.#options = options
    this.#screen = options.isTable ? tableScreen(options.terminal) : lineScreen(options.terminal, linesEveryMs)
    this.#snapshotter = new Snapshotter(options.plan, options.title)
  }

  start(): void {
    this.#plan(0)
  }

  say(line: string): void {
    this.#screen.say(line)
  }

  /** Shows the last state and lets go of the terminal. */
  async end(): Promise<void> {
    if (this.#hasEnded) return
    this.#hasEnded = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    await this.#refreshing
    await this.#readCandles()
    this.#screen.show(this.#snapshot(), this.#options.now())
    this.#screen.end()
  }

  #plan(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#refreshing = this.#refresh()
    }, ms)
  }

  async #refresh(): Promise<void> {
    await this.#readCandles()
    if (this.#hasEnded) return
    const now = this.#options.now()
    if (now - this.#shownAt >= refreshMs - 10) {
      this.#shownAt = now
      const snapshot = this.#snapshot()
      this.#screen.show(snapshot, now)
      this.#options.onSnapshot(snapshot, now)
    }
    this.#plan(this.#hasCandle ? refreshMs : eagerMs)
  }

  async #readCandles(): Promise<void> {
    const { plan, run, pool, now } = this.#options
    // A database that hangs must not freeze the screen that says so: the read goes on, and the next look waits for the same one.
    const waited = new AbortController()
    await Promise.race([this.#snapshotter.readCandles(pool, now()), systemClock.sleep(mostReadMs, waited.signal)])
    waited.abort()
    if (this.#hasCandle || run.tasks().every((task) => task.commits === 0)) return
    const { candles } = this.#snapshotter
    const wanted = plan.symbols?.[0]
    const first = candles.find((candle) => candle.symbol === wanted) ?? candles[0]
    if (first !== undefined) this.#announce(first)
  }

  #announce(candle: CandleLine): void {
    const { startedAt, now, nextCommand } = this.#options
    this.#hasCandle = true
    const seconds = ((now() - startedAt) / 1000).toFixed(1)
    const minute = new Date(candle.openTime).toISOString().slice(0, 16)
    this.say(
      `First candle after ${seconds} s: ${candle.symbol} ${minute}Z close ${decimalText(candle.close)}, ${candle.tradeCount} trades.`,
    )
    this.say(`Try: ${nextCommand(candle.symbol)}`)
  }

  #snapshot(): ConsoleSnapshot {
    const { run, databaseWait, now } = this.#options
    return this.#snapshotter.take({
      now: now(),
      tasks: run.tasks(),
      ingest: run.progress,
      databaseWait: databaseWait(),
    })
  }
}

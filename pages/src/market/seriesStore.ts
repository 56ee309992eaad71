import { batch, signal } from '@preact/signals'
import type { ServerMessage, WireCandle, WireGap, WireIndicator, WireValue } from '../../../src/web/protocol.ts'
import { get } from '../shell/api.ts'
import { onSeries } from '../shell/live.ts'

type SeriesMessage = Extract<ServerMessage, { kind: 'series' }>

/** What changed, so that a chart need not draw all of it again. */
export type Change =
  | { readonly kind: 'whole' }
  | { readonly kind: 'older' }
  | { readonly kind: 'some'; readonly candles: readonly WireCandle[]; readonly indicators: readonly WireIndicator[] }

export interface Wanted {
  readonly id: number
  readonly dataSet: string
  readonly market: string
  readonly symbol: string
  readonly interval: string
  readonly indicators: readonly string[]
}

const olderAtOnce = 500
const mostCandles = 20_000

/** The candles that a page shows, in order of time, with their indicators. */
export class SeriesStore {
  readonly wanted: Wanted
  readonly candles: WireCandle[] = []
  readonly values = new Map<string, { readonly names: readonly string[]; readonly values: WireValue[] }>()
  gaps: readonly WireGap[] = []
  /** Null until it was told at all. */
  readonly newest = signal<WireCandle | null>(null)
  readonly isTold = signal(false)
  readonly count = signal(0)
  readonly toldGaps = signal<readonly WireGap[]>([])
  readonly problem = signal<string | null>(null)
  onChange: (change: Change) => void = () => undefined
  #isLoading = false
  #hasAll = false
  readonly #forget: () => void

  constructor(wanted: Wanted) {
    this.wanted = wanted
    this.#forget = onSeries((message) => {
      if (message.id === wanted.id) this.#take(message)
    })
  }

  close(): void {
    this.#forget()
  }

  /** The candle of this open time, as it is now; null where there is none, or no time. */
  at(time: number | null): WireCandle | null {
    // Read so that whoever shows it is told when it moves.
    void this.newest.value
    return time === null ? null : (this.candles.findLast(([one]) => one === time) ?? null)
  }

  /** What came before the oldest candle, once. */
  async loadOlder(): Promise<void> {
    const oldest = this.candles[0]
    if (oldest === undefined || this.#isLoading || this.#hasAll || this.candles.length > mostCandles) return
    this.#isLoading = true
    const { dataSet, market, symbol, interval, indicators } = this.wanted
    try {
      const older = await get('api/candles', {
        dataSet,
        market,
        symbol,
        interval,
        to: oldest[0],
        limit: olderAtOnce,
        indicators: indicators.length === 0 ? undefined : indicators.join(','),
      })
      this.#hasAll = older.candles.length < olderAtOnce
      this.candles.unshift(...older.candles.filter(([time]) => time < oldest[0]))
      for (const { indicator, values } of older.indicators) {
        this.values
          .get(indicator)
          ?.values.unshift(...(values as unknown as WireValue[]).filter(([time]) => time < oldest[0]))
      }
      const known = new Set(this.gaps.map(({ from }) => from))
      this.gaps = [...older.gaps.filter(({ from }) => !known.has(from)), ...this.gaps]
      this.count.value = this.candles.length
      this.onChange({ kind: 'older' })
    } catch (error) {
      this.problem.value = error instanceof Error ? error.message : String(error)
    } finally {
      this.#isLoading = false
    }
  }

  #take(message: SeriesMessage): void {
    if (message.isWhole) {
      this.candles.splice(0, this.candles.length, ...message.candles)
      this.values.clear()
      for (const { indicator, names, values } of message.indicators)
        this.values.set(indicator, { names, values: [...values] })
      this.#hasAll = false
    } else {
      for (const candle of message.candles) put(this.candles, candle)
      for (const { indicator, names, values } of message.indicators) {
        const known = this.values.get(indicator) ?? { names, values: [] }
        this.values.set(indicator, known)
        for (const value of values) put(known.values, value)
      }
    }
    if (message.gaps !== null) this.gaps = message.gaps
    batch(() => {
      this.isTold.value = true
      this.newest.value = this.candles.at(-1) ?? null
      this.count.value = this.candles.length
      this.toldGaps.value = this.gaps
    })
    this.onChange(
      message.isWhole ? { kind: 'whole' } : { kind: 'some', candles: message.candles, indicators: message.indicators },
    )
  }
}

/** In place of the one of the same time, or where it belongs by time. */
function put<T extends readonly [number, ...unknown[]]>(all: T[], one: T): void {
  let at = all.length
  while (at > 0 && (all[at - 1] as T)[0] > one[0]) at -= 1
  if (at > 0 && (all[at - 1] as T)[0] === one[0]) all[at - 1] = one
  else all.splice(at, 0, one)
}

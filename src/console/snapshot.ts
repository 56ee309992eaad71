/** An open, or the newest, candle of one symbol; decimals as exact text. */
export interface CandleLine {
  readonly market: string
  readonly symbol: string
  /** ms UTC. */
  readonly openTime: number
  readonly open: string
  readonly high: string
  readonly low: string
  readonly close: string
  readonly volume: string
  readonly tradeCount: number
  readonly isClosed: boolean
}

export interface Progress {
  readonly done: number
  readonly total: number
  readonly unit: 'bytes' | 'records'
  /** null until it can be estimated. */
  readonly leftMs: number | null
}

/** What the console shows of a running pipeline at one moment. */
export interface ConsoleSnapshot {
  readonly title: string
  /** True for invented prices: said in every frame. */
  readonly isSimulated: boolean
  readonly candles: readonly CandleLine[]
  /** Since the start of this process. */
  readonly records: number
  readonly recordsPerS: number
  /** How far the watermark is behind the time of the newest data or the wall clock; null before the first event time. */
  readonly watermarkLagMs: number | null
  /** null before the first checkpoint. */
  readonly checkpointAgeMs: number | null
  readonly deadLetters: number
  /** Offsets that are in the log and not yet committed; null while unknown. */
  readonly logLag: number | null
  readonly progress: Progress | null
  /** In words, or null while nothing is in the way. */
  readonly waitingFor: string | null
}

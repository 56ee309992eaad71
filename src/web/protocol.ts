import { z } from 'zod'
import { intervals } from '../market/interval.ts'
import type { PipelineView } from './pipelineView.ts'

const name = z.string().min(1).max(200)

/** Such as `sma:20`, `macd:12:26:9` or `vwap:1d`. */
export const indicatorText = z.string().regex(/^(?:sma|ema|rsi|atr|macd|bollinger|vwap)(?::[0-9.dhms]{1,8}){0,3}$/)

/** Which candles. */
export const seriesSchema = z.object({
  dataSet: name,
  market: name,
  symbol: name,
  interval: z.enum(intervals),
})

export type SeriesName = z.infer<typeof seriesSchema>

export const mostIndicators = 12
const mostSeries = 8

const watch = z.object({
  kind: z.literal('watch'),
  /** Everything that the client wants to be told from now on, in place of what it wanted before. */
  pipelines: z.boolean(),
  /** The data set whose symbols are listed; null for none. */
  symbols: name.nullable(),
  /** Of those, the ones whose name contains this. */
  find: z.string().max(60).default(''),
  series: z
    .array(
      seriesSchema.extend({
        /** Chosen by the client: what is told of the series carries it. */
        id: z.number().int().nonnegative(),
        indicators: z.array(indicatorText).max(mostIndicators),
      }),
    )
    .max(mostSeries),
})

/** What a client may say. */
export const clientMessageSchema = watch

export type ClientMessage = z.infer<typeof clientMessageSchema>

/** A candle on its way to a page: open time (ms UTC); open, high, low, close, volume as exact text; trades; 1 where it is closed; revision. */
export type WireCandle = readonly [
  openTime: number,
  open: string,
  high: string,
  low: string,
  close: string,
  volume: string,
  trades: number,
  isClosed: 0 | 1,
  revision: number,
]

/** An indicator at one candle: its time (ms UTC), 1 where nothing that it looks back on has a hole, and its values in the order of their names. */
export type WireValue = readonly [openTime: number, isComplete: 0 | 1, ...values: number[]]

/** Values of one indicator. */
export interface WireIndicator {
  /** Such as `sma:20`. */
  readonly indicator: string
  /** Of the values: `value`, or `upper`, `middle`, `lower`. */
  readonly names: readonly string[]
  readonly values: readonly WireValue[]
}

/** Trades that are missing, from one time to another (ms UTC). */
export interface WireGap {
  readonly from: number
  readonly to: number
  readonly state: string
  readonly missing: number
}

/** A symbol of a list. Decimals are exact text. */
export interface WireSymbol {
  readonly market: string
  readonly symbol: string
  readonly price: string
  /** ms UTC, of its newest candle. */
  readonly openTime: number
  /** Price of `since`; null where there is none. */
  readonly before: string | null
  /** ms UTC. */
  readonly since: number | null
  readonly dayVolume: string | null
  readonly openGaps: number
}

/** A schema with tables of Millrace. */
export interface DataSet {
  /** Of the schema. */
  readonly schema: string
  /** As people call it. */
  readonly name: string
  readonly isSimulated: boolean
  /** What to do where it cannot be shown; null where it can. */
  readonly problem: string | null
  /** Whether there is a candle in it. */
  readonly hasCandles: boolean
}

/** What a server says. */
export type ServerMessage =
  | { readonly kind: 'hello'; readonly version: string; readonly now: number }
  | {
      readonly kind: 'tick'
      /** Of the server, ms UTC. */
      readonly now: number
      /** What the server waits for before it can tell anything new, and since when (ms UTC); null for nothing. */
      readonly waitingFor: { readonly what: string; readonly since: number } | null
      readonly dataSets: readonly DataSet[]
    }
  | { readonly kind: 'pipelines'; readonly now: number; readonly pipelines: readonly PipelineView[] }
  | {
      readonly kind: 'symbols'
      readonly dataSet: string
      /** What was searched for; nothing lists all. */
      readonly find: string
      /** By name, 500 at most. */
      readonly symbols: readonly WireSymbol[]
      /** How many there are. */
      readonly total: number
    }
  | {
      readonly kind: 'series'
      readonly id: number
      /** True where it is all that is shown; false where it is what has changed since. */
      readonly isWhole: boolean
      readonly candles: readonly WireCandle[]
      readonly indicators: readonly WireIndicator[]
      /** Null where they are as before. */
      readonly gaps: readonly WireGap[] | null
      /** When the newest of it was committed to the database, as far as is known, ms UTC. */
      readonly readAt: number
    }
  | { readonly kind: 'refused'; readonly why: string }

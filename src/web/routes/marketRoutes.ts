import { z } from 'zod'
import { intervalMs, intervals } from '../../market/interval.ts'
import { readNewestCandles, type StoredCandle } from '../../queries/candles.ts'
import { readWatchedSymbols } from '../../queries/dayChanges.ts'
import { gapsOf } from '../../queries/feedGaps.ts'
import { IndicatorOver } from '../indicatorOf.ts'
import { indicatorText, mostIndicators, seriesSchema } from '../protocol.ts'
import { route } from '../route.ts'
import { shownCandles, warmUpCandles, wireCandle, wireGap } from '../seriesWatch.ts'
import { wireSymbol } from '../symbolWatch.ts'
import { candlesIn, ofSchema, poolOf, timeMs, wholeNumber } from './asked.ts'

const wireCandleSchema = z.tuple([
  z.number(),
  z.string(),
  z.string(),
  z.string(),
  z.string(),
  z.string(),
  z.number(),
  z.union([z.literal(0), z.literal(1)]),
  z.number(),
])
const wireIndicatorSchema = z.object({
  indicator: z.string(),
  names: z.array(z.string()).readonly(),
  values: z.array(z.array(z.number()).readonly()).readonly(),
})
const wireGapSchema = z.object({ from: z.number(), to: z.number(), state: z.string(), missing: z.number() })
export const symbols = route({
  method: 'GET',
  path: 'api/symbols',
  summary:
    'The symbols of a data set, by name and 500 at most, each with its newest price and what it was a day before: those whose name contains `find`, of `total`.',
  query: ofSchema.extend({ find: z.string().max(60).optional() }),
  body: null,
  answer: z.object({
    symbols: z.array(z.looseObject({ market: z.string(), symbol: z.string(), price: z.string() })).readonly(),
    total: z.number(),
  }),
  handle: async (context, { query }) => {
    const pool = poolOf(context, query.schema)
    if (!candlesIn(context, query.schema)) return { symbols: [], total: 0 }
    const { symbols, total } = await readWatchedSymbols(pool, query.find?.trim() ?? '')
    return { symbols: symbols.map((one) => ({ ...wireSymbol(one) })), total }
  },
})

export const candles = route({
  method: 'GET',
  path: 'api/candles',
  summary:
    'Candles of one symbol, the newest of the range, in order of time, with indicators and gaps. Decimals are exact text; as CSV where asked.',
  query: seriesSchema.extend({
    interval: z.enum(intervals),
    from: timeMs.optional(),
    to: timeMs.optional(),
    limit: wholeNumber(5_000).optional(),
    indicators: z
      .string()
      .transform((text) => text.split(','))
      .pipe(z.array(indicatorText).max(mostIndicators))
      .optional(),
    format: z.enum(['json', 'csv']).optional(),
  }),
  body: null,
  answer: z.object({
    candles: z.array(wireCandleSchema).readonly(),
    indicators: z.array(wireIndicatorSchema).readonly(),
    gaps: z.array(wireGapSchema).readonly(),
  }),
  alsoText: 'text/csv',
  handle: async (context, { query }) => {
    const pool = poolOf(context, query.dataSet)
    if (!candlesIn(context, query.dataSet)) return { candles: [], indicators: [], gaps: [] }
    const limit = query.limit ?? shownCandles
    const wanted = query.indicators ?? []
    const range = { ...query, from: query.from ?? null, to: query.to ?? null }
    const before = wanted.length === 0 ? 0 : warmUpCandles
    const read = await readNewestCandles(pool, { ...range, from: before === 0 ? range.from : null }, limit + before)
    const shown = read.filter(({ openTime }) => range.from === null || openTime >= range.from).slice(-limit)
    if (query.format === 'csv') {
      return {
        type: 'text/csv',
        fileName: `${query.symbol.replaceAll(/[^\p{L}\p{N}_-]/gu, '_')}-${query.interval}.csv`,
        text: csvOf(shown),
      }
    }
    const first = shown[0]?.openTime ?? 0
    const gaps = read[0] === undefined ? [] : await gapsOf(pool, query, read[0].openTime)
    const withHoles = read.map((candle) => ({
      candle,
      isComplete: !gaps.some(
        ({ fromTime, toTime }) => fromTime < candle.openTime + intervalMs[query.interval] && toTime >= candle.openTime,
      ),
    }))
    const indicators = wanted.map((text) => {
      const all = new IndicatorOver(text, query.interval).whole(withHoles)
      return { ...all, values: all.values.filter(([openTime]) => openTime >= first).map((value) => [...value]) }
    })
    return {
      candles: shown.map((one) => [...wireCandle(one)] as z.infer<typeof wireCandleSchema>),
      indicators,
      gaps: gaps.map(wireGap),
    }
  },
})

const csvHead =
  'open_time,open,high,low,close,volume,quote_volume,trade_count,taker_buy_volume,vwap,is_closed,revision\n'

function csvOf(candles: readonly StoredCandle[]): string {
  const lines = candles.map((one) =>
    [
      new Date(one.openTime).toISOString(),
      one.open,
      one.high,
      one.low,
      one.close,
      one.volume,
      one.quoteVolume,
      one.tradeCount,
      one.takerBuyVolume,
      one.vwap,
      one.isClosed,
      one.revision,
    ].join(','),
  )
  return `${csvHead}${lines.map((line) => `${line}\n`).join('')}`
}

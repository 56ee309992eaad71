import { EMPTY, type Observable, share } from 'rxjs'
import type { Candle } from '../market/candle.ts'
import type { Interval } from '../market/interval.ts'
import type { MarketEvent } from '../market/trade.ts'
import { eventTime } from '../operators/eventTime.ts'
import type { Codec } from '../runtime/log/codec.ts'
import { checkArgument, needed } from '../runtime/options.ts'
import { definePipeline } from '../runtime/pipeline/pipeline.ts'
import { toPostgres } from '../sinks/toPostgres.ts'
import { gapsOf, holesOf, longerCandles, marketEvents, minuteCandles } from './candleChain.ts'
import { candleTable } from './candleTable.ts'

/** Nobody waits for a pass, so trades that were too late for the live candles still find theirs. */
const allowedLatenessMs = 3_600_000
const idTtlMs = 2 * allowedLatenessMs

/** Bronze: the minutes of the trades in the archive, by the operators of `realtime`; trades that are late by up to an hour correct them. */
export const medallion = (trades: Codec<MarketEvent>) => {
  checkArgument('medallion', 'its argument', trades, needed.codec)
  return definePipeline({
    name: 'medallion',
    build(records) {
      const events = marketEvents(records, trades)
      const minutes = minuteCandles(events, holesOf(gapsOf(events)), { allowedLatenessMs, idTtlMs })
      return { '1m': toPostgres(minutes, { ...candleTable('1m'), name: 'archived_klines_1m' }) }
    },
  })
}

/** The intervals of gold, shortest first. */
export const goldIntervals = ['5m', '15m', '1h', '4h', '1d'] as const satisfies readonly Interval[]

/** Gold: the longer candles of the minutes of a symbol in which something was traded, by the operators of `realtime`; silver gives them closed, and by their time. */
export function goldCandles(
  silver: Observable<Candle>,
): Readonly<Record<(typeof goldIntervals)[number], Observable<Candle>>> {
  const minutes = silver.pipe(eventTime({ of: ({ openTime }) => openTime, maxOutOfOrdernessMs: 0 }), share())
  const longer = (interval: Interval, shorter: Observable<Candle>) =>
    longerCandles(interval, shorter, EMPTY, { allowedLatenessMs: 0 })
  const fiveMinutes = longer('5m', minutes)
  const quarters = longer('15m', fiveMinutes)
  const hours = longer('1h', quarters)
  const fourHours = longer('4h', hours)
  return { '5m': fiveMinutes, '15m': quarters, '1h': hours, '4h': fourHours, '1d': longer('1d', fourHours) }
}

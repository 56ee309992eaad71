import { filter, map, merge, type Observable, share } from 'rxjs'
import type { Candle } from '../market/candle.ts'
import type { FeedGap } from '../market/feedGap.ts'
import { type Interval, intervalMs } from '../market/interval.ts'
import { eventTimeOf, idKeyOf, isGap, isOfThePast, isTrade, type MarketEvent } from '../market/trade.ts'
import { decode } from '../operators/decode.ts'
import { dedupe } from '../operators/dedupe.ts'
import { eventTime } from '../operators/eventTime.ts'
import { Hole } from '../operators/holes.ts'
import { ohlcv } from '../operators/ohlcv.ts'
import { rollup } from '../operators/rollup.ts'
import { tumblingWindow } from '../operators/tumblingWindow.ts'
import type { Codec } from '../runtime/codec.ts'
import type { Duration } from '../runtime/duration.ts'
import { checkArgument, checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import { definePipeline } from '../runtime/pipeline.ts'
import { toArchive } from '../sinks/toArchive.ts'
import { toPostgres } from '../sinks/toPostgres.ts'
import { candleTable } from './candleTable.ts'
import { feedGapTable } from './feedGapTable.ts'

/** A trade may arrive this much after a newer one and still find its minute open. */
const maxOutOfOrdernessMs = 2_000
/** A candle that has closed is corrected, with a higher revision, by trades that are late by up to this; later ones become dead letters. */
export const allowedLatenessMs = 30_000

/** How `realtime` shows candles that are still open. */
export interface RealtimeOptions {
  /**
   * Least time (ms, or text such as `'1s'`) between two rows of an open 1m candle; 250 unless told otherwise. Rows are written at checkpoints, so a checkpoint interval that is
   * longer decides.
   */
  readonly provisionalEveryMs?: Duration
}

const rules: OptionRules<RealtimeOptions> = { provisionalEveryMs: optional.duration }

/**
 * Trades in, exact candles out: 1m from the trades, every longer interval from the candles of the one before. A gap that the feed tells of is a row, and what is fetched for it
 * later corrects the candles, however late.
 * @param trades what makes trades and heartbeats of the log's bytes
 * @throws ConfigurationError on what is no codec, and on options out of range
 */
export const realtime = (trades: Codec<MarketEvent>, options: RealtimeOptions = {}) => {
  checkArgument('realtime', 'its first argument', trades, needed.codec)
  checkOptions('realtime', options, rules)
  const { provisionalEveryMs = 250 } = options
  return definePipeline({
    name: 'realtime',
    build(records) {
      const events = records.pipe(
        decode(trades),
        eventTime({ of: eventTimeOf, isOfThePast, maxOutOfOrdernessMs, maxAdvanceMs: 10_000 }),
        share(),
      )
      const gaps = events.pipe(filter(isGap), share())
      const holes = gaps.pipe(map(holeOf), share())
      const clean = events.pipe(
        filter(isTrade),
        dedupe({ by: idKeyOf, id: (trade) => trade.tradeId, ids: 'ranges', ttlMs: 600_000 }),
      )
      const oneMinute = merge(holes, clean).pipe(
        tumblingWindow({
          name: '1m',
          sizeMs: intervalMs['1m'],
          by: (trade) => trade.symbol,
          allowedLatenessMs,
          takesHoles: true,
        }),
        ohlcv({ name: 'ohlcv-1m', provisionalEveryMs }),
        share(),
      )
      const fiveMinutes = longer('5m', oneMinute, holes)
      const quarters = longer('15m', fiveMinutes, holes)
      const hours = longer('1h', quarters, holes)
      const fourHours = longer('4h', hours, holes)
      const days = longer('1d', fourHours, holes)
      return {
        raw: toArchive(records),
        '1m': toPostgres(oneMinute, candleTable('1m')),
        '5m': toPostgres(fiveMinutes, candleTable('5m')),
        '15m': toPostgres(quarters, candleTable('15m')),
        '1h': toPostgres(hours, candleTable('1h')),
        '4h': toPostgres(fourHours, candleTable('4h')),
        '1d': toPostgres(days, candleTable('1d')),
        gaps: toPostgres(gaps, feedGapTable),
      }
    },
  })
}

/** Candles over a gap take what is fetched for it, however late. */
function holeOf({ symbol, epoch, firstId, fromTime, toTime, state }: FeedGap): Hole {
  return new Hole({ key: symbol, id: `${epoch}/${firstId}`, from: fromTime, to: toTime, isOver: state !== 'open' })
}

function longer(interval: Interval, shorter: Observable<Candle>, holes: Observable<Hole>): Observable<Candle> {
  return merge(holes, shorter).pipe(
    tumblingWindow({
      name: interval,
      sizeMs: intervalMs[interval],
      by: (candle) => candle.symbol,
      allowedLatenessMs,
      takesHoles: true,
      isProvisional: (candle) => !candle.isClosed,
    }),
    rollup({ name: `rollup-${interval}`, provisionalEveryMs: 1_000 }),
    share(),
  )
}

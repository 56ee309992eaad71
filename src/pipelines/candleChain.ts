import { map, merge, type Observable, share } from 'rxjs'
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
import type { Duration } from '../runtime/duration.ts'
import { field } from '../runtime/field.ts'
import type { Codec } from '../runtime/log/codec.ts'
import type { RecordView } from '../runtime/log/record.ts'
import { only } from '../runtime/spans/only.ts'
import { shared } from '../runtime/spans/shared.ts'
import { together } from '../runtime/spans/together.ts'

/** A trade may arrive this much after a newer one and still find its minute open. */
const maxOutOfOrdernessMs = 2_000
/** What decides about late trades, and about what is shown of open candles. */
export interface ChainOptions {
  /** A candle that has closed is corrected, with a higher revision, by trades that are late by up to this; later ones become dead letters. ms. */
  readonly allowedLatenessMs: number
  /** For so long (ms) a trade that comes again is known. No less than the time in which its minute takes it, or it would count twice. */
  readonly idTtlMs: number
  /** Least time between two rows of an open candle; none are made where it is left out. */
  readonly provisionalEveryMs?: Duration | undefined
}

/** The events of a market in the order of the log, which move time. */
export function marketEvents(records: Observable<RecordView>, trades: Codec<MarketEvent>): Observable<MarketEvent> {
  return records.pipe(
    decode(trades),
    eventTime({ of: eventTimeOf, isOfThePast, maxOutOfOrdernessMs, maxAdvanceMs: 10_000 }),
    shared,
  )
}

/** What the feed tells of what is missing. */
export function gapsOf(events: Observable<MarketEvent>): Observable<FeedGap> {
  return events.pipe(only(isGap), share())
}

/** Candles over a gap take what is fetched for it, however late. */
export function holesOf(gaps: Observable<FeedGap>): Observable<Hole> {
  return gaps.pipe(map(holeOf), share())
}

/** Candles of a minute, of each trade once. */
export function minuteCandles(
  events: Observable<MarketEvent>,
  holes: Observable<Hole>,
  { allowedLatenessMs, idTtlMs, provisionalEveryMs }: ChainOptions,
): Observable<Candle> {
  return together(holes, events.pipe(only(isTrade))).pipe(
    dedupe({ by: idKeyOf, id: field('tradeId'), ids: 'ranges', ttlMs: idTtlMs, takesHoles: true }),
    tumblingWindow({
      name: '1m',
      sizeMs: intervalMs['1m'],
      by: field('symbol'),
      allowedLatenessMs,
      takesHoles: true,
    }),
    ohlcv({ name: 'ohlcv-1m', ...(provisionalEveryMs === undefined ? {} : { provisionalEveryMs }) }),
    share(),
  )
}

/** Candles of a longer interval, of the candles of a shorter one. */
export function longerCandles(
  interval: Interval,
  shorter: Observable<Candle>,
  holes: Observable<Hole>,
  { allowedLatenessMs, provisionalEveryMs }: Omit<ChainOptions, 'idTtlMs'>,
): Observable<Candle> {
  return merge(holes, shorter).pipe(
    tumblingWindow({
      name: interval,
      sizeMs: intervalMs[interval],
      by: (candle) => candle.symbol,
      allowedLatenessMs,
      takesHoles: true,
      isProvisional: (candle) => !candle.isClosed,
    }),
    rollup({ name: `rollup-${interval}`, ...(provisionalEveryMs === undefined ? {} : { provisionalEveryMs }) }),
    share(),
  )
}

function holeOf({ symbol, epoch, firstId, fromTime, toTime, state }: FeedGap): Hole {
  return new Hole({ key: symbol, id: `${epoch}/${firstId}`, from: fromTime, to: toTime, isOver: state !== 'open' })
}

import { merge, type Observable, share } from 'rxjs'
import type { Candle } from '../market/candle.ts'
import type { FeedGap } from '../market/feedGap.ts'
import type { MarketEvent } from '../market/trade.ts'
import type { AlertRule } from '../operators/alerts/alertRule.ts'
import { alerts } from '../operators/alerts/alerts.ts'
import type { Duration } from '../runtime/duration.ts'
import type { Codec } from '../runtime/log/codec.ts'
import { checkArgument, checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import { definePipeline } from '../runtime/pipeline/pipeline.ts'
import { alertTable } from '../sinks/alertTable.ts'
import { type AlertChannel, toAlerts } from '../sinks/toAlerts.ts'
import { toArchive } from '../sinks/toArchive.ts'
import { toPostgres } from '../sinks/toPostgres.ts'
import { gapsOf, holesOf, longerCandles, marketEvents, minuteCandles } from './candleChain.ts'
import { candleTable } from './candleTable.ts'
import { feedGapTable } from './feedGapTable.ts'
import { indicatorRows } from './indicatorChain.ts'
import { indicatorTable } from './indicatorTable.ts'

/** A candle that has closed is corrected, with a higher revision, by trades that are late by up to this; later ones become dead letters. */
export const allowedLatenessMs = 30_000
const idTtlMs = 600_000

/** How `realtime` shows candles that are still open. */
export interface RealtimeOptions {
  /**
   * Least time (ms, or text such as `'1s'`) between two rows of an open 1m candle; 250 unless told otherwise. Rows are written at checkpoints, so a checkpoint interval that is
   * longer decides.
   */
  readonly provisionalEveryMs?: Duration
  /** Alerts over the closed candles and the gaps; none if left out. */
  readonly alerts?: RealtimeAlerts
  /** Indicators over the closed candles of all intervals, such as `'rsi:14'`: rows of the table `indicator`; none if left out. One that is taken out again has state that has to be dropped. */
  readonly indicators?: readonly string[]
}

/** Which alerts there are, and who is told. */
export interface RealtimeAlerts {
  /** What is over measures is for `millrace monitor`, and left out here. */
  readonly rules: readonly AlertRule[]
  /** By name, which is part of the outlet's: the rows of all alerts are in `alert_event`. */
  readonly channels: Readonly<Record<string, AlertChannel>>
}

const alertRules: OptionRules<RealtimeAlerts> = { rules: needed.list, channels: needed.record }
const rules: OptionRules<RealtimeOptions> = {
  provisionalEveryMs: optional.duration,
  alerts: optional.object(alertRules),
  indicators: optional.list,
}

/**
 * Trades in, exact candles out: 1m from the trades, every longer interval from the candles of the one before. A gap that the feed tells of is a row, and what is fetched for it
 * later corrects the candles, however late.
 * @param trades what makes trades and heartbeats of the log's bytes
 * @throws ConfigurationError on what is no codec, and on options out of range
 */
export const realtime = (trades: Codec<MarketEvent>, options: RealtimeOptions = {}) => {
  checkArgument('realtime', 'its first argument', trades, needed.codec)
  checkOptions('realtime', options, rules)
  const { provisionalEveryMs = 250, alerts: alerting = null, indicators = [] } = options
  return definePipeline({
    name: 'realtime',
    // Whoever takes the rules away has nothing more to decide.
    retired: alerting === null ? ['alerts'] : [],
    build(records) {
      const events = marketEvents(records, trades)
      const gaps = gapsOf(events)
      const holes = holesOf(gaps)
      const oneMinute = minuteCandles(events, holes, { allowedLatenessMs, idTtlMs, provisionalEveryMs })
      const longer = { allowedLatenessMs, provisionalEveryMs: 1_000 }
      const fiveMinutes = longerCandles('5m', oneMinute, holes, longer)
      const quarters = longerCandles('15m', fiveMinutes, holes, longer)
      const hours = longerCandles('1h', quarters, holes, longer)
      const fourHours = longerCandles('4h', hours, holes, longer)
      const days = longerCandles('1d', fourHours, holes, longer)
      const all = [oneMinute, fiveMinutes, quarters, hours, fourHours, days]
      return {
        raw: toArchive(records),
        '1m': toPostgres(oneMinute, candleTable('1m')),
        '5m': toPostgres(fiveMinutes, candleTable('5m')),
        '15m': toPostgres(quarters, candleTable('15m')),
        '1h': toPostgres(hours, candleTable('1h')),
        '4h': toPostgres(fourHours, candleTable('4h')),
        '1d': toPostgres(days, candleTable('1d')),
        gaps: toPostgres(gaps, feedGapTable),
        ...(indicators.length === 0 ? {} : { indicators: toPostgres(indicatorRows(indicators, all), indicatorTable) }),
        ...(alerting === null ? {} : alertOutlets(alerting, merge(gaps, ...all))),
      }
    },
  })
}

function alertOutlets({ rules, channels }: RealtimeAlerts, inputs: Observable<Candle | FeedGap>) {
  const events = inputs.pipe(alerts({ rules }), share())
  return {
    alerts: toPostgres(events, alertTable),
    ...Object.fromEntries(
      Object.entries(channels).map(([name, channel]) => [`alerts-${name}`, toAlerts(events, channel)] as const),
    ),
  }
}

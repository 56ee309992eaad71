import { intervals } from '../market/interval.ts'

/** Rows of one kind: which of them are too old, and what may not go yet. */
export interface KeepKind {
  readonly table: string
  /** By which time of a row its age goes, in SQL over `r`. */
  readonly time: string
  /** `clock`: age is counted from now. `event`: from how far the task that wrote the row is in event time, so that rows of a tape age with the tape. */
  readonly age: 'clock' | 'event'
  /** What has to hold besides, in SQL over `r`: a row for which it does not is still needed. */
  readonly mayGo: string
}

/** What is fetched for a gap corrects its candles however late. */
const noOpenGap = `NOT EXISTS (SELECT FROM feed_gap AS g WHERE g.state = 'open' AND g.market = r.market AND g.symbol = r.symbol
  AND g.from_time < r.open_time + interval '1 day' AND g.to_time >= r.open_time)`

const candles: readonly (readonly [string, readonly KeepKind[]])[] = intervals.map((interval) => [
  `candles-${interval}`,
  [
    {
      table: `fact_realtime_trades_${interval}`,
      time: 'r.open_time',
      age: 'event',
      mayGo: `r.is_closed AND ${noOpenGap}`,
    },
  ],
])

/** What can be told how long it is kept, by the name that the setting has for it. What is in none of them is kept for good. */
export const keepKinds: ReadonlyMap<string, readonly KeepKind[]> = new Map<string, readonly KeepKind[]>([
  ...candles,
  ['indicators', [{ table: 'indicator', time: 'r.open_time', age: 'event', mayGo: noOpenGap }]],
  ['alerts', [{ table: 'alert_event', time: 'r.at', age: 'event', mayGo: 'true' }]],
  ['gaps', [{ table: 'feed_gap', time: 'coalesce(r.filled_at, r.seen_at)', age: 'clock', mayGo: "r.state <> 'open'" }]],
  ['dead-letters', [{ table: 'dead_letter', time: 'r.created_at', age: 'clock', mayGo: 'true' }]],
  [
    'runs',
    [
      {
        table: 'batch_run',
        time: 'r.ended_at',
        age: 'clock',
        // A failure that nothing came after waits for a person.
        mayGo: `(r.state = 'done' OR r.state IN ('failed', 'lost') AND EXISTS (SELECT FROM batch_run AS b WHERE b.pipeline = r.pipeline
          AND b.interval_from = r.interval_from AND b.interval_to = r.interval_to AND b.attempt > r.attempt AND b.state = 'done'))`,
      },
    ],
  ],
  [
    'quality',
    [
      { table: 'quality_result', time: 'r.checked_at', age: 'clock', mayGo: 'true' },
      { table: 'quality_window', time: 'r.checked_at', age: 'clock', mayGo: 'true' },
    ],
  ],
  ['quarantine', [{ table: 'quarantine', time: 'r.released_at', age: 'clock', mayGo: 'true' }]],
  ['differences', [{ table: 'candle_difference', time: 'r.ended_at', age: 'clock', mayGo: "r.state = 'equal'" }]],
  ['reports', [{ table: 'run_report', time: 'coalesce(r.ended_at, r.reported_at)', age: 'clock', mayGo: 'true' }]],
])

/** How long rows are kept, ms, by kind. */
export type Keep = ReadonlyMap<string, number>

/** Corrections come within less, so nothing is deleted that one may still change. */
export const leastKeepMs = 86_400_000

/** The names of all candle intervals, shortest first. */
export const intervals = ['1m', '5m', '15m', '1h', '4h', '1d'] as const

/** The candle intervals that the realtime pipeline makes, in the exchange's spelling. */
export type Interval = (typeof intervals)[number]

/** The length of each interval in ms. */
export const intervalMs: Readonly<Record<Interval, number>> = {
  '1m': 60_000,
  '5m': 300_000,
  '15m': 900_000,
  '1h': 3_600_000,
  '4h': 14_400_000,
  '1d': 86_400_000,
}

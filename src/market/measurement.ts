/** What is measured of running pipelines. */
export const measures = ['lag', 'watermark', 'checkpoint', 'deadLetters', 'gaps', 'outbox'] as const

/** One of `measures`. */
export type Measure = (typeof measures)[number]

/** Something about a running pipeline, as it was measured at one moment. */
export interface Measurement {
  readonly type: 'measurement'
  /** What was measured. */
  readonly measure: Measure
  /** Of what, such as `realtime/crypto.trades.raw`. */
  readonly subject: string
  /** A whole number: records, seconds or a count, as the measure says. */
  readonly value: number
  /** When it was measured, ms UTC. */
  readonly at: number
}

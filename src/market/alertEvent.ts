/**
 * What an alert has come to. `firing`: its condition has held for long enough. `resolved`: no longer, for long enough. `noData`: nothing has come to judge by, and `dataBack`: again
 * something has. `flapping`: it fires so often that nothing more is told until it is calm. `corrected`: a candle was corrected, and what was told at it would not have been.
 */
export type AlertTransition = 'firing' | 'resolved' | 'noData' | 'dataBack' | 'flapping' | 'corrected'

/** Who is to care: `page` wakes somebody, `ticket` is for working hours, `info` for the record. */
export type AlertSeverity = 'page' | 'ticket' | 'info'

/** A decision of an alert rule. Decided from the data alone, so a replay decides the same, under the same identity. */
export interface AlertEvent {
  /** Of the rule. */
  readonly rule: string
  /** What the rule looks at: `price`, `change`, `volume`, an indicator with its numbers such as `rsi:14`, `gap` or a measure. */
  readonly kind: string
  /** Who is to care. */
  readonly severity: AlertSeverity
  /** Where the symbol is traded; empty where it is no symbol. */
  readonly market: string
  /** The symbol, or what was measured, such as `realtime/crypto.trades.raw`. */
  readonly symbol: string
  /** Of the candle; empty where it was none. */
  readonly interval: string
  /** Which candle (its open time) or which moment it was decided by. ms UTC. */
  readonly openTime: number
  /** What it has come to. */
  readonly transition: AlertTransition
  /** What was told before at the same candle, and is `corrected`; null elsewhere. */
  readonly corrects: AlertTransition | null
  /** 1 at first, one more each time that a correction changes what is told at this candle. */
  readonly revision: number
  /** When it is true from, ms UTC of event time: the end of the candle, or the moment. */
  readonly at: number
  /** What was looked at, as decimal text; empty where there is nothing. */
  readonly value: string
  /** What it was held against, as decimal text; empty where there is nothing. */
  readonly threshold: string
  /** How many times it came to `firing` without being told, before this: more than 0 after flapping. */
  readonly muted: number
  /** False where the value rests on a candle that is known to lack trades. */
  readonly isComplete: boolean
  /** In words, for people. */
  readonly text: string
}

/** Which decision it is: the same in every run over the same data, and what a receiver tells repeats by. */
export function alertIdentity(event: AlertEvent): string {
  const { rule, market, symbol, interval, openTime, transition, revision } = event
  return [rule, market, symbol, interval, openTime, transition, revision].join('/')
}

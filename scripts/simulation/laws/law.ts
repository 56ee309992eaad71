import type { OperatorFunction } from 'rxjs'
import type { Json } from '../../../src/runtime/json.ts'
import { stateful } from '../../../src/runtime/operator/stateful.ts'
import type { Random } from '../../../src/testing/random.ts'

/** A value of a stream, or of the left or right one, at an event time. */
export interface LawValue {
  readonly side: 'left' | 'right'
  readonly key: string
  readonly at: number
  readonly n: number
}

/** A value, or that the watermark is `watermark` from here on. */
export type LawEvent = LawValue | { readonly watermark: number }

/** A result. */
export type Row = readonly Json[]

/** What a definition says about some events. */
export interface Told {
  /** In no order. */
  readonly rows: readonly Row[]
  /** The reasons for which values were set aside, and which. */
  readonly late: readonly string[]
  /** How many keys an operator may keep afterwards. */
  readonly kept: number
}

/** An operator with options that chance has drawn, and what it means, by definition. */
export interface LawCase {
  /** The options, for a human. */
  readonly text: string
  readonly chain: OperatorFunction<LawEvent, Row>
  /**
   * Shares no code with the operator.
   * @param isEnded true where nothing will come any more
   */
  define(events: readonly LawEvent[], isEnded: boolean): Told
  /** True where in what order values come between two moves of time changes nothing. */
  readonly isOrderFree: boolean
  /** Where order changes results: what a table comes to by all of them, which it does not change. */
  readonly settled?: (rows: readonly Row[]) => readonly Row[]
  /** True where each result lies behind the time that was known before it, by its own time. */
  readonly isInTime: boolean
}

/** An operator and what it means. */
export interface Law {
  readonly operator: string
  draw(random: Random): LawCase
}

/** Moves time as the events say. */
export const timeByHand = stateful<LawEvent, LawValue>({ name: 'time', ownsTime: true }, (_restored, out) => ({
  onValue(event) {
    if ('watermark' in event) out.advance(event.watermark)
    else out.pass(event.at, event, Number.NEGATIVE_INFINITY)
  },
  onComplete: () => out.close(),
}))

/** Puts the event time of a row behind it, and the watermark that holds for it. */
export const withTimes = stateful<Row, Row>({ name: 'times' }, (_restored, out) => ({
  onValue: (row) => out.emit([...row, out.valueTime(), Number.isFinite(out.watermark) ? out.watermark : null]),
}))

/** The values of the events with the watermark that each finds, and after each event the watermark. */
export function* steps(events: readonly LawEvent[], isEnded: boolean): Generator<Step> {
  let before = Number.NEGATIVE_INFINITY
  for (const event of events) {
    if ('watermark' in event) {
      if (event.watermark <= before) continue
      yield { value: null, before, watermark: event.watermark }
      before = event.watermark
    } else yield { value: event, before, watermark: before }
  }
  if (isEnded) yield { value: null, before, watermark: Number.MAX_SAFE_INTEGER }
}

/** A value that comes, or null where the watermark moves. */
export interface Step {
  readonly value: LawValue | null
  readonly before: number
  readonly watermark: number
}

/** What has come above the watermark that it found, what has not, and the watermark at the end. */
export function inTime(events: readonly LawEvent[], isEnded: boolean) {
  const taken: LawValue[] = []
  const late: string[] = []
  let now = Number.NEGATIVE_INFINITY
  for (const { value, watermark } of steps(events, isEnded)) {
    now = watermark
    if (value === null) continue
    if (value.at <= watermark) late.push(lateText('late', value))
    else taken.push(value)
  }
  return { taken, late, now }
}

export function lateText(reason: string, { side, key, at, n }: LawValue): string {
  return `${reason} ${side} ${key}@${at} ${n}`
}

export const byKey = ({ key }: LawValue): string => key

/** A plain stream says what it sets aside only to those who ask; the rows show that it did. */
export const onReject = (): void => undefined

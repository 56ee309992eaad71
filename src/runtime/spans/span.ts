import { mostAhead } from '../log/readAhead.ts'
import type { Logic, Output } from '../operator/operator.ts'
import type { Lent } from './lent.ts'

const noTimes = new Float64Array(0)

/** When the values of a span happened, for all who stand below the `eventTime` that knows. */
export class SpanTime {
  /** By record: ms UTC. */
  of: Float64Array = noTimes
  /** How far the values move the watermark at most, ms UTC. */
  watermark = Number.NEGATIVE_INFINITY
}

/** A value that is lent of one record after the other. */
export type Lending<T> = T & Lent<unknown>

/**
 * Those of the records read ahead whose values come to one operator, in their order. Who makes one uses it again for the next.
 */
export class Span<T> {
  /** The numbers of the records, ascending. */
  records = new Int32Array(mostAhead)
  /** How many there are. */
  count = 0
  /** Lends the values: `value[place]` says of which record. */
  value!: Lending<T>
  /** Null above the `eventTime`. */
  time: SpanTime | null = null
  /** Which look it is of: no two have the same. */
  look = 0

  /** Begins with none of the records that come into an operator: those that come out of it are added. */
  begin({ time, look }: Span<unknown>): void {
    this.count = 0
    this.time = time
    this.look = look
  }

  /** The same, for an operator that passes on all that comes, as far as it is quiet. */
  beginWith(span: Span<T>): void {
    this.begin(span)
    this.records = span.records
    this.value = span.value
  }

  /** How many of the records are before the one of that number. */
  countBefore(to: number): number {
    let count = this.count
    while (count > 0 && (this.records[count - 1] as number) >= to) count -= 1
    return count
  }

  /** The record behind so many, or `to` where none is before it. */
  recordBehind(count: number, to: number): number {
    return count < this.count ? Math.min(to, this.records[count] as number) : to
  }
}

/**
 * Takes many values at once where nothing can be seen of that: where each of them would do nothing but change what operators keep. First all are asked (`look`), and as far as all agree the values are taken; the value behind them
 * goes through the graph by itself.
 */
export interface SpanReader<T> {
  /**
   * Gives the first record, up to `to`, at whose value something would happen here or below: a result, a letter, a timer, something new to be kept. Changes nothing, and may be asked
   * again about the same values.
   */
  look(span: Span<T>, to: number): number
  /** Takes the values of the records before `to`, about which nobody had anything to say when they were looked at. */
  take(span: Span<T>, to: number): void
}

/** The logic of an operator that takes values many at once as well. What it keeps is then as if they had come one by one. */
export interface SpanLogic<I> extends Logic<I>, SpanReader<I> {}

/** The output of such an operator. */
export interface SpanOutput<O> extends Output<O> {
  /** What `look` of those below says of what the logic would pass on. */
  lookOn(span: Span<O>, to: number): number
  /** Passes on what was looked at. */
  takeOn(span: Span<O>, to: number): void
  /** The earliest watermark at which something is due in the graph, ms UTC; infinite for never. */
  readonly quietUntil: number
  /** The value of the record is one that the logic fails on, which is told when all are taken. */
  failedAt(record: number, error: unknown): void
}

/** What a reader says that takes values by themselves alone. */
export function lookBelow<T>(reader: SpanReader<T> | null, span: Span<T>, to: number): number {
  return reader === null ? span.recordBehind(0, to) : reader.look(span, to)
}

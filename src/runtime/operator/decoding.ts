import type { OperatorFunction } from 'rxjs'
import { NamedObservable } from '../graph/namedObservable.ts'
import { type Codec, type Lender, Rejection } from '../log/codec.ts'
import type { ReadAhead } from '../log/readAhead.ts'
import type { RecordView } from '../log/record.ts'
import { Lent } from '../spans/lent.ts'
import { type Lending, Span } from '../spans/span.ts'
import type { OperatorSpec } from './operator.ts'
import { type BuildSpanLogic, spanning } from './spanning.ts'

/** Passes the value that the codec makes of each record, and sets aside what it rejects. */
export function decoding<T>(
  codec: Codec<T>,
  { name, onReject }: Pick<OperatorSpec, 'name' | 'onReject'>,
): OperatorFunction<RecordView, T> {
  const spec = { name, isOrderFree: true, passesRedriven: true, readsAhead: codec.lender !== undefined, onReject }
  return (source) => {
    // A record that a step has made, of a part of another one say, tells nothing of the bytes that an archive keeps.
    const isInput = source instanceof NamedObservable && source.node.kind === 'input'
    return spanning<RecordView, T>(spec, decoder(codec, isInput))(source)
  }
}

function decoder<T>(codec: Codec<T>, isInput: boolean): BuildSpanLogic<RecordView, T> {
  return (_restored, out) => {
    let lender: Lender<T> | undefined
    /** By the first row of a partition, what was read last of it. */
    const fillings = new Map<number, number>()
    const values = new Span<T>()

    /** The value of the record of that number, of those that were read together; undefined where it has to be read by itself. */
    function lent(ahead: ReadAhead, record: number): T | undefined {
      lender ??= codec.lender?.(ahead.rows)
      if (lender === undefined) return undefined
      if (ahead.filling !== fillings.get(ahead.firstRow)) {
        lender.read(ahead)
        fillings.set(ahead.firstRow, ahead.filling)
      }
      return lender.lend(ahead.firstRow + record)
    }

    return {
      onValue(record) {
        const { ahead } = out
        if (ahead?.isAtHand(record) === true) {
          const value = lent(ahead, ahead.at)
          if (value !== undefined) {
            out.facts.isJsonObject = true
            out.emit(value)
            return
          }
          ahead.show()
        }
        const value = codec.decode(record, isInput ? out.facts : undefined)
        if (value instanceof Rejection) out.reject(value.reason, value.detail)
        else if (value !== undefined) out.emit(value)
      },
      look(span, to) {
        const { ahead } = out
        values.begin(span)
        values.records = span.records
        if (ahead !== null && span.recordBehind(0, to) !== to) {
          const first = span.records[0] as number
          const value = lent(ahead, first)
          if (value instanceof Lent) {
            const { firstRow } = ahead
            values.value = value as Lending<T>
            const end = (lender as Lender<T>).lentUntil(firstRow + first, firstRow + to) - firstRow
            values.count = span.countBefore(Math.min(to, end))
          }
        }
        return out.lookOn(values, span.recordBehind(values.count, to))
      },
      take(_span, to) {
        out.facts.isJsonObject = true
        out.takeOn(values, to)
      },
    }
  }
}

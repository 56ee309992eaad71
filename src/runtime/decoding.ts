import type { OperatorFunction } from 'rxjs'
import { type Codec, type Lender, Rejection } from './codec.ts'
import type { OperatorSpec } from './operator.ts'
import type { RecordView } from './record.ts'
import type { Span } from './span.ts'
import { stateful } from './stateful.ts'

/** Passes the value that the codec makes of each record, and sets aside what it rejects. */
export function decoding<T>(
  codec: Codec<T>,
  { name, onReject }: Pick<OperatorSpec, 'name' | 'onReject'>,
): OperatorFunction<RecordView, T> {
  const spec = { name, isOrderFree: true, passesRedriven: true, readsAhead: codec.lender !== undefined, onReject }
  return stateful<RecordView, T>(spec, (_restored, out) => {
    let lender: Lender<T> | undefined
    let filling = 0

    /** The value of the record at hand, of those that were read together; undefined where it has to be read by itself. */
    function lent(span: Span): T | undefined {
      lender ??= codec.lender?.()
      if (lender === undefined) return undefined
      if (span.filling !== filling) {
        lender.read(span)
        filling = span.filling
      }
      return lender.lend(span.at)
    }

    return {
      onValue(record) {
        const { span } = out
        if (span !== null) {
          const value = lent(span)
          if (value !== undefined) {
            out.facts.isJsonObject = true
            out.emit(value)
            return
          }
          span.show()
        }
        const value = codec.decode(record, out.facts)
        if (value instanceof Rejection) out.reject(value.reason, value.detail)
        else if (value !== undefined) out.emit(value)
      },
    }
  })
}

import type { OperatorFunction } from 'rxjs'
import { type Codec, type Lender, Rejection } from './codec.ts'
import type { OperatorSpec } from './operator.ts'
import type { ReadAhead } from './readAhead.ts'
import type { RecordView } from './record.ts'
import { stateful } from './stateful.ts'

/** Passes the value that the codec makes of each record, and sets aside what it rejects. */
export function decoding<T>(
  codec: Codec<T>,
  { name, onReject }: Pick<OperatorSpec, 'name' | 'onReject'>,
): OperatorFunction<RecordView, T> {
  const spec = { name, isOrderFree: true, passesRedriven: true, readsAhead: codec.lender !== undefined, onReject }
  return stateful<RecordView, T>(spec, (_restored, out) => {
    let lender: Lender<T> | undefined
    /** By the first row of a partition, what was read last of it. */
    const fillings = new Map<number, number>()

    /** The value of the record at hand, of those that were read together; undefined where it has to be read by itself. */
    function lent(ahead: ReadAhead): T | undefined {
      lender ??= codec.lender?.(ahead.rows)
      if (lender === undefined) return undefined
      if (ahead.filling !== fillings.get(ahead.firstRow)) {
        lender.read(ahead)
        fillings.set(ahead.firstRow, ahead.filling)
      }
      return lender.lend(ahead.firstRow + ahead.at)
    }

    return {
      onValue(record) {
        const { ahead } = out
        if (ahead !== null) {
          const value = lent(ahead)
          if (value !== undefined) {
            out.facts.isJsonObject = true
            out.emit(value)
            return
          }
          ahead.show()
        }
        const value = codec.decode(record, out.facts)
        if (value instanceof Rejection) out.reject(value.reason, value.detail)
        else if (value !== undefined) out.emit(value)
      },
    }
  })
}

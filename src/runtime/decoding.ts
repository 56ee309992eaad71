import type { OperatorFunction } from 'rxjs'
import { type Codec, Rejection } from './codec.ts'
import type { OperatorSpec } from './operator.ts'
import type { RecordView } from './record.ts'
import { stateful } from './stateful.ts'

/** Passes the value that the codec makes of each record, and sets aside what it rejects. */
export function decoding<T>(
  codec: Codec<T>,
  { name, onReject }: Pick<OperatorSpec, 'name' | 'onReject'>,
): OperatorFunction<RecordView, T> {
  return stateful({ name, isOrderFree: true, passesRedriven: true, onReject }, (_restored, out) => ({
    onValue(record) {
      const value = codec.decode(record, out.facts)
      if (value instanceof Rejection) out.reject(value.reason, value.detail)
      else if (value !== undefined) out.emit(value)
    },
  }))
}

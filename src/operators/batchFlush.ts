import type { OperatorFunction } from 'rxjs'
import { refusePromise } from '../runtime/atOnce.ts'
import { Batch } from '../runtime/batch.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import { stateful } from '../runtime/operator/stateful.ts'
import { checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'

/** When a batch of `batchFlush` is full. */
export interface BatchFlushOptions<T> {
  /** Unique in a pipeline; `batchFlush` if left out. */
  readonly name?: string
  /** A batch is full with this many values. */
  readonly maxCount: number
  /** A batch is full once its values come to this many bytes, by `bytesOf`. */
  readonly maxBytes?: number
  /** How many bytes a value counts for. Needed with `maxBytes`. */
  readonly bytesOf?: (value: T) => number
}

const rules: OptionRules<BatchFlushOptions<never>> = {
  name: optional.text,
  maxCount: needed.number,
  maxBytes: optional.number,
  bytesOf: optional.callback,
}

/**
 * Gathers values into batches, in order: by count, by bytes, and at each checkpoint cut and the end of the input whatever there is.
 *
 * Keeps one batch, bounded by `maxCount` and `maxBytes` plus one value. A batch never spans a checkpoint, so it is no state and a crash loses none.
 * Where batches end depends on where cuts fall; what is in them, and its order, does not. So a batch has no event time: windows and `dedupe` stand above it.
 * A dead letter of a batch stands at the record that was read last, without its bytes.
 * @throws ConfigurationError on options out of range
 */
export function batchFlush<T>(options: BatchFlushOptions<T>): OperatorFunction<T, Batch<T>> {
  checkOptions('batchFlush', options, rules)
  const { name = 'batchFlush', maxCount, maxBytes, bytesOf } = options
  if (!Number.isSafeInteger(maxCount) || maxCount < 1) {
    throw new ConfigurationError(`${name}: maxCount must be a positive integer, got ${maxCount}`)
  }
  if (maxBytes !== undefined && !(maxBytes > 0))
    throw new ConfigurationError(`${name}: maxBytes must be positive, got ${maxBytes}`)
  if ((maxBytes === undefined) !== (bytesOf === undefined)) {
    throw new ConfigurationError(`${name}: maxBytes and bytesOf are given together`)
  }
  return stateful<T, Batch<T>>({ name, isLoose: true, isOrderFree: true, takesUnsettled: true }, (_restored, out) => {
    let batch = new Batch<T>()
    let bytes = 0

    function flush(): void {
      if (batch.length === 0) return
      const full = batch
      batch = new Batch()
      bytes = 0
      out.during(out.origin().withoutRecord(), () => out.emit(full))
    }

    return {
      onValue(value) {
        const size = bytesOf === undefined ? 0 : bytesOf(value)
        if (!(size >= 0)) {
          refusePromise(`${name}: bytesOf`, size)
          throw new TypeError(`bytesOf must give a number from 0, got ${String(size)}`)
        }
        batch.push(value)
        out.holdBack(value)
        bytes += size
        if (batch.length >= maxCount || (maxBytes !== undefined && bytes >= maxBytes)) flush()
      },
      onCut: flush,
      onComplete: flush,
    }
  })
}

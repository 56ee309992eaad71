import type { OperatorFunction } from 'rxjs'
import type { OperatorSpec } from '../runtime/operator/operator.ts'
import { stateful } from '../runtime/operator/stateful.ts'
import { checkArgument, checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'

/** How many calls `mapAsync` makes at once, and who hears of those that fail. */
export interface MapAsyncOptions {
  /** Unique in a pipeline; `mapAsync` if left out. */
  readonly name?: string
  /** How many calls may be under way at once. */
  readonly concurrency: number
  /** Outside a task: receives values whose call fails, instead of ending the stream. */
  readonly onReject?: OperatorSpec['onReject']
}

const rules: OptionRules<MapAsyncOptions> = {
  name: optional.text,
  concurrency: needed.number,
  onReject: optional.anyFunction,
}

/**
 * Passes what the promise of each value resolves to, in the order of the values.
 *
 * In a task the results of up to `concurrency` calls are let through together, when so many are under way or at the next cut, and the task
 * waits for them first: nothing is in flight when a checkpoint is cut, so each value is mapped at least once and its result counts exactly once. Since time
 * goes on meanwhile, it must stand above `eventTime` or below the last window. A call that throws, or whose promise is rejected, sets its record aside as `failed`
 * (`Pipeline.onError`); a `RetryableError`, or an error by which a service was away (a refused connection, a timeout), makes the worker restore and try again.
 * Keeps the values of `concurrency` calls in a task, and of what one record adds. Outside of one nothing holds the source back, so what waits for its turn is kept too,
 * and a call that fails ends the stream.
 * @throws ConfigurationError on options out of range
 */
export function mapAsync<T, R>(map: (value: T) => Promise<R>, options: MapAsyncOptions): OperatorFunction<T, R> {
  checkArgument('mapAsync', 'its first argument', map, needed.anyFunction)
  checkOptions('mapAsync', options, rules)
  const { name = 'mapAsync', concurrency, onReject } = options
  const spec = { name, concurrency, isOrderFree: true, passesRedriven: true, takesUnsettled: true, onReject }
  return stateful<T, R>(spec, (_restored, out) => ({
    onValue(value) {
      out.defer(
        () => map(value),
        (result) => out.emit(result),
      )
    },
  }))
}

import { Observable, type OperatorFunction } from 'rxjs'
import { refusePromise } from '../runtime/atOnce.ts'
import type { OperatorSpec } from '../runtime/operator/operator.ts'
import { stateful } from '../runtime/operator/stateful.ts'
import { checkArgument, checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import { keyOf } from './keyOf.ts'
import type { StreamTable } from './streamTable.ts'

/** Which row `enrich` looks up for a value, and what it makes of both. */
export interface EnrichOptions<T, V, O> {
  /** Unique in a pipeline; `enrich` and the name of the table if left out. */
  readonly name?: string
  /** The key of the row. */
  readonly by: (value: T) => string
  /** The result of a value and its row, which is undefined where the table has none and must not be changed; null for no result. */
  readonly with: (value: T, row: V | undefined) => O | null
  /** Outside a task: receives values on which a callback throws, instead of ending the stream. */
  readonly onReject?: OperatorSpec['onReject']
}

const rules: OptionRules<EnrichOptions<never, never, never>> = {
  name: optional.text,
  by: needed.callback,
  with: needed.callback,
  onReject: optional.anyFunction,
}
const aTable = needed.having('a table that toTable has made', ['get'])

/**
 * Passes what `with` makes of each value and its row in the table, as the table stands when the value comes; a later change corrects nothing.
 *
 * Keeps nothing: the rows are the table's, which is in the checkpoint, so a crash or a replay gives the same results. A result has the event time of its value. A record that was
 * set aside further below and is redriven finds the rows as they are then. Loose values (`mapAsync`, `batchFlush`) belong below, unless the table's changes come through the same operator.
 * Outside a task the table is kept while there are subscriptions to streams that read it, and an error of its changes ends them.
 * @throws ConfigurationError on an empty name
 */
export function enrich<T, V, O>(table: StreamTable<V>, options: EnrichOptions<T, V, O>): OperatorFunction<T, O> {
  checkArgument('enrich', 'its first argument', table, aTable)
  checkOptions('enrich', options, rules)
  const { name = `enrich ${table.name}`, by, with: combine, onReject } = options
  const spec = { name, passesRedriven: true, takesUnsettled: true, meeting: table.meeting, onReject }
  const lookUp = stateful<T, O>(spec, (_restored, out) => ({
    onValue(value) {
      const result = combine(value, table.get(keyOf(by, value, name)))
      refusePromise(`${name}: with`, result)
      if (result !== null) out.emit(result)
    },
  }))
  return (source) => lookUp(withUpkeep(table, source))
}

/** The source, with the table kept from before its first value on. */
function withUpkeep<T>(table: StreamTable<unknown>, source: Observable<T>): Observable<T> {
  return new Observable((subscriber) => {
    subscriber.add(table.upkeep.subscribe({ error: (error) => subscriber.error(error) }))
    return source.subscribe(subscriber)
  })
}

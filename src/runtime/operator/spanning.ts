import type { OperatorFunction } from 'rxjs'
import type { SpanLogic, SpanOutput } from '../spans/span.ts'
import type { OperatorSpec, Restored } from './operator.ts'
import { stateful } from './stateful.ts'

/** Makes the logic of an operator that takes values many at once as well. */
export type BuildSpanLogic<I, O> = (restored: Restored, out: SpanOutput<O>) => SpanLogic<I>

/** What `stateful` gives, for such an operator. */
export function spanning<I, O>(spec: OperatorSpec, build: BuildSpanLogic<I, O>): OperatorFunction<I, O> {
  // What an operator gets is the node, whose output it is, whatever it may ask of it.
  return stateful<I, O>(spec, (restored, out) => build(restored, out as SpanOutput<O>))
}

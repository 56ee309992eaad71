import type { OperatorFunction } from 'rxjs'
import type { OperatorSpec, Restored } from './operator.ts'
import type { SpanLogic, SpanOutput } from './span.ts'
import { stateful } from './stateful.ts'

/** What `stateful` gives, for logic that takes values many at once as well. */
export function spanning<I, O>(
  spec: OperatorSpec,
  build: (restored: Restored, out: SpanOutput<O>) => SpanLogic<I>,
): OperatorFunction<I, O> {
  // What an operator gets is the node, whose output it is, whatever it may ask of it.
  return stateful<I, O>(spec, (restored, out) => build(restored, out as SpanOutput<O>))
}

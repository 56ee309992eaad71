import { OperatorError } from '../errors.ts'
import type { OperatorSpec } from '../operator/operator.ts'
import type { RowMaker } from '../store/foreignRows.ts'
import { Withdrawn } from '../withdrawn.ts'
import { contracted } from './contractedGraph.ts'
import type { SubscriptionTrace } from './subscriptionTrace.ts'

/** Results that are not for good come to an operator that would make something lasting of them. */
function notSettled(name: string, from: string): OperatorError {
  return new OperatorError(
    `${name}: results of ${from} that are not for good, being provisional or taken back, come here, and would count as if they were. Let only final ones through, such as by ` +
      `filter(({ isClosed }) => isClosed), give tumblingWindow \`isProvisional\`, or take \`early\`, \`provisionalEveryMs\`, \`withdraws\` or \`withdrawBy\` from ${from} and end its results in an outlet.`,
  )
}

/**
 * Looks at a value that a window has made: what is not for good must not become part of something that is.
 * @throws OperatorError naming the operator that it comes to, and the fold
 */
export function refuseUnsettledValue(
  { name, takesUnsettled: takes = false }: OperatorSpec,
  { fold, isClosed }: RowMaker,
  value: unknown,
): void {
  const isWithdrawn = value instanceof Withdrawn
  if (isClosed && !isWithdrawn) return
  const isTaken =
    takes === true ||
    (isClosed ? takes === 'withdrawn' : typeof takes === 'function' && !isWithdrawn && takes(value as never))
  if (!isTaken) throw notSettled(name, fold)
}

/**
 * Looks whether an operator stands below one whose results are not all for good, with nothing between that could keep them out.
 * @throws OperatorError naming both
 */
export function refuseUnsettled(trace: SubscriptionTrace, specs: readonly OperatorSpec[]): void {
  const byId = new Map(specs.map((spec) => [`operator:${spec.name}`, spec]))
  const { edges } = contracted(trace)
  for (const { name, isUnsettled } of specs) {
    if (isUnsettled !== true) continue
    const seen = new Set<string>()
    const queue = [`operator:${name}`]
    for (let one = queue.pop(); one !== undefined; one = queue.pop()) {
      for (const { to } of edges.filter(({ from, plainSteps }) => from === one && plainSteps === 0)) {
        const below = byId.get(to)
        if (below === undefined || seen.has(to)) continue
        seen.add(to)
        if (below.takesUnsettled === true) queue.push(to)
        else if (below.takesUnsettled === undefined || below.takesUnsettled === false)
          throw notSettled(below.name, name)
      }
    }
  }
}

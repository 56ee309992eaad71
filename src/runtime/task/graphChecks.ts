import { ConfigurationError } from '../errors.ts'
import { inputsAboveStreams } from '../graph/inputsAbove.ts'
import { RedriveWays } from '../graph/redriveWays.ts'
import type { SubscriptionTrace } from '../graph/subscriptionTrace.ts'
import { refuseUnsettled } from '../graph/unsettled.ts'
import type { OperatorSpec } from '../operator/operator.ts'
import { letterName } from '../outlets/resultBuffer.ts'
import type { ResolvedInput } from '../pipeline/input.ts'
import type { Pipeline } from '../pipeline/pipeline.ts'
import { isShared } from '../pipeline/wholeInputs.ts'
import type { TaskOutlets } from './taskOutlets.ts'

/** Of pipelines that have been built, and in which no result that is not for good comes to where it would count as final, as far as that is seen then. */
const waysOf = new WeakMap<Pipeline, RedriveWays>()

/** What is known of the pipeline from a task that was built before. */
export function knownWays(pipeline: Pipeline): RedriveWays | undefined {
  return waysOf.get(pipeline)
}

/** Looks at what stands below what, and refuses what must not. */
export function findWays(
  pipeline: Pipeline,
  trace: SubscriptionTrace,
  specs: readonly OperatorSpec[],
  outlets: TaskOutlets,
): RedriveWays {
  if (specs.some(({ isUnsettled }) => isUnsettled === true)) refuseUnsettled(trace, specs)
  const ends = new Map(outlets.streams.map(({ buffer, values }) => [letterName(buffer), values]))
  const ways = new RedriveWays(trace, specs, ends)
  waysOf.set(pipeline, ways)
  return ways
}

/** Every task would write the results of an input that all of them read. */
export function refuseSharedResults(
  pipeline: string,
  inputs: readonly ResolvedInput[],
  outlets: TaskOutlets,
  trace: SubscriptionTrace,
): void {
  for (const { buffer, values } of outlets.streams) {
    const above = inputsAboveStreams(trace, [values])
    const shared = inputs.find((input) => isShared(inputs, input) && above.has(input.name))
    if (shared === undefined) continue
    throw new ConfigurationError(
      `pipeline ${pipeline}: values of input ${shared.name} come to outlet ${buffer.name}. With partitions: 'all' at a table every task reads all of it, so each would write them. End its stream in toTable(…), or write them in a pipeline of their own.`,
    )
  }
}

/** Markers without a time would never be written, and who waits for them would wait for ever. */
export function refuseTimelessMarkers(pipeline: string, { marked: [outlet] }: TaskOutlets, movesTime: boolean): void {
  if (outlet === undefined || movesTime) return
  throw new ConfigurationError(
    `pipeline ${pipeline}: outlet ${outlet} writes markers, which say how far time is, and nothing in the pipeline moves time. Put eventTime({ of, maxOutOfOrdernessMs }) above it, or upstreamTime where the input has markers itself.`,
  )
}

import { ConfigurationError, OperatorError } from '../../../runtime/errors.ts'
import { mostAhead } from '../../../runtime/log/readAhead.ts'
import type { Outlets, Pipeline } from '../../../runtime/pipeline/pipeline.ts'
import type { CheckpointStore } from '../../../runtime/store/checkpoint.ts'
import { Random } from '../../random.ts'
import type { Adversity } from '../adversity.ts'
import { mergedOrder, type PlacedRecord } from '../merges/mergedOrder.ts'
import {
  type ArchiveLimits,
  isGap,
  runReplay,
  runUninterrupted,
  runWithAdversity,
  type SimulatedStart,
  type SimulationOptions,
  type SimulationResult,
} from '../simulate.ts'
import { type GraphInput, placed } from './graphInput.ts'
import { graphDifferences } from './graphOutcome.ts'
import { graphPipeline, leadTopic } from './graphPipeline.ts'
import { untruthsOfGraph } from './model.ts'
import { allSteps, describePlan, type GraphPlan } from './plan.ts'
import { placesOf, tasksOf } from './taskPlaces.ts'
import type { Edition } from './userOperators.ts'

/** Everything that one seed decides about a run of a graph. */
export interface GraphSchedule {
  readonly seed: number
  readonly plan: GraphPlan
  readonly input: GraphInput
  readonly adversity: Adversity
  readonly closesOpen: boolean
  /** How large the objects of archives become. */
  readonly archive: ArchiveLimits
}

export interface GraphReport {
  readonly seed: number
  /** Empty when everything is equal; the graph itself comes first otherwise. */
  readonly differences: readonly string[]
  /** Null for a graph that was to be refused. */
  readonly result: SimulationResult | null
  /** How often an asynchronous call was away. */
  readonly callsAway: number
  readonly hasMigrated: boolean
}

/** Runs a graph with its adversity and without, or as a replay where time has moved by itself, and compares both with each other and with a model. */
export async function runGraph(schedule: GraphSchedule): Promise<GraphReport> {
  const { seed, plan } = schedule
  if (plan.refusedFor !== null) {
    return {
      seed,
      differences: described(plan, await notRefused(schedule)),
      result: null,
      callsAway: 0,
      hasMigrated: false,
    }
  }
  const calls = new Calls(`calls ${seed}`, 6)
  const migratesAt = plan.migratesAtStart ?? Number.POSITIVE_INFINITY
  const result = await runWithAdversity(
    optionsOf(schedule, (start) => pipelineOf(plan, start.number >= migratesAt ? 2 : 1, calls, start)),
    schedule.adversity,
  )
  const edition: Edition = result.starts > migratesAt ? 2 : 1
  // A replay is told what the run was told, and what nobody was told shows.
  const options = optionsOf(schedule, (start) => pipelineOf(plan, edition, new Calls('none', 0), start))
  const plain =
    plan.idleAfterMs === null && plan.others.length === 0 && !plan.isOneTask && !hasAnswers(plan)
      ? await runUninterrupted(options)
      : await runReplay(options, { pipeline: 'graph', store: result.store, mostAhead: aheadOf(seed) })
  const differences = [
    ...graphDifferences(schedule, plain, result.outcome),
    ...untruthsOfGraph(schedule, await orderOf(schedule, result.store), plain, schedule.closesOpen),
    ...result.violations.map((violation) => `! ${String(violation)}`),
  ]
  return { seed, differences: described(plan, differences), result, callsAway: calls.away, hasMigrated: edition === 2 }
}

/** A replay reads ahead in half of the graphs; what was run with faults did by itself. */
function aheadOf(seed: number): number {
  return new Random(`replay ahead ${seed}`).pick([1, mostAhead])
}

/** The order in which the records went into each task: that of their log, or what the logs and the notes say. */
export async function orderOf(
  { plan, input }: Pick<GraphSchedule, 'plan' | 'input'>,
  store: CheckpointStore,
): Promise<ReadonlyMap<number, readonly PlacedRecord[]>> {
  const all = [input.records, ...input.others]
  const ordered = tasksOf(plan, input).map(async (partition) => {
    const logs = placesOf(plan, input, partition).map((place) => placed(all[place.input] ?? [], place.partition))
    const task = { pipeline: 'graph', topic: leadTopic, partition }
    const notes = await Promise.all(logs.map((_, i) => store.mergeNotes(task, i, 0, Number.MAX_SAFE_INTEGER)))
    return [partition, mergedOrder(logs, notes.flat())] as const
  })
  return new Map(await Promise.all(ordered))
}

/** What is wrong where a graph that cannot be made exact was not refused, or where records were passed over before it was. */
async function notRefused(schedule: GraphSchedule): Promise<string[]> {
  if (hasEmptyTable(schedule)) return []
  const calls = new Calls('none', 0)
  try {
    await runUninterrupted(optionsOf(schedule, (start) => pipelineOf(schedule.plan, 1, calls, start)))
  } catch (error) {
    return error instanceof OperatorError || error instanceof ConfigurationError
      ? []
      : [`! refused with ${String(error)}`]
  }
  return ['! it was not refused']
}

/** Rows of a table go by time once there are any: without them there is nothing to refuse. */
function hasEmptyTable({ plan, input }: GraphSchedule): boolean {
  return plan.others.some(({ table }, other) => table !== null && (input.others[other] ?? []).every(isGap))
}

function described(plan: GraphPlan, differences: readonly string[]): string[] {
  return differences.length === 0 ? [] : [`  ${describePlan(plan)}`, ...differences]
}

/** The graph over its records. */
export function optionsOf(
  { plan, input, closesOpen, archive }: Omit<GraphSchedule, 'seed' | 'adversity'>,
  pipeline: SimulationOptions['pipeline'],
): SimulationOptions {
  const { records, partitions } = input
  const others = plan.others.map(({ topic }, i) => ({
    topic,
    records: input.others[i] ?? [],
    partitions: input.otherPartitions[i] ?? partitions,
  }))
  return {
    pipeline,
    topic: leadTopic,
    others,
    partitions,
    tasks: tasksOf(plan, input).length,
    records,
    archive: plan.archived.length === 0 ? null : archive,
    closesOpen,
  }
}

/** The graph as one start of it has it. */
export function pipelineOf(
  plan: GraphPlan,
  edition: Edition,
  calls: Calls,
  { clock, destination }: SimulatedStart,
): Pipeline<Outlets> {
  return graphPipeline(plan, {
    edition,
    pause: (mostMs) => (mostMs === 0 ? Promise.resolve() : clock.sleep(calls.lengthOf(mostMs))),
    destination,
    isAway: () => calls.isAway(),
    answer: () => calls.answer(),
  })
}

function hasAnswers(plan: GraphPlan): boolean {
  return allSteps(plan).some(({ kind }) => kind === 'lookup')
}

/** How long asynchronous calls take and which fail for now, over all starts of one run. */
export class Calls {
  readonly #random: Random
  #awayLeft: number
  away = 0

  constructor(seed: string, mostAway: number) {
    this.#random = new Random(seed)
    this.#awayLeft = mostAway
  }

  lengthOf(mostMs: number): number {
    return this.#random.int(0, mostMs)
  }

  answer(): number | null {
    if (this.#random.chance(0.1)) throw new Error(`drawn to answer with error ${this.#random.int(0, 999)}`)
    return this.#random.chance(0.2) ? null : this.#random.int(0, 89)
  }

  isAway(): boolean {
    if (this.#awayLeft === 0 || !this.#random.chance(0.05)) return false
    this.#awayLeft -= 1
    this.away += 1
    return true
  }
}

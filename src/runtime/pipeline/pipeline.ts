import type { Observable } from 'rxjs'
import { definedPipelines } from '../definedHere.ts'
import type { Duration } from '../duration.ts'
import { ConfigurationError, MillraceError } from '../errors.ts'
import type { RecordView } from '../log/record.ts'
import { checkArgument, checkOptions, needed, type OptionRules, optional } from '../options.ts'
import { placeInUserCode } from '../placeInUserCode.ts'
import { checkRenamed } from '../state/renamedOperators.ts'
import type { PartitionGrowth } from '../store/partitionGrowth.ts'
import { type InputStreams, type Inputs, positive, type ResolvedInput, resolveInputs } from './input.ts'
import type { Outlet } from './outlet.ts'

/** The ends of a pipeline, each under a name of its own, by which status and the test kit find it. */
export type Outlets = Readonly<Record<string, Outlet<unknown>>>

/** What a pipeline says besides its inputs and its graph. */
export interface PipelineOptions {
  /** Checkpoints are stored under it. */
  readonly name: string
  /**
   * For topics without heartbeats: after this long (ms, or text such as `'5s'`) without a record the watermark follows the clock at this distance. Each such step is stored
   * with the checkpoint, so that a replay takes it at the same offset. Off when left out.
   */
  readonly idleAfterMs?: Duration
  /**
   * What happens to a value on which a callback or a step of the pipeline throws. `dead-letter`, if left out: it is set aside as `failed`, under the name of the operator,
   * and the pipeline goes on; once the code is mended it can be redriven, unless a window or a batch stands between. `stop`: the worker ends with the error.
   * Errors that say what to do about them (`RetryableError`, `ConfigurationError` and the like) are never set aside.
   */
  readonly onError?: 'dead-letter' | 'stop'
  /**
   * What happens when the topic has another number of partitions than before. `refuse`, if left out: the worker ends with a `ConfigurationError`, because keys
   * are spread by that number, and a key would have state, and write rows, in two tasks. `allow`: it goes on, and tasks of new partitions start
   * with nothing; for topics where each key's records stay in their partition, and for pipelines whose rows depend on no key. To refuse again
   * later is to go on with the number that was allowed last.
   */
  readonly partitionGrowth?: PartitionGrowth
  /** Names of operators that the pipeline no longer has, whose saved state may be dropped. */
  readonly retired?: readonly string[]
  /**
   * Operators that had another name before: `{ totals: 'dailyTotals' }` gives what was saved for `totals` to `dailyTotals`, at the first start that finds it, and then
   * does nothing more; dead letters of `totals` are redriven for `dailyTotals`. Where both have saved state the start is refused, unless the new name is
   * `retired` as well, which drops what was saved under it. Names are final: no new operator may have an old one while it stands here.
   */
  readonly renamed?: Readonly<Record<string, string>>
}

/** A graph over the records of one partition; every partition gets its own instance with its own state. */
export interface Pipeline<O extends Outlets = Outlets> extends PipelineOptions {
  /** The topics that it reads, by name; undefined for one whose only topic is named by whoever runs it. */
  readonly inputs?: Inputs | undefined
  /** Builds the graph of one task. Called once a task; everything is built before the first record. */
  readonly build: (streams: never) => O
}

/** A pipeline that reads one topic, which whoever runs it names. */
export interface RecordsPipeline<O extends Outlets = Outlets> extends Pipeline<O> {
  readonly inputs?: undefined
  readonly build: (records: Observable<RecordView>) => O
}

/** A pipeline that names the topics it reads. */
export interface InputsPipeline<I extends Inputs, O extends Outlets = Outlets> extends Pipeline<O> {
  readonly inputs: I
  readonly build: (streams: InputStreams<I>) => O
}

const rules: OptionRules<Pipeline> = {
  name: needed.text,
  inputs: optional.record,
  build: needed.callback,
  idleAfterMs: optional.duration,
  onError: optional.oneOf('dead-letter', 'stop'),
  partitionGrowth: optional.oneOf('refuse', 'allow'),
  retired: optional.list,
  renamed: optional.record,
}

/**
 * Makes a pipeline a value: for the command and `runPipeline`, for the worker, for the test kit and for the types of its outlets.
 *
 * With `inputs` it names its topics, and `build` gets a stream of each under its name; a task reads the same partition number of all of them, merged into one order that
 * a replay repeats. Without, `build` gets the records of one topic.
 * @throws ConfigurationError on a name or an option that cannot be used
 */
export function definePipeline<const I extends Inputs, const O extends Record<string, Outlet<unknown>>>(
  pipeline: InputsPipeline<I, O>,
): InputsPipeline<I, O>
export function definePipeline<const O extends Record<string, Outlet<unknown>>>(
  pipeline: RecordsPipeline<O>,
): RecordsPipeline<O>
export function definePipeline(pipeline: Pipeline): Pipeline {
  checkOptions('definePipeline', pipeline, rules)
  if (!/^[a-z][a-z0-9_-]*$/.test(pipeline.name)) {
    throw new ConfigurationError(
      `pipeline name ${JSON.stringify(pipeline.name)}: use lower-case letters, digits, - and _, starting with a letter`,
    )
  }
  checkRenamed(pipeline)
  inputsOf(pipeline)
  definedPipelines.note(pipeline)
  return pipeline
}

const kinds: readonly unknown[] = ['rows', 'messages', 'archive'] satisfies Outlet<unknown>['kind'][]
const anOutlet = needed.such(
  'what toPostgres(…), toTopic(…), toWebhook(…), toDestination(…) or toArchive(…) has made of a stream',
  (value) => typeof value === 'object' && value !== null && 'kind' in value && kinds.includes(value.kind),
)

/** The inputs of the pipeline, the leading one first. Throws `ConfigurationError` on options out of range. */
export function inputsOf({ name, inputs, idleAfterMs }: Pipeline): readonly ResolvedInput[] {
  return resolveInputs(name, inputs, positive(idleAfterMs, `pipeline ${name}: idleAfterMs`))
}

/** Calls `build` with a stream of each input. Throws what `callBuild` does. */
export function buildPipeline(pipeline: Pipeline, streams: ReadonlyMap<string, Observable<unknown>>): Outlets {
  if (pipeline.inputs !== undefined) return callBuild(pipeline, Object.fromEntries(streams))
  const [records] = streams.values()
  return callBuild(pipeline, records)
}

/**
 * Calls the user's own `build`. What is thrown in it is thrown as `ConfigurationError` with the place in the user's code; errors of Millrace, which say what to do, are
 * left as they are. Also throws where it gives no outlets.
 */
export function callBuild<O extends Outlets>(pipeline: Pipeline<O>, streams: unknown): O {
  const build = pipeline.build as (streams: unknown) => O
  const { name } = pipeline
  let outlets: O
  try {
    outlets = build(streams)
  } catch (error) {
    if (error instanceof MillraceError) throw error
    const place = placeInUserCode(error)
    throw new ConfigurationError(
      `pipeline ${name}: its build threw ${String(error)}${place === null ? '' : ` (${place})`}`,
      { pipeline: name, cause: error },
    )
  }
  if (typeof outlets === 'object' && outlets !== null && !(outlets instanceof Promise)) {
    for (const [outlet, given] of Object.entries(outlets)) {
      checkArgument(`pipeline ${name}`, `outlet ${outlet}`, given, anOutlet)
    }
    return outlets
  }
  const given = outlets instanceof Promise ? 'a promise' : String(outlets)
  throw new ConfigurationError(
    `pipeline ${name}: its build gave ${given}; it returns its outlets, such as { rows: toPostgres(…) }`,
    { pipeline: name },
  )
}

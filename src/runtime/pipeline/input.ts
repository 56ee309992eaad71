import type { Observable } from 'rxjs'
import { type Duration, durationMs } from '../duration.ts'
import { ConfigurationError } from '../errors.ts'
import type { Codec } from '../log/codec.ts'
import type { RecordView } from '../log/record.ts'
import type { AnyTopic, Topic } from '../log/topic.ts'
import { checkOptions, needed, type OptionRules, optional } from '../options.ts'

/** A topic that a pipeline reads, and how its records are merged with those of the pipeline's other inputs. */
export interface InputOptions {
  /** Its name, or the topic as a value, whose codec is taken then. */
  readonly topic: string | AnyTopic
  /** Makes values of the records; what it rejects becomes a dead letter. Without one, and with a topic that is only a name, `build` gets the bytes (`RecordView`). */
  readonly codec?: Codec<unknown>
  /**
   * How long (ms, or text such as `'5s'`) the input may have nothing before the others go on without it, and time, as far as it depends on this input, follows the
   * clock at that distance. Such steps are stored with the checkpoint, so that a replay takes them at the same place. Left out, the pipeline's own `idleAfterMs` holds;
   * without either the others wait for the input's next record.
   */
  readonly idleAfterMs?: Duration
  /** False for a table, whose records move no time and hold none back: at the end of its log the others go on at once. True unless told. */
  readonly movesTime?: boolean
  /** The furthest that one record's timestamp counts ahead of those before it in the order of merging; ms, or text. `'1d'` if left out. */
  readonly maxAdvanceMs?: Duration
  /**
   * `'all'` at every input: the pipeline has one task, which reads all partitions of all its topics, merged by their timestamps. For results that are made of all keys, and for topics that are keyed
   * differently. It then has no more than one core. `'all'` at a table alone (`movesTime: false`): every task reads the whole topic and keeps all its rows, so that streams with other keys find
   * them; that costs its reading, its memory and its place in the checkpoint once a task. Left out, each partition number is a task of its own.
   */
  readonly partitions?: 'all'
}

/** An input of a pipeline: a topic with its codecs, or one with options. */
export type Input = AnyTopic | InputOptions

/** The inputs of a pipeline by name. The first one leads: its partitions are the pipeline's tasks. */
export type Inputs = Readonly<Record<string, Input>>

/** The type of the values that `build` gets of an input. */
export type InputValue<I extends Input> =
  I extends Topic<Codec<infer T>, Codec<unknown> | undefined>
    ? T
    : I extends { readonly codec: Codec<infer T> }
      ? T
      : I extends { readonly topic: Topic<Codec<infer T>, Codec<unknown> | undefined> }
        ? T
        : RecordView

/** What `build` gets: a stream of each input, under its name. */
export type InputStreams<I extends Inputs> = { readonly [K in keyof I]: Observable<InputValue<I[K]>> }

/** An input with everything decided. */
export interface ResolvedInput {
  readonly name: string
  /** Null for the one input of a pipeline without `inputs`: whoever runs it names the topic. */
  readonly topic: string | null
  readonly codec: Codec<unknown> | null
  /** ms; undefined for an input that is waited for. */
  readonly idleAfterMs: number | undefined
  readonly movesTime: boolean
  /** ms */
  readonly maxAdvanceMs: number
  /** True where one task reads all partitions, or, of a table beside a leading input that is read by partition, each task does. */
  readonly isWhole: boolean
  /** The partition that is read, where it is not the task's own. */
  readonly partition?: number
}

/** What the one input of a pipeline without `inputs` is called. */
export const onlyInput = 'records'

const defaultMaxAdvanceMs = 86_400_000

/**
 * @param idleAfterMs of the pipeline, for inputs that do not say; ms
 * @throws ConfigurationError on options out of range, or a topic that is read twice
 */
export function resolveInputs(
  pipeline: string,
  inputs: Inputs | undefined,
  idleAfterMs: number | undefined,
): readonly ResolvedInput[] {
  if (inputs === undefined) {
    const name = onlyInput
    return [
      {
        name,
        topic: null,
        codec: null,
        idleAfterMs,
        movesTime: true,
        maxAdvanceMs: defaultMaxAdvanceMs,
        isWhole: false,
      },
    ]
  }
  const resolved = Object.entries(inputs).map(([name, input]) => resolve(pipeline, name, input, idleAfterMs))
  const [lead] = resolved
  if (lead === undefined) throw new ConfigurationError(`pipeline ${pipeline} has no input: name one in inputs`)
  if (!lead.movesTime) {
    throw new ConfigurationError(
      `pipeline ${pipeline}: input ${lead.name} stands first and so leads, but it moves no time; name the stream before its tables`,
    )
  }
  const apart = resolved.find(({ isWhole, movesTime }) => (lead.isWhole ? !isWhole : isWhole && movesTime))
  if (apart !== undefined) {
    const [whole, own] = lead.isWhole ? [lead, apart] : [apart, lead]
    throw new ConfigurationError(
      `pipeline ${pipeline}: input ${whole.name} has partitions: 'all' and input ${own.name} has not. Give it to every input, so that one task reads everything; or to tables alone, which every task reads whole: a table is an input with movesTime: false.`,
    )
  }
  for (const [i, { name, topic }] of resolved.entries()) {
    const other = resolved.slice(0, i).find((before) => before.topic === topic)
    if (other === undefined) continue
    throw new ConfigurationError(
      `pipeline ${pipeline}: inputs ${other.name} and ${name} are both topic ${topic}; take one of them and use its stream twice`,
    )
  }
  return resolved
}

function resolve(pipeline: string, name: string, input: Input, pipelineIdleAfterMs: number | undefined): ResolvedInput {
  const what = `pipeline ${pipeline}: input ${name}`
  const options = optionsOf(input, what)
  const { topic, codec, movesTime = true, partitions } = options
  const maxAdvanceMs = positive(options.maxAdvanceMs, `${what}: maxAdvanceMs`) ?? defaultMaxAdvanceMs
  const idleAfterMs = positive(options.idleAfterMs, `${what}: idleAfterMs`) ?? pipelineIdleAfterMs
  return {
    name,
    topic: typeof topic === 'string' ? topic : topic.name,
    codec: codec ?? (typeof topic === 'string' ? null : topic.value),
    idleAfterMs: movesTime ? idleAfterMs : 0,
    movesTime,
    maxAdvanceMs,
    isWhole: partitions === 'all',
  }
}

const rules: OptionRules<InputOptions> = {
  topic: needed.such('a topic or the name of one', () => true),
  codec: optional.codec,
  idleAfterMs: optional.duration,
  movesTime: optional.flag,
  maxAdvanceMs: optional.duration,
  partitions: optional.oneOf('all'),
}

/** JavaScript may give anything. */
function optionsOf(input: unknown, what: string): InputOptions {
  if (typeof input === 'string') {
    throw new ConfigurationError(`${what} is text: write { topic: ${JSON.stringify(input)} }, or topic(…) with a codec`)
  }
  const isTopic = (value: unknown) =>
    typeof value === 'object' && value !== null && 'value' in value && 'name' in value && typeof value.name === 'string'
  if (typeof input === 'object' && input !== null && 'topic' in input) {
    checkOptions(what, input, rules)
    if (typeof input.topic === 'string' || isTopic(input.topic)) return input as InputOptions
  } else if (isTopic(input)) return { topic: input as AnyTopic }
  throw new ConfigurationError(`${what} names no topic: give it topic('name', …), or { topic: 'name' }`)
}

/** The duration in ms, undefined where there is none. Throws `ConfigurationError` where it is not positive. */
export function positive(duration: Duration | undefined, what: string): number | undefined {
  if (duration === undefined) return undefined
  const ms = durationMs(duration, what)
  if (!(ms > 0)) throw new ConfigurationError(`${what} must be positive, got ${duration}`)
  return ms
}

import { OperatorError } from '../runtime/errors.ts'
import type { Json } from '../runtime/json.ts'
import { type Marker, mostMarkers } from '../runtime/log/marker.ts'
import type { TimeHolder } from '../runtime/operator/operator.ts'
import type { KeyedState } from '../runtime/state/keyedState.ts'

/** The upstream tasks of one pipeline, as its markers tell. */
interface Upstream {
  readonly pipeline: string
  readonly topic: string
  tasks: number
  outlets: readonly string[]
}

/** One that has to say how far it is. */
interface Source {
  readonly key: string
  readonly upstream: Upstream
  readonly outlet: string
  readonly task: number
}

/**
 * How far each upstream task has said to be, and so how far time is below all of them: the least of what each said last.
 *
 * That a pipeline has a task is known from the markers of the others, so one that was never started holds time back. Keeps one number an upstream task and outlet.
 */
export class UpstreamMarks {
  readonly #name: string
  /** By upstream task and outlet, ms UTC; null for one that has no time yet. */
  readonly #marks: KeyedState<number | null>
  /** Those that have ended. */
  readonly #ended: KeyedState<true>
  readonly #upstreams = new Map<string, Upstream>()
  readonly #expected: readonly string[] | null
  /** All that count; null until it is asked for, after one more was heard of. */
  #sources: readonly Source[] | null = null

  /** @param expected pipelines that count, each alone or with the topic that leads its inputs; null for all that write markers */
  constructor(
    name: string,
    marks: KeyedState<number | null>,
    ended: KeyedState<true>,
    saved: Json | undefined,
    expected: readonly string[] | null,
  ) {
    this.#name = name
    this.#marks = marks
    this.#ended = ended
    this.#expected = expected
    for (const upstream of (saved ?? []) as unknown as readonly Upstream[])
      this.#upstreams.set(nameOf(upstream), { ...upstream })
  }

  /** Takes in what a marker says; what it said before no longer counts, also where that was more. */
  take({ pipeline, topic, outlet, outlets, task, tasks, watermark, isEnd }: Marker): void {
    const name = nameOf({ pipeline, topic })
    const known = this.#upstreams.get(name)
    if (known === undefined) {
      this.#upstreams.set(name, { pipeline, topic, tasks, outlets })
      this.#sources = null
    } else if (tasks > known.tasks || !isEqual(outlets, known.outlets)) {
      this.#sources = null
      for (const gone of known.outlets) if (!outlets.includes(gone)) this.#forget(known, gone)
      // A task that started before the topic got more partitions has not heard of them.
      known.tasks = Math.max(known.tasks, tasks)
      known.outlets = outlets
    }
    const key = keyOf(name, outlet, task)
    this.#marks.set(key, watermark)
    if (isEnd) this.#ended.set(key, true)
    else this.#ended.delete(key)
    if (this.#marks.size > mostMarkers) throw this.#tooMany()
  }

  /** The least of what all that have not ended said last, ms UTC; null where one has said nothing yet, or all have ended. */
  get least(): number | null {
    if (this.#missing !== null) return null
    let least = Number.POSITIVE_INFINITY
    for (const { key } of this.#counted()) {
      if (this.#hasEnded(key)) continue
      const watermark = this.#marks.get(key) as number | null
      if (watermark === null) return null
      if (watermark < least) least = watermark
    }
    return least === Number.POSITIVE_INFINITY ? null : least
  }

  /** True where all have said that they have ended. */
  get hasEnded(): boolean {
    if (this.#upstreams.size === 0 || this.#missing !== null) return false
    return this.#counted().every(({ key }) => this.#hasEnded(key))
  }

  /** What holds time back; null where all have ended. */
  get holder(): TimeHolder | null {
    const missing = this.#missing
    if (missing !== null) return { text: missing, isStuck: true }
    let held: Source | null = null
    let least = Number.POSITIVE_INFINITY
    for (const source of this.#counted()) {
      if (this.#hasEnded(source.key)) continue
      const watermark = this.#marks.get(source.key) as number | null
      if (watermark === null)
        return {
          text: `${textOf(source)}, which has read nothing that moves its time (where its input is silent, idleAfterMs of that pipeline does)`,
          isStuck: true,
        }
      if (watermark >= least) continue
      least = watermark
      held = source
    }
    return held === null ? null : { text: `${textOf(held)}, which is at ${timeText(least)}`, isStuck: false }
  }

  snapshot(): Json {
    return [...this.#upstreams.values()] as unknown as Json
  }

  /** Who has said nothing yet, in words; null where all have. */
  get #missing(): string | null {
    for (const pipeline of this.#expected ?? []) {
      if (![...this.#upstreams.values()].some((upstream) => isCalled(upstream, pipeline)))
        return `pipeline ${pipeline}, from which no marker has come: it was not started yet, or its toTopic lacks markers: true`
    }
    if (this.#upstreams.size === 0) return 'markers, of which none has come: toTopic({ markers: true }) writes them'
    for (const source of this.#counted()) {
      if (this.#marks.get(source.key) === undefined)
        return `${textOf(source)}, from which no marker has come: nobody has worked on that partition yet`
    }
    return null
  }

  #counted(): readonly Source[] {
    this.#sources ??= [...this.#upstreams].flatMap(([name, upstream]) => {
      if (this.#expected?.some((pipeline) => isCalled(upstream, pipeline)) === false) return []
      return upstream.outlets.flatMap((outlet) =>
        Array.from({ length: upstream.tasks }, (_, task) => ({
          key: keyOf(name, outlet, task),
          upstream,
          outlet,
          task,
        })),
      )
    })
    return this.#sources
  }

  #hasEnded(key: string): boolean {
    return this.#ended.get(key) === true
  }

  #forget(upstream: Upstream, outlet: string): void {
    for (let task = 0; task < upstream.tasks; task++) {
      const key = keyOf(nameOf(upstream), outlet, task)
      this.#marks.delete(key)
      this.#ended.delete(key)
    }
  }

  #tooMany(): OperatorError {
    return new OperatorError(
      `${this.#name}: markers of more than ${mostMarkers} upstream tasks and outlets have come; the topic is written by more pipelines than can be kept in mind. Look who writes it: ${[...this.#upstreams.keys()].slice(0, 5).join(', ')}.`,
    )
  }
}

function nameOf({ pipeline, topic }: Pick<Upstream, 'pipeline' | 'topic'>): string {
  return `${pipeline}/${topic}`
}

function keyOf(upstream: string, outlet: string, task: number): string {
  return `${upstream}/${outlet}/${task}`
}

function textOf({ upstream: { pipeline, topic, tasks }, outlet, task }: Source): string {
  return `task ${task} of ${tasks} of pipeline ${pipeline} (${topic}, outlet ${outlet})`
}

function isEqual(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one) => b.includes(one))
}

function isCalled(upstream: Upstream, name: string): boolean {
  return upstream.pipeline === name || nameOf(upstream) === name
}

function timeText(ms: number): string {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? `${ms} ms` : date.toISOString()
}

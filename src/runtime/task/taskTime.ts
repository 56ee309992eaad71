import { ConfigurationError } from '../errors.ts'
import { inputsAbove } from '../graph/inputsAbove.ts'
import type { SubscriptionTrace } from '../graph/subscriptionTrace.ts'
import type { Marker } from '../log/marker.ts'
import type { OperatorSpec, TimeHolder } from '../operator/operator.ts'
import type { AnyNode } from '../operator/operatorNode.ts'
import type { ResolvedInput } from '../pipeline/input.ts'
import type { OwnState } from '../state/ownState.ts'
import type { IdleAdvance, InputEnd, TaskPlace } from '../store/checkpoint.ts'
import { EventClocks } from '../time/eventClock.ts'
import { TimeDomain } from '../time/timeDomain.ts'
import type { TaskInputs } from './taskInputs.ts'

/** A time that may move by itself, and the inputs whose silence lets it. */
export interface IdleClock {
  /** Undefined for the only one of a task. */
  readonly name: string | undefined
  readonly inputs: readonly number[]
}

/** What markers say at one cut. */
export interface MarkedMoment {
  /** ms UTC; null where nothing has moved it yet. */
  readonly watermark: number | null
  /** True where the inputs were declared ended. */
  readonly isEnd: boolean
}

/** What moved time without a record since the last cut. */
export interface TimeSteps {
  readonly idleAdvances: readonly IdleAdvance[]
  readonly inputEnds: readonly InputEnd[]
}

/** The event time of one task: whose operators move it, and the steps that it took without a record, which are recorded with the place of all inputs. */
export class TaskTime {
  readonly domain = new TimeDomain()
  readonly #pipeline: string
  readonly #inputs: TaskInputs
  readonly #owners: AnyNode[] = []
  /** The inputs above each of them. */
  readonly #inputsOf = new Map<AnyNode, readonly number[]>()
  /** Null in a task with one time. */
  #clocks: EventClocks | null = null
  /** How many steps were recorded; counted where there are several inputs. */
  #steps: number
  #idleAdvances: IdleAdvance[] = []
  #inputEnds: InputEnd[] = []
  /** Where the inputs stood when they were last declared ended; null before. */
  #endedAt: readonly number[] | null = null
  /** What markers said last in this life of the task. */
  #marked: MarkedMoment | null = null

  constructor(pipeline: string, inputs: TaskInputs, watermark: number | null, steps: number) {
    this.#pipeline = pipeline
    this.#inputs = inputs
    this.#steps = steps
    if (watermark !== null) this.domain.watermark = watermark
  }

  /** Takes an `eventTime` in. One input has one time; of several inputs, each may have its own. */
  own(node: AnyNode): void {
    const [first] = this.#owners
    if (first !== undefined && this.#inputs.streams.size === 1) {
      throw new ConfigurationError(
        `pipeline ${this.#pipeline} has two eventTime operators (${first.spec.name}, ${node.spec.name}); one input has one time. Share the first.`,
      )
    }
    this.#owners.push(node)
    if (first === undefined) return
    if (this.#clocks === null) {
      this.#clocks = new EventClocks(this.domain)
      first.clock = this.#clocks.add(first.spec.name)
    }
    node.clock = this.#clocks.add(node.spec.name)
  }

  /** Puts several times where they were. */
  restore(clocks: OwnState['clocks']): void {
    this.#clocks?.restore(clocks)
    this.#leaveOutEnded()
  }

  /** True where something moves time. */
  get hasOwner(): boolean {
    return this.#owners.length > 0
  }

  /** Passes a marker of the input to the operator that learns its time from them, where there is one. */
  mark(marker: Marker, input: number): void {
    const readers = this.#owners.filter(
      (owner) => owner.spec.readsMarkers === true && this.#inputsOf.get(owner)?.includes(input) === true,
    )
    if (readers.length === 0) return
    for (const reader of readers) reader.marker(marker)
    this.#leaveOutEnded()
    this.#clocks?.moved()
    if (!this.#haveOwnersEnded()) return
    // The log says that it has ended, so this is no step that a replay would have to be told of.
    this.domain.close((watermark) => this.domain.advance(watermark))
    this.closed()
  }

  /** What markers have to say of the task's time; null where that is what they said last. */
  get unmarked(): MarkedMoment | null {
    const watermark = Number.isFinite(this.domain.watermark) ? this.domain.watermark : null
    const isEnd = this.#isAtEnd()
    const last = this.#marked
    return last !== null && last.watermark === watermark && last.isEnd === isEnd ? null : { watermark, isEnd }
  }

  marked(moment: MarkedMoment): void {
    this.#marked = moment
  }

  /** What holds the time back of operators that learn theirs from markers, by the names of the operators. */
  holders(): ReadonlyMap<string, TimeHolder> {
    return new Map(
      this.#owners.flatMap((owner) => {
        const holder = owner.logic.heldBy?.() ?? null
        return holder === null ? [] : [[owner.spec.name, holder] as const]
      }),
    )
  }

  #isAtEnd(): boolean {
    if (this.#endedAt?.every((offset, input) => this.#inputs.nextOffsets[input] === offset) === true) return true
    return this.#haveOwnersEnded()
  }

  #haveOwnersEnded(): boolean {
    return this.#owners.length > 0 && this.#owners.every(hasEnded)
  }

  #leaveOutEnded(): void {
    for (const owner of this.#owners) if (owner.clock !== null) owner.clock.isLeftOut = hasEnded(owner)
  }

  /**
   * The times that may move by themselves.
   * @param trace of the graph; null where there is one input
   * @throws ConfigurationError on an `eventTime` that no input moves
   */
  idleClocks(inputs: readonly ResolvedInput[], trace: SubscriptionTrace | null): readonly IdleClock[] {
    const all = inputs.map((_, i) => i)
    if (this.#owners.length === 0) return [{ name: undefined, inputs: all }]
    const clocks = this.#owners.map((owner) => {
      const { spec } = owner
      const above = trace === null ? null : inputsAbove(trace, spec.name)
      const ofOperator = above === null ? all : all.filter((i) => above.has((inputs[i] as ResolvedInput).name))
      if (ofOperator.length > 0 && ofOperator.every((i) => inputs[i]?.movesTime === false)) throw this.#tableTime(spec)
      this.#inputsOf.set(owner, ofOperator)
      if (spec.readsMarkers === true) this.#checkMarked(spec, inputs, ofOperator)
      return { spec, name: this.#clocks === null ? undefined : spec.name, inputs: ofOperator }
    })
    // The silence of a hop says nothing: whoever writes it may be away.
    return clocks.flatMap(({ spec, name, inputs }) => (spec.readsMarkers === true ? [] : [{ name, inputs }]))
  }

  /** Records that time moves to the watermark without a record, and gives what moves it; null where it has come that far. */
  idle(watermark: number, clock: string | undefined): (() => void) | null {
    const owner = clock === undefined ? this.#owners[0] : this.#owners.find(({ spec }) => spec.name === clock)
    if (watermark <= (owner?.clock ?? this.domain).watermark) return null
    this.#idleAdvances.push({ ...this.#place(), watermark, ...(clock === undefined ? {} : { clock }) })
    return () => {
      if (owner === undefined) this.domain.advance(watermark)
      else owner.idle(watermark)
    }
  }

  /** Records that the inputs are declared ended. */
  end(): void {
    this.#inputEnds.push({ ...this.#place(), watermark: Math.max(this.domain.watermark, Number.MIN_SAFE_INTEGER) })
    this.#endedAt = [...this.#inputs.nextOffsets]
  }

  /** Moves time until nothing is open, and records each move. */
  close(): void {
    this.domain.close((watermark) => {
      this.#idleAdvances.push({ ...this.#place(), watermark })
      this.domain.advance(watermark)
    })
  }

  /** What was closed is closed for all times of the task. */
  closed(): void {
    this.#clocks?.catchUp()
  }

  /** How far each of several times has come. */
  get clocks(): OwnState['clocks'] {
    return this.#clocks?.saved() ?? noClocks
  }

  /** How many steps were recorded, where there are several inputs. */
  get steps(): number {
    return this.#steps
  }

  /** Hands over what was recorded since the last call. */
  take(): TimeSteps {
    const idleAdvances = this.#idleAdvances
    const inputEnds = this.#inputEnds
    this.#idleAdvances = []
    this.#inputEnds = []
    return { idleAdvances, inputEnds }
  }

  /** Of a step that is recorded now. */
  #place(): TaskPlace {
    const [offset, ...otherOffsets] = this.#inputs.nextOffsets
    if (otherOffsets.length === 0) return { offset: offset as number }
    this.#steps += 1
    return { offset: offset as number, otherOffsets, sequence: this.#steps }
  }

  #checkMarked({ name }: OperatorSpec, inputs: readonly ResolvedInput[], above: readonly number[]): void {
    if (new Set(above.map((i) => inputs[i]?.name)).size < above.length) {
      throw new ConfigurationError(
        `pipeline ${this.#pipeline}: ${name} stands below an input with partitions: 'all', and markers say how far one partition is. Leave partitions out: a task for each partition follows them exactly.`,
      )
    }
    if (above.length > 1) {
      throw new ConfigurationError(
        `pipeline ${this.#pipeline}: ${name} stands below several inputs, and the markers of each say how far that one is. Give each input an upstreamTime of its own, above the merge.`,
      )
    }
    if (inputs.length > 1 || inputs[0]?.idleAfterMs === undefined) return
    throw new ConfigurationError(
      `pipeline ${this.#pipeline}: idleAfterMs says that time follows the clock where nothing comes, and ${name} follows markers alone: what is silent may only be late. Leave idleAfterMs out here, and give it to the pipeline that writes the markers.`,
    )
  }

  #tableTime({ name }: OperatorSpec): ConfigurationError {
    return new ConfigurationError(
      `pipeline ${this.#pipeline}: ${name} takes its time from inputs with movesTime: false alone, which move none and hold none back; nothing below would ever be due. Leave it out, or leave out movesTime.`,
    )
  }
}

function hasEnded({ logic }: AnyNode): boolean {
  return logic.hasEnded?.() === true
}

const noClocks: OwnState['clocks'] = new Map()

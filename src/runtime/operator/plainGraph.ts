import type { Observable, Subscriber } from 'rxjs'
import { systemClock } from '../clock.ts'
import { MillraceError, OperatorError } from '../errors.ts'
import { Origin, type Rejected } from '../letters/deadLetters.ts'
import type { RecordFacts } from '../log/record.ts'
import { KeyedState } from '../state/keyedState.ts'
import { noAnswers } from '../store/answers.ts'
import type { RowMaker } from '../store/foreignRows.ts'
import { EventClocks } from '../time/eventClock.ts'
import { TimeDomain } from '../time/timeDomain.ts'
import { inGraphOrder, isAboveEarlier, operatorsBelow } from './graphOrder.ts'
import type { BuildLogic, OperatorSpec, Restored } from './operator.ts'
import type { OperatorHost } from './operatorHost.ts'
import { type AnyNode, OperatorNode } from './operatorNode.ts'

let building: PlainGraph | null = null
/** The operator that is being subscribed to, of that graph. */
let subscribing: AnyNode | null = null
/** The operators that move a time which reaches the one that is being subscribed to. */
let timesAbove: Set<AnyNode> | null = null
/** The time of the `eventTime` on whose stack the caller is. */
let active: TimeDomain | null = null
let graphs = 0
/** So many graphs above one operator have places apart. All others share the last one: between two numbers there are not more for ever. */
const mostApart = 1_000
/** How many graphs were put right above an operator that was there before them. */
const graphsAbove = new WeakMap<AnyNode, number>()

/**
 * Runs an operator outside of a task: state lives with the subscription, time is that of the `eventTime` above.
 *
 * Operators whose subscription brings each other about are one graph, whose order is that of a task: what is above comes first. Where two times meet, as at a join, they
 * are parts of one from there on, which is the lesser of both.
 */
export function subscribePlain<I, O>(
  spec: OperatorSpec,
  build: BuildLogic<I, O>,
  source: Observable<I>,
  subscriber: Subscriber<O>,
) {
  const outer = building
  // What is subscribed while a value is passed on (switchMap does) is no part of the graph that passes it, but a graph of its own.
  const graph = outer?.isBuiltIn(active) === true ? outer : new PlainGraph(active)
  const node = new OperatorNode(graph, spec, spec.ownsTime === true ? new TimeDomain() : null, subscriber)
  if (graph !== outer) graph.goAbove(node.any)
  graph.insert(node.any)
  node.build(noneSaved, build)
  if (graph === outer) subscribing?.sources.push(node.any)
  const subscribed = subscribing
  subscribing = node.any
  building = graph
  const below = timesAbove
  const above = new Set<AnyNode>()
  timesAbove = above
  try {
    source.subscribe(node)
  } finally {
    building = outer
    subscribing = subscribed
    timesAbove = below
    graph.goBelow(node.any)
  }
  for (const time of spec.ownsTime === true ? [node.any] : above) below?.add(time)
  if (above.size > 1 && spec.ownsTime !== true) bringTogether(node.any, [...above])
  return node
}

/** Makes the times above the node parts of one. Nothing may have come below them, for it would have been of another time. */
function bringTogether(node: AnyNode, owners: readonly AnyNode[]): void {
  if (owners.some(({ valuesIn }) => valuesIn > 0)) {
    // To who heeds no time, it is all one that history has ended before what is live began.
    if (heedsTime(node)) node.fail(metTooLate(node))
    return
  }
  // A join below joins: the parts of its parts are its own.
  const all = new Set(owners.flatMap((owner) => partsOf.get(owner.time as TimeDomain)?.owners ?? [owner]))
  const time = new TimeDomain()
  const clocks = new EventClocks(time, true)
  for (const [i, owner] of [...all].entries()) {
    owner.time?.remove(owner)
    owner.bindTime(time)
    owner.clock = clocks.add(String(i))
  }
  partsOf.set(time, { owners: [...all], waiting: new Set() })
}

/** False of those to which it is the same when a value comes, and what time it is. */
function heedsTime({ spec, logic }: AnyNode): boolean {
  return spec.isOrderFree !== true || logic.onWatermark !== undefined || logic.onTimer !== undefined
}

function metTooLate({ spec: { name } }: AnyNode): OperatorError {
  return new OperatorError(
    `${name}: values below two eventTime operators meet here, and one of the two had begun before both were subscribed to, so its time was over for the other. Let the sources begin ` +
      'later than that: of and from give all they have at once, unless observeOn(asapScheduler) follows; a shared stream may have begun for somebody else. Or merge by time above one eventTime.',
  )
}

interface Parts {
  /** The operators that move them. */
  readonly owners: readonly AnyNode[]
  /** Operators whose input has ended before others have, with something open: it comes when it is due. */
  readonly waiting: Set<AnyNode>
}

/** Of a time that is made of several. */
const partsOf = new WeakMap<TimeDomain, Parts>()

const noneSaved: Restored = {
  snapshot: undefined,
  keyed: () => new KeyedState(null),
  maps: [],
  nameToday: (name) => name,
  watermark: Number.NEGATIVE_INFINITY,
  origin: (saved) => Origin.decode(saved, new Map()),
}

class PlainGraph implements OperatorHost {
  readonly isTask = false
  readonly provenance = { gate: 1 }
  readonly isRedriven = false
  readonly isSecondTime = false
  readonly clock = systemClock
  readonly tasks = 1
  readonly recordTime = null
  readonly answers = noAnswers
  maker: RowMaker | null = null
  readonly facts: RecordFacts = { isJsonObject: false }
  readonly ahead = null
  stage: AnyNode | null | undefined = null
  /** Between which places its operators stand. */
  #from = graphs++
  #until = graphs
  readonly #builtIn: TimeDomain | null
  readonly #nodes: AnyNode[] = []
  /** Where the next operator that subscribes stands: above the one that it is subscribed by. */
  #at = 0
  readonly #warned = new Set<string>()

  /** @param time on whose stack the subscriptions that make the graph come */
  constructor(time: TimeDomain | null) {
    this.#builtIn = time
  }

  isBuiltIn(time: TimeDomain | null): boolean {
    return time === this.#builtIn
  }

  insert(node: AnyNode): void {
    this.#nodes.splice(this.#at, 0, node)
    this.#order()
  }

  /** What the graph's values come to may be there already, as below `groupBy` or `connectable`: then the graph stands right above the first of that, behind others that do. */
  goAbove(last: AnyNode): void {
    let first: { readonly node: AnyNode; readonly graph: PlainGraph } | null = null
    for (const node of operatorsBelow(last)) {
      const { host: graph, order } = node
      // Those of a task are in no graph, and refuse values that come from outside.
      if (graph instanceof PlainGraph && order < (first?.node.order ?? this.#until)) first = { node, graph }
    }
    if (first === null) return
    const { node, graph } = first
    const from = graph.#placeBefore(node)
    const width = node.order - from
    const before = Math.min(graphsAbove.get(node) ?? 0, mostApart)
    graphsAbove.set(node, before + 1)
    this.#until = node.order - width / (before + 2)
    this.#from = node.order - width / (before + 1)
  }

  #placeBefore({ order }: AnyNode): number {
    return this.#nodes.findLast((node) => node.order < order)?.order ?? this.#from
  }

  #order(): void {
    const step = (this.#until - this.#from) / (this.#nodes.length + 1)
    for (const [i, node] of this.#nodes.entries()) node.order = this.#from + step * (i + 1)
  }

  /**
   * Values of this time come to the graph, so it is below who passes them on. It may have been subscribed to before that, where a Subject is between the two, as `connectable` and `connect` put one there: then it
   * moves behind.
   */
  #enter(time: TimeDomain, node: AnyNode): void {
    if (node.order < time.orderNow && this.#nodes.every((one) => one.time !== time)) {
      this.#from = graphs++
      this.#until = graphs
      this.#order()
    }
    node.bindTime(time)
  }

  goBelow(node: AnyNode): void {
    if (isAboveEarlier(node)) {
      this.#nodes.splice(0, this.#nodes.length, ...inGraphOrder(this.#nodes))
      this.#order()
      for (const time of new Set(this.#nodes.map(({ time }) => time))) time?.sort()
    }
    this.#at = this.#nodes.indexOf(node) + 1
  }

  admits(node: AnyNode): boolean {
    if (active === null || node.time === active || node.spec.ownsTime === true) return true
    if (node.time === null) this.#enter(active, node)
    else if (node.spec.isOrderFree !== true) node.fail(metTooLate(node))
    return !node.closed
  }

  elsewhere(): undefined {}

  record(): void {}

  askedPlace() {
    return { input: 0, offset: -1, ordinal: 0 }
  }

  holdBack(): void {}

  failed(node: AnyNode, error: unknown): void {
    const { name, onReject } = node.spec
    if (onReject === undefined || error instanceof MillraceError) {
      node.fail(error)
      return
    }
    try {
      tell(onReject, { operator: name, reason: 'failed', detail: String(error) })
    } catch (refusal) {
      node.fail(refusal)
    }
  }

  stepFailed(node: AnyNode, error: unknown): void {
    node.fail(error)
  }

  reject(rejected: Rejected, spec: OperatorSpec): void {
    if (spec.onReject !== undefined) tell(spec.onReject, rejected)
    else if (!this.#warned.has(spec.name)) {
      this.#warned.add(spec.name)
      process.emitWarning(
        `${spec.name} drops values (first: ${rejected.reason}: ${rejected.detail}). Give it onReject to receive them, ` +
          'or run it in a pipeline, where they become dead letters.',
        'MillraceDroppedValue',
      )
    }
  }

  origin(): Origin {
    return nowhere()
  }

  during(_origin: Origin, act: () => void): void {
    act()
  }

  later(): (act: () => void) => void {
    return (act) => act()
  }

  timed(act: () => void): void {
    act()
  }

  /** Outside of a task no records are read ahead. */
  failedAt(): void {}

  workDone(node: AnyNode): void {
    node.work?.release()
    node.completeWhenIdle()
  }

  outlives(node: AnyNode): boolean {
    const parts = node.time === null ? undefined : partsOf.get(node.time)
    if (parts === undefined || parts.owners.every(({ hasEnded }) => hasEnded)) return false
    if (node.spec.ownsTime === true || !node.isOpen) return false
    parts.waiting.add(node)
    return true
  }

  left(node: AnyNode): void {
    const parts = node.time === null ? undefined : partsOf.get(node.time)
    if (parts === undefined) return
    parts.waiting.delete(node)
    if (node.spec.ownsTime !== true || !parts.owners.every(({ hasEnded }) => hasEnded)) return
    const waiting = [...parts.waiting].sort((a, b) => a.order - b.order)
    for (const one of waiting) one.completeWhenIdle()
  }

  enterTime(time: TimeDomain | null): TimeDomain | null {
    const before = active
    active = time
    return before
  }

  close(time: TimeDomain): void {
    time.close((until) => time.advance(until))
  }
}

/** What `onReject` throws ends the stream of its operator: thrown on, it would reach operators above, in the midst of a move of time. */
function tell(onReject: NonNullable<OperatorSpec['onReject']>, rejected: Rejected): void {
  try {
    onReject(rejected)
  } catch (cause) {
    const { operator, reason, detail } = rejected
    throw new OperatorError(
      `${operator}: its onReject has thrown at a value that was set aside (${reason}: ${detail})`,
      { cause },
    )
  }
}

/** Values of a plain program come from no record. One for each, which knows who holds it and goes with it. */
const nowhere = () => Origin.at(0, -1)

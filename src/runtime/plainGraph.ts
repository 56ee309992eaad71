import type { Observable, Subscriber } from 'rxjs'
import { Origin, type Rejected } from './deadLetters.ts'
import { MillraceError, OperatorError } from './errors.ts'
import type { RowMaker } from './foreignRows.ts'
import { KeyedState } from './keyedState.ts'
import type { BuildLogic, OperatorSpec, Restored } from './operator.ts'
import { type AnyNode, type OperatorHost, OperatorNode } from './operatorNode.ts'
import type { RecordFacts } from './record.ts'
import { TimeDomain } from './timeDomain.ts'

let building: PlainGraph | null = null
/** The time of the `eventTime` on whose stack the caller is. */
let active: TimeDomain | null = null
let graphs = 0

/** So many operators has no graph; it keeps the orders of different graphs apart. */
const mostNodes = 2 ** 20

/**
 * Runs an operator outside of a task: state lives with the subscription, time is that of the `eventTime` above.
 *
 * Operators whose subscription brings each other about are one graph, whose order is that of a task: what is above comes first.
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
  graph.insert(node.any)
  node.build(noneSaved, build)
  building = graph
  try {
    source.subscribe(node)
  } finally {
    building = outer
    graph.goBelow(node.any)
  }
  return node
}

const noneSaved: Restored = {
  snapshot: undefined,
  keyed: (codec) => new KeyedState(codec),
  maps: [],
  nameToday: (name) => name,
  watermark: Number.NEGATIVE_INFINITY,
  origin: (saved) => Origin.decode(saved, new Map()),
}

class PlainGraph implements OperatorHost {
  readonly isTask = false
  readonly provenance = { gate: 1 }
  readonly isRedriven = false
  readonly isLookingAhead = false
  readonly isSecondTime = false
  maker: RowMaker | null = null
  readonly facts: RecordFacts = { isJsonObject: false }
  stage: AnyNode | null | undefined = null
  readonly #number = graphs++
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
    for (let i = this.#at; i < this.#nodes.length; i++) {
      ;(this.#nodes[i] as AnyNode).order = this.#number * mostNodes + i
    }
  }

  goBelow(node: AnyNode): void {
    this.#at = this.#nodes.indexOf(node) + 1
  }

  admits(node: AnyNode): boolean {
    if (active === null || node.time === active || node.spec.ownsTime === true || node.spec.isOrderFree === true)
      return true
    if (node.time === null) node.bindTime(active)
    else {
      node.fail(
        new OperatorError(
          `${node.spec.name}: values below two eventTime operators meet here, and each has a time of its own. Share one eventTime, or merge above it.`,
        ),
      )
    }
    return !node.closed
  }

  elsewhere(): undefined {}

  holdBack(): void {}

  failed(node: AnyNode, error: unknown): void {
    const { name, onReject } = node.spec
    if (onReject === undefined || error instanceof MillraceError) node.fail(error)
    else onReject({ operator: name, reason: 'failed', detail: String(error) })
  }

  stepFailed(node: AnyNode, error: unknown): void {
    node.fail(error)
  }

  reject(rejected: Rejected, spec: OperatorSpec): void {
    if (spec.onReject !== undefined) spec.onReject(rejected)
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
    return nowhere
  }

  during(_origin: Origin, act: () => void): void {
    act()
  }

  timed(act: () => void): void {
    act()
  }

  workDone(node: AnyNode): void {
    node.work?.release()
    node.completeWhenIdle()
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

/** Values of a plain program come from no record. */
const nowhere = Origin.at(0, -1)

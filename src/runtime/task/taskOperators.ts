import type { Observable, Subscriber } from 'rxjs'
import { OperatorError } from '../errors.ts'
import { inGraphOrder } from '../operator/graphOrder.ts'
import type { BuildLogic, Cut, OperatorSpec } from '../operator/operator.ts'
import type { OperatorHost } from '../operator/operatorHost.ts'
import { type AnyNode, OperatorNode } from '../operator/operatorNode.ts'
import type { MakingWindow } from '../store/foreignRows.ts'
import type { OperatorCounts } from '../worker/operatorTally.ts'
import type { TaskState } from './taskState.ts'
import type { OperatorStatus } from './taskStatus.ts'
import type { TaskSurroundings } from './taskSurroundings.ts'
import type { TaskTime } from './taskTime.ts'

/** The operators of one task, each behind all that is above it. */
export class TaskOperators {
  readonly all: AnyNode[] = []
  /** Those that wait for asynchronous work. */
  readonly #asynchronous: AnyNode[] = []
  readonly #pipeline: string
  readonly #host: OperatorHost
  readonly #time: TaskTime
  readonly #state: TaskState
  readonly #watch: TaskSurroundings['watch']
  #isSealed = false
  /** For which operators are subscribed to at the moment. */
  #below: AnyNode | null = null

  constructor(
    pipeline: string,
    host: OperatorHost,
    time: TaskTime,
    state: TaskState,
    watch: TaskSurroundings['watch'],
  ) {
    this.#pipeline = pipeline
    this.#host = host
    this.#time = time
    this.#state = state
    this.#watch = watch
  }

  /** Takes an operator in, after everything upstream of it, and gives what is to be torn down with its subscription. */
  subscribe<I, O>(spec: OperatorSpec, build: BuildLogic<I, O>, source: Observable<I>, subscriber: Subscriber<O>) {
    if (this.#isSealed) {
      throw new OperatorError(
        `${spec.name}: subscribed after the graph of pipeline ${this.#pipeline} was built. Build every operator in build(), ` +
          'and subscribe to nothing later (switchMap, defer, retry and repeat do).',
      )
    }
    const node = new OperatorNode(this.#host, spec, this.#time.domain, subscriber)
    const below = this.#below
    below?.sources.push(node.any)
    this.#below = node.any
    try {
      source.subscribe(node)
    } finally {
      this.#below = below
    }
    // Upstream has bound itself during its own subscribe, so binding now makes the order of operators topological.
    node.order = this.all.length
    node.isAwake = this.#state.hasSaved(spec.name)
    node.build(this.#state.restoredFor(spec), build, this.#watch)
    this.#state.bind(node)
    this.all.push(node.any)
    if (node.work !== null) this.#asynchronous.push(node.any)
    if (spec.ownsTime === true) this.#time.own(node.any)
    return node
  }

  /** The graph is built: no further operator is taken in. */
  seal(): void {
    this.#isSealed = true
    this.all.splice(0, this.all.length, ...inGraphOrder(this.all))
    for (const [i, node] of this.all.entries()) node.order = i
    this.#time.domain.sort()
  }

  /** True where none waits for asynchronous work. */
  get isSynchronous(): boolean {
    return this.#asynchronous.length === 0
  }

  /** Those that ask somebody outside, and whether what they are answered is stored. */
  get asking(): readonly { readonly operator: string; readonly isRecorded: boolean }[] {
    return this.#asynchronous.map(({ spec: { name, recordsAnswers } }) => ({
      ...{ operator: name, isRecorded: recordsAnswers === true },
    }))
  }

  /** True while asynchronous work leaves no room for another record. */
  get isSaturated(): boolean {
    return this.#asynchronous.some(({ work }) => work?.isSaturated === true)
  }

  /** True when no asynchronous work is under way. */
  get isSettled(): boolean {
    return this.#asynchronous.every(({ work }) => work?.isIdle === true)
  }

  /**
   * Waits for asynchronous work and lets its results through, and what they set off, until none is under way.
   * @param inGraph runs what lets them through
   */
  async settle(inGraph: (act: () => void) => void): Promise<void> {
    while (!this.isSettled) {
      for (const { work } of this.#asynchronous) {
        if (work === null || work.isIdle) continue
        await work.settle()
        inGraph(() => work.release())
      }
    }
  }

  /** Ends asynchronous work: what is under way is not waited for, and nothing is started any more. */
  abandon(): void {
    for (const { work } of this.#asynchronous) work?.abandon()
  }

  /** Each lets go of what must not span a checkpoint. */
  cut(cut: Cut): void {
    for (const node of this.all) node.cut(cut)
  }

  /** The input is declared ended. */
  endInput(): void {
    for (const node of this.all) node.endInput()
  }

  /** The row of this window is another task's: tells the operator that makes it, and those that fold it. */
  leaveElsewhere(window: MakingWindow, folds: readonly string[], detail: string): void {
    for (const node of this.all) {
      const { name } = node.spec
      if (name === window.name || folds.includes(name)) node.elsewhere(window, detail)
    }
  }

  /** Those that still hold something open, and the watermark that each waits for. */
  open(): { readonly name: string; readonly until: number }[] {
    return this.all.flatMap((node) => {
      const until = node.openUntil()
      return until === undefined ? [] : [{ name: node.spec.name, until }]
    })
  }

  /** How many values came to each since the task's start, and how many it passed on. */
  counts(): OperatorCounts {
    return this.all.map(({ spec: { name }, valuesIn, valuesOut }) => ({ name, valuesIn, valuesOut }))
  }

  /** The same, and what they hold. */
  status(): OperatorStatus[] {
    return this.all.map((node) => ({
      name: node.spec.name,
      valuesIn: node.valuesIn,
      valuesOut: node.valuesOut,
      keyCount: this.#state.keyCountOf(node.spec.name),
      openUntil: node.openUntil() ?? null,
      heldBy: node.logic.heldBy?.()?.text ?? null,
    }))
  }
}

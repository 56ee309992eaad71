import { OperatorError } from './errors.ts'
import type { AnyNode } from './operatorNode.ts'

/** One value that an operator emitted at some offset: how manieth of its values there it was, from 1. Null for the record itself. */
export interface Emission {
  readonly operator: string | null
  readonly ordinal: number
}

/**
 * A step of RxJS, which is no operator of ours, has thrown. It has ended its stream, so the task cannot go on; one that is restored can, if it leaves out the value.
 */
export class StepFailure extends OperatorError {
  /** What the step could not take; null where nobody watched. */
  readonly emission: Emission | null
  readonly detail: string

  constructor(message: string, place: { pipeline: string; offset: number; cause: unknown; emission: Emission | null }) {
    super(message, place)
    this.emission = place.emission
    this.detail = String(place.cause)
  }
}

/** A value that is left out, because a step below cannot take it. */
export interface LeftOut extends Emission {
  readonly detail: string
}

/** Watches what operators emit at one offset, to tell on which value a step fails, and leaves out those that are known. */
export class EmissionWatch {
  readonly #leftOut: readonly LeftOut[]
  readonly #onLeftOut: (leftOut: LeftOut) => void
  readonly #counts = new Map<AnyNode, number>()
  /** The value that is on its way. */
  current: Emission = { operator: null, ordinal: 1 }

  constructor(leftOut: readonly LeftOut[], onLeftOut: (leftOut: LeftOut) => void) {
    this.#leftOut = leftOut
    this.#onLeftOut = onLeftOut
  }

  /** True when the record itself is left out, and says so. */
  leavesOutRecord(): boolean {
    const known = this.#leftOut.find(({ operator }) => operator === null)
    if (known !== undefined) this.#onLeftOut(known)
    return known !== undefined
  }

  start(nodes: readonly AnyNode[]): void {
    for (const node of nodes) {
      const emit = Object.getPrototypeOf(node).emit as AnyNode['emit']
      node.emit = (value) => this.#emit(node, () => emit.call(node, value))
      const emitAt = Object.getPrototypeOf(node).emitAt as AnyNode['emitAt']
      node.emitAt = (time, value) => this.#emit(node, () => emitAt.call(node, time, value))
    }
  }

  stop(nodes: readonly AnyNode[]): void {
    for (const node of nodes) {
      // In the order that lets the objects have their former shape again.
      Reflect.deleteProperty(node, 'emitAt')
      Reflect.deleteProperty(node, 'emit')
    }
  }

  #emit(node: AnyNode, emit: () => void): void {
    const ordinal = (this.#counts.get(node) ?? 0) + 1
    this.#counts.set(node, ordinal)
    const known = this.#leftOut.find((one) => one.operator === node.spec.name && one.ordinal === ordinal)
    if (known !== undefined) {
      this.#onLeftOut(known)
      return
    }
    const before = this.current
    this.current = { operator: node.spec.name, ordinal }
    emit()
    this.current = before
  }
}

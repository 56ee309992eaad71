import { OperatorError } from '../errors.ts'
import type { AnyNode } from '../operator/operatorNode.ts'
import { placeKey } from './deadLetters.ts'
import type { RecordPlace } from './provenance.ts'

/** One value that an operator emitted because of some record: how manieth of its values that was, from 1. Null for the record itself. */
export interface Emission {
  readonly operator: string | null
  readonly ordinal: number
}

/** An emission that a step has failed on, and those left out on its way there: they will not come about when it is left out itself. */
export interface FailedEmission extends Emission {
  readonly leftOutBelow: readonly Emission[]
}

/**
 * A step of RxJS, which is no operator of ours, has thrown. It has ended its stream, so the task cannot go on; one that is restored can, if it leaves out the value.
 */
export class StepFailure extends OperatorError {
  /** Which input the record was of. Its offset is that of the error. */
  readonly input: number
  /** What the step could not take; null where nobody watched. */
  readonly emission: FailedEmission | null
  /** Why the value is set aside: of a letter. */
  readonly reason: string
  readonly detail: string

  constructor(
    message: string,
    place: { pipeline: string; input: number; offset: number; cause: unknown; emission: FailedEmission | null },
    reason = 'failed',
  ) {
    super(message, place)
    this.input = place.input
    this.emission = place.emission
    this.reason = reason
    this.detail =
      reason === 'failed' ? `a step below could not take this value: ${String(place.cause)}` : String(place.cause)
  }
}

/** What stands for the record itself. */
export const wholeRecord: FailedEmission = { operator: null, ordinal: 1, leftOutBelow: [] }

/** A value that is left out, because a step below cannot take it. */
export interface LeftOut extends Emission {
  readonly reason: string
  readonly detail: string
}

/** What is left out because of a record; undefined where nothing has failed. */
export interface LeftOutAt {
  at(input: number, offset: number): readonly LeftOut[] | undefined
}

/**
 * Watches what operators emit, to tell on which value a step fails, and leaves out those that are known. A value is found again by the record that has caused it and not by the one at which it was let
 * through, for that is another in each attempt below a call.
 *
 * Counts values for the records alone where some are known.
 */
export class EmissionWatch {
  readonly #leftOut: LeftOutAt
  readonly #provenance: { readonly cause: RecordPlace }
  readonly #onLeftOut: (leftOut: LeftOut) => void
  /** By the places of the records. */
  readonly #counts = new Map<string, Map<AnyNode, number>>()
  /** Those of the values known that have come about. */
  readonly #met: Emission[] = []
  /** The value that is on its way, and how many were left out before it. */
  #current = { operator: null as string | null, ordinal: 1, metBefore: 0 }

  constructor(leftOut: LeftOutAt, provenance: { readonly cause: RecordPlace }, onLeftOut: (leftOut: LeftOut) => void) {
    this.#leftOut = leftOut
    this.#provenance = provenance
    this.#onLeftOut = onLeftOut
  }

  /** What the step that has just thrown could not take. */
  get failed(): FailedEmission {
    const { operator, ordinal, metBefore } = this.#current
    return { operator, ordinal, leftOutBelow: this.#met.slice(metBefore) }
  }

  /** True when the record itself is left out, and says so. */
  leavesOutRecord(): boolean {
    const known = this.#known()?.find(({ operator }) => operator === null)
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

  #known(): readonly LeftOut[] | undefined {
    const { input, offset } = this.#provenance.cause
    return this.#leftOut.at(input, offset)
  }

  #emit(node: AnyNode, emit: () => void): void {
    const leftOut = this.#known()
    const ordinal = leftOut === undefined ? 0 : this.#next(node)
    const known = leftOut?.find((one) => one.operator === node.spec.name && one.ordinal === ordinal)
    if (known !== undefined) {
      this.#met.push(known)
      this.#onLeftOut(known)
      return
    }
    const before = this.#current
    this.#current = { operator: node.spec.name, ordinal, metBefore: this.#met.length }
    emit()
    this.#current = before
  }

  #next(node: AnyNode): number {
    const { input, offset } = this.#provenance.cause
    const key = placeKey(input, offset)
    const counts = this.#counts.get(key) ?? new Map<AnyNode, number>()
    this.#counts.set(key, counts)
    const ordinal = (counts.get(node) ?? 0) + 1
    counts.set(node, ordinal)
    return ordinal
  }
}

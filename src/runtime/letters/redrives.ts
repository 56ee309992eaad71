import { notThere } from '../graph/graphErrors.ts'
import type { RedriveWays } from '../graph/redriveWays.ts'
import type { RecordView } from '../log/record.ts'
import type { AnyNode } from '../operator/operatorNode.ts'
import type { Pipeline } from '../pipeline/pipeline.ts'
import { nameToday } from '../state/renamedOperators.ts'
import { redriveTarget } from './deadLetters.ts'
import type { Provenance } from './provenance.ts'
import type { SetAside } from './setAside.ts'

/** Records that come to a task a second time, each for the operator that had set it aside. */
export class Redrives {
  readonly #pipeline: Pipeline
  readonly #provenance: Provenance
  readonly #aside: SetAside
  #ways: RedriveWays | null = null

  constructor(pipeline: Pipeline, provenance: Provenance, aside: SetAside) {
    this.#pipeline = pipeline
    this.#provenance = provenance
    this.#aside = aside
  }

  /** Tells which ways there are, before the first record. */
  goBy(ways: RedriveWays): void {
    this.#ways = ways
  }

  /** The operator that the record is for; null for one that comes for all, undefined where it is for another pipeline. */
  targetOf(record: RecordView): string | null | undefined {
    const target = redriveTarget(record, this.#pipeline.name)
    return target == null ? target : nameToday(target, this.#pipeline)
  }

  /**
   * Runs `deliver` for the operator that had set the record aside; for none, as what any record does. Nothing is taken of a record several values of which would come there: so there is one way
   * at most, and what an asynchronous operator on it lets go is looked at again.
   */
  run(target: string | null, deliver: () => void): void {
    const provenance = this.#provenance
    const arrivals = target === null ? 0 : provenance.arrivalsAt(target, deliver)
    if (target === null || arrivals <= 1) provenance.redriving(target, deliver, (missed) => this.#explain(missed))
    else this.#explain(target, `${arrivals} values of it come there, and which of them was set aside is not known`)
  }

  /** Whether the value goes on as any other does. One that has come to where it was set aside is handed over here. */
  admits(node: AnyNode, value: unknown): boolean {
    const provenance = this.#provenance
    const { redrivenFor } = provenance
    const { name } = node.spec
    if (redrivenFor === name) provenance.arrived(() => node.handle(value))
    else if (redrivenFor === null) return true
    else if (this.#ways?.leads(name, redrivenFor) !== true) return false
    else if (!provenance.isLookingAhead || node.work === null) return true
    else provenance.expectLater()
    return false
  }

  #explain(target: string, why = notThere): void {
    this.#aside.add({
      operator: target,
      reason: 'not-redrivable',
      detail: `the record was sent again for ${target}, but ${why}`,
    })
  }
}

import { emitsAtRest, mixesRows } from '../graph/graphErrors.ts'
import type { Elsewhere } from '../letters/elsewhere.ts'
import { atRest, type Provenance } from '../letters/provenance.ts'
import type { SetAside } from '../letters/setAside.ts'
import type { AnyNode } from '../operator/operatorNode.ts'
import type { PackedRowBuffer } from '../outlets/packedRowBuffer.ts'
import { type IsElsewhere, letterName, type ResultBuffer } from '../outlets/resultBuffer.ts'
import { resultText } from '../outlets/resultText.ts'
import type { Pipeline } from '../pipeline/pipeline.ts'
import { elsewhereReason, type RowMaker } from '../store/foreignRows.ts'
import { RecordResults } from './recordResults.ts'
import type { TaskFailure } from './taskFailure.ts'
import type { TaskLimits } from './workerLimits.ts'

/** How results come. */
export interface ResultsOf {
  readonly provenance: Provenance
  /** The loose operator that they come from, or null; undefined where that is not known. */
  readonly stage: AnyNode | null | undefined
  /** The window that has made the row, or null. */
  makerOf(row: unknown): RowMaker | null
}

/** What comes to the outlets of a task: into their buffers, or aside where an outlet cannot take it, or it is another task's. */
export class TaskResults {
  /** True where rows are rendered as they come, so that one that cannot be is set aside with its record. Otherwise the store is who finds out. */
  rendersRows = false
  /** What is known of rows that are other tasks'. */
  elsewhere: Elsewhere | null = null
  /** Counts results, ever. */
  brought = 0
  readonly #of: ResultsOf
  readonly #pipeline: Pipeline
  readonly #failure: TaskFailure
  readonly #aside: SetAside
  readonly #nextOffsets: readonly number[]
  readonly #own: RecordResults
  readonly #makerOf = (row: unknown): RowMaker | null => this.#of.makerOf(row)

  constructor(
    of: ResultsOf,
    pipeline: Pipeline,
    failure: TaskFailure,
    aside: SetAside,
    nextOffsets: readonly number[],
    limits: TaskLimits,
  ) {
    this.#of = of
    this.#pipeline = pipeline
    this.#failure = failure
    this.#aside = aside
    this.#nextOffsets = nextOffsets
    this.#own = new RecordResults(limits)
  }

  /** Another record is pushed. */
  beginRecord(): void {
    this.#own.begin()
  }

  collect(outlet: ResultBuffer, result: unknown): void {
    const { provenance } = this.#of
    const { redrivenFor } = provenance
    if (provenance.gate === atRest) this.#failure.fail(emitsAtRest(outlet.name))
    else if (redrivenFor === null) this.#add(outlet, result)
    else if (redrivenFor === letterName(outlet)) provenance.arrived(() => this.#add(outlet, result))
  }

  /** How many bytes a result may have that comes together with those of other records, where there are so many outlets. */
  shareOf(outlets: number): number {
    return this.#own.shareOf(outlets)
  }

  /** So many first rows that the outlet was asked about are results. */
  keep(outlet: PackedRowBuffer, count: number): void {
    this.brought += count
    outlet.keep(count)
  }

  #add(outlet: ResultBuffer, result: unknown): void {
    const failure = this.#failure
    this.brought += 1
    if (outlet.isMixedBy(this.#of.stage)) failure.fail(mixesRows(outlet.name))
    // The rest of what a failed attempt brings about is not kept: there may be no end of it.
    if (failure.hasHappened) return
    const setsAside = outlet.findsBadAtOnce ? this.#pipeline.onError !== 'stop' : this.rendersRows
    const before = outlet.size
    const bytesBefore = outlet.bytes
    try {
      const setAside = setsAside ? (detail: string) => this.#setAside(outlet, outlet.badReason, detail) : null
      outlet.add(result, setAside, this.#makerOf, this.#isElsewhere(outlet))
    } catch (error) {
      failure.failResult(error)
    }
    if (!this.#of.provenance.isOwnDoing) return
    const tooMany = this.#own.add(outlet.size - before, outlet.bytes - bytesBefore)
    if (tooMany !== null) failure.failRecord(tooMany)
  }

  #setAside(outlet: ResultBuffer, reason: string, detail: string): void {
    this.#aside.add({ operator: letterName(outlet), reason, detail })
  }

  #isElsewhere(outlet: ResultBuffer): IsElsewhere | null {
    const { elsewhere } = this
    if (elsewhere === null || elsewhere.isEmpty) return null
    return (table, key, row) => {
      const { provenance } = this.#of
      const maker = this.#makerOf(row)
      const isAsked = maker !== null || provenance.isSecondTime
      const why = elsewhere.rowDetail(table, key, isAsked, this.#nextOffsets)
      if (why === undefined) return false
      // Without a record the row itself is all that is left of it.
      const detail = provenance.origin().payload === null ? `${why}; it was ${resultText(row)}` : why
      if (maker?.isClosed !== false) this.#setAside(outlet, elsewhereReason, detail)
      return true
    }
  }
}

import type { AnyNode } from '../operator/operatorNode.ts'
import type { RowMaker } from '../store/foreignRows.ts'

/** True for a row of the table, by its natural key, that belongs to another task; it is set aside then. */
export type IsElsewhere = (table: string, key: () => string, row: unknown) => boolean

/** What came to one outlet between two cuts. */
export interface ResultBuffer {
  /** Of the outlet. */
  readonly name: string
  /** Why something is set aside that the outlet cannot take. */
  readonly badReason: string
  /** Whether it finds that out when the result comes; otherwise the store does, unless somebody looks before. */
  readonly findsBadAtOnce: boolean
  /** In rows or messages. */
  readonly size: number
  /** Of the same, roughly. */
  readonly bytes: number
  /**
   * Takes one result or a batch of them. With `onBad`, one that the outlet cannot take is left out, and told; without it, who finds out is the store, if anybody.
   * @param makerOf gives the window that has made a row, or null
   * @param isElsewhere asked about rows; null where none is known to belong to another task
   */
  add(
    result: unknown,
    onBad: ((detail: string) => void) | null,
    makerOf: (row: unknown) => RowMaker | null,
    isElsewhere: IsElsewhere | null,
  ): void
  /**
   * True where results that are let go at checkpoints meet others, and the later one of a key replaces the earlier: which one that is would be chance.
   * @param stage the loose operator that the result comes from, or null; undefined where that is not known
   */
  isMixedBy(stage: AnyNode | null | undefined): boolean
}

/** An outlet may have the name of an operator; a letter says which of them it was. */
export function letterName({ name }: Pick<ResultBuffer, 'name'>): string {
  return `outlet ${name}`
}

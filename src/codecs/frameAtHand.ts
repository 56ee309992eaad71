import type { Fixed8 } from '../exact/decimal.ts'
import type { FrameColumns } from './frameColumns.ts'
import type { FrameValues } from './objectBuilder.ts'
import type { LeafPlan } from './schemaPlan.ts'

/** What the columns say of one frame. */
export class FrameAtHand implements FrameValues {
  readonly columns: FrameColumns
  layout = 0
  row = 0

  constructor(columns: FrameColumns) {
    this.columns = columns
  }

  moveTo(row: number): void {
    this.layout = this.columns.layouts[row] as number
    this.row = row
  }

  has(slot: number): boolean {
    return this.columns.has(this.layout, slot)
  }

  isNull(slot: number): boolean {
    return this.columns.isNull(this.layout, slot)
  }

  value({ kind, slot }: LeafPlan): string | Fixed8 | number | boolean {
    if (kind === 'string') return this.columns.texts(slot).at(this.row)
    const number = this.columns.numbers(slot)[this.row] as number
    return kind === 'boolean' ? number === 1 : number
  }
}

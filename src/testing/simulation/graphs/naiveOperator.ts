import { type Item, throwOn } from './item.ts'

/** An operator in the most direct form that its docstring allows: nothing is saved, and time is looked at again at every move. */
export interface NaiveOperator {
  take(item: Item, at: number): void
  /** Time has come to the watermark, from the one before. */
  onMove?(watermark: number, before: number): void
  /** True while there is something that the end of all time must bring out. */
  isOpen?(): boolean
  /** The run is over: what is shown of what is still open. */
  onEnd?(): void
}

/** What an operator may do. */
export interface NaiveOutput {
  emit(item: Item, at: number): void
  setAside(operator: string): void
  /** As the operator has been told it. */
  watermark(): number
}

/** True where a callback was drawn to throw on the value. */
export function throws(residue: number | null, item: Item): boolean {
  try {
    throwOn(residue, item)
    return false
  } catch {
    return true
  }
}

import type { LookupAnswer } from '../store/answers.ts'
import type { DeadLetter, IdleAdvance, InputEnd, MessageWrite, StateFrame, TableWrite } from '../store/checkpoint.ts'
import type { RowMaker } from '../store/foreignRows.ts'

/** Everything that a task has to say at a cut; the worker adds the archive's share and commits it. */
export interface TaskCut {
  readonly nextOffset: number
  /** Of the other inputs, in their order. */
  readonly otherOffsets: readonly number[]
  readonly watermark: number | null
  readonly state: StateFrame
  /** Stored behind it: a portion of the whole state. */
  readonly portion?: StateFrame
  readonly writes: readonly TableWrite[]
  /** The window that made each row, write for write; null for a row that none did. */
  readonly makers: readonly (readonly (RowMaker | null)[])[]
  readonly messages: readonly MessageWrite[]
  /** How many rows or messages there are of each outlet. */
  readonly results: ReadonlyMap<string, number>
  readonly deadLetters: readonly DeadLetter[]
  readonly answers: readonly LookupAnswer[]
  readonly idleAdvances: readonly IdleAdvance[]
  readonly inputEnds: readonly InputEnd[]
}

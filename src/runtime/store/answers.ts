/** Where a value stands that an operator asks something about: which of the values that came to the operator with this record. */
export interface AskedPlace {
  /** Which input of the task the record came from; 0 for the leading one. */
  readonly input: number
  /** Of the record. */
  readonly offset: number
  /** Counts the values of this record that came to the operator, from 0. */
  readonly ordinal: number
}

/** What somebody outside has answered an operator that asked about a value: kept with the checkpoint, so that a replay need not ask again. */
export interface LookupAnswer extends AskedPlace {
  /** The name of the operator. */
  readonly operator: string
  /** What was asked about. */
  readonly key: string
  /** The time of the value that the call was made for, ms UTC; null where it has none. */
  readonly at: number | null
  /** JSON text, written and read by the operator alone. Of a failure, what it said. */
  readonly answer: string
  /** True where there was no answer but an error, for which the value was set aside. */
  readonly isFailure: boolean
}

/** What a task is to be asked with, and answered, by an operator. */
export interface AnswerBook {
  /**
   * What was answered at this place before: by the run that is repeated, or by this pipeline when it read these records the last time. Null where nothing was, and a promise where that
   * has to be looked up.
   */
  find(operator: string, key: string, place: AskedPlace): LookupAnswer | null | Promise<LookupAnswer | null>
  /** The answer goes with the next checkpoint. */
  note(answer: LookupAnswer): void
}

/** Nothing was answered before. */
export const noAnswers: AnswerBook = { find: () => null, note: () => undefined }

/** Texts that lie in memory as they came. */
export interface TextBytes {
  /** Where they lie. */
  readonly memory: DataView
  /** Where the text of the record starts, if it lies there as it came in JSON, in characters of ASCII and escapes that stand for one each, without `\u`; below zero where only `at` of the column gives it. As valid as the record. */
  startOf(record: number): number
  /** Of the text that `startOf` was asked for last, in bytes. */
  readonly length: number
}

/** The texts of one field of values that are lent. */
export interface TextColumn {
  /** The text of the record. */
  at(record: number): string
  /** By record: the number of its text, a small one from 0; below zero for one that has none. */
  readonly ordinals: Int32Array
  /** As long as it is the same object, a number stands for the same text. Another one says that texts are numbered anew. */
  readonly numbering: object
  /** For who writes texts and need not have them as such; null where none lie in memory. */
  readonly asBytes: TextBytes | null
}

/** What a function says of all values that one object lends: the same of each, or by record. Flags are 0 and 1. */
export type LentColumn =
  | { readonly kind: 'same'; readonly value: unknown }
  | { readonly kind: 'numbers' | 'flags'; readonly numbers: Float64Array }
  | { readonly kind: 'texts'; readonly texts: TextColumn }

/** Columns of an object that lends values, by the names of its fields. */
export type FieldColumns = Readonly<Record<string, LentColumn>>

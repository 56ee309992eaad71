import type { z } from 'zod'
import type { FieldLayout } from './fieldLayout.ts'
import type { FrameColumns } from './frameColumns.ts'
import type { LeafPlan } from './schemaPlan.ts'
import { SchemaReader } from './schemaReader.ts'

/** Columns of frames that a `SchemaReader` reads one after the other. */
export class ReaderColumns implements FrameColumns {
  readonly layouts: Uint8Array
  readonly #reader: SchemaReader
  readonly #leaves: readonly LeafPlan[]
  readonly #numbers: readonly Float64Array[]
  readonly #texts: readonly string[][]
  /** Those that the frames at hand have, by their numbers less 1. */
  #seen: FieldLayout[] = []

  constructor(schema: z.ZodType, most: number) {
    this.#reader = new SchemaReader(schema)
    this.#leaves = this.#reader.leaves
    this.layouts = new Uint8Array(most)
    this.#numbers = this.#leaves.map(({ kind }) => new Float64Array(kind === 'string' ? 0 : most))
    this.#texts = this.#leaves.map(({ kind }) => (kind === 'string' ? new Array<string>(most).fill('') : []))
  }

  read(buffer: Buffer, starts: Int32Array, lengths: Int32Array, from: number, to: number): void {
    this.#seen = []
    for (let i = from; i < to; i += 1)
      this.layouts[i] = this.#readFrame(buffer, starts[i] as number, lengths[i] as number, i)
  }

  slot(path: string): number {
    return this.#reader.slot(path)
  }

  has(layout: number, slot: number): boolean {
    return this.#seen[layout - 1]?.has[slot] === true
  }

  isNull(layout: number, slot: number): boolean {
    return this.#seen[layout - 1]?.nulls[slot] === true
  }

  numbers(slot: number): Float64Array {
    return this.#numbers[slot] as Float64Array
  }

  texts(slot: number): readonly string[] {
    return this.#texts[slot] as readonly string[]
  }

  #readFrame(buffer: Buffer, start: number, length: number, i: number): number {
    const reader = this.#reader
    const end = start + length
    if (length < 0 || !(reader.readKnown(buffer, start, end) || reader.learn(buffer, start, end))) return 0
    const layout = reader.present as FieldLayout
    for (const { kind, slot } of this.#leaves) {
      if (kind === 'string') (this.#texts[slot] as string[])[i] = reader.text(slot)
      else {
        const value = kind === 'fixed8' ? reader.fixed8(slot) : reader.number(slot)
        if (typeof value === 'bigint') return 0
        ;(this.#numbers[slot] as Float64Array)[i] = value
      }
    }
    return this.#numberOf(layout)
  }

  #numberOf(layout: FieldLayout): number {
    const known = this.#seen.indexOf(layout)
    return known >= 0 ? known + 1 : this.#seen.push(layout)
  }
}

import type { z } from 'zod'
import type { TextColumn } from '../runtime/spans/lentColumn.ts'
import type { FieldLayout } from './fieldLayout.ts'
import type { FrameColumns } from './frameColumns.ts'
import type { LeafPlan } from './schemaPlan.ts'
import { SchemaReader } from './schemaReader.ts'

const mostNumbers = 255
/** With more than so many layouts it starts over. */
const mostSeen = 64

/** Columns of frames that a `SchemaReader` reads one after the other. */
export class ReaderColumns implements FrameColumns {
  readonly layouts: Uint8Array
  readonly #reader: SchemaReader
  readonly #leaves: readonly LeafPlan[]
  readonly #numbers: readonly Float64Array[]
  /** By slot. */
  readonly #texts: readonly ReaderTexts[]
  /** By their numbers less 1. The reader forgets some, and learns them again as others. */
  #seen: FieldLayout[] = []

  constructor(schema: z.ZodType, rows: number) {
    this.#reader = new SchemaReader(schema)
    this.#leaves = this.#reader.leaves
    this.layouts = new Uint8Array(rows)
    this.#numbers = this.#leaves.map(({ kind }) => new Float64Array(kind === 'string' ? 0 : rows))
    this.#texts = this.#leaves.map(({ kind }) => new ReaderTexts(kind === 'string' ? rows : 0))
  }

  read(buffer: Buffer, starts: Int32Array, lengths: Int32Array, from: number, to: number, firstRow = 0): void {
    if (this.#seen.length > mostSeen) {
      this.#seen = []
      this.layouts.fill(0)
    }
    for (let i = from; i < to; i += 1)
      this.layouts[firstRow + i] = this.#readFrame(buffer, starts[i] as number, lengths[i] as number, firstRow + i)
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

  texts(slot: number): TextColumn {
    return this.#texts[slot] as ReaderTexts
  }

  textsWith(): null {
    return null
  }

  #readFrame(buffer: Buffer, start: number, length: number, i: number): number {
    const reader = this.#reader
    const end = start + length
    if (length < 0 || !(reader.readKnown(buffer, start, end) || reader.learn(buffer, start, end))) return 0
    const layout = reader.present as FieldLayout
    for (const { kind, slot } of this.#leaves) {
      if (kind === 'string') this.#texts[slot]?.set(i, reader.text(slot))
      else {
        const value = kind === 'fixed8' ? reader.fixed8(slot) : reader.number(slot)
        if (typeof value === 'bigint') return 0
        ;(this.#numbers[slot] as Float64Array)[i] = value
      }
    }
    return this.#numberOf(layout)
  }

  /** 0 where too many were seen of late: their numbers are a byte. */
  #numberOf(layout: FieldLayout): number {
    const known = this.#seen.indexOf(layout)
    if (known >= 0) return known + 1
    return this.#seen.length < mostNumbers ? this.#seen.push(layout) : 0
  }
}

/** Texts of which none has a number. */
class ReaderTexts implements TextColumn {
  readonly numbering = {}
  readonly ordinals: Int32Array
  readonly asBytes = null
  readonly #texts: string[]

  constructor(rows: number) {
    this.ordinals = new Int32Array(rows).fill(-1)
    this.#texts = new Array<string>(rows).fill('')
  }

  at(row: number): string {
    return this.#texts[row] as string
  }

  set(row: number, text: string): void {
    this.#texts[row] = text
  }
}

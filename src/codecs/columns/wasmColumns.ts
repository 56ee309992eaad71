import type { z } from 'zod'
import type { TextColumn } from '../../runtime/spans/lentColumn.ts'
import { type FieldLayout, learnLayout } from '../fieldLayout.ts'
import { jsonNumberEnd } from '../jsonText.ts'
import { type LeafPlan, planOf, type SchemaPlan } from '../schemaPlan.ts'
import { slotOf } from '../slotOf.ts'
import { DecoderMemory, inputBytes, mostLayouts } from './decoderMemory.ts'
import { SlotTexts } from './slotTexts.ts'

/** Frames of one call from which an order of fields is learnt at most. */
const mostLessons = 4
/** No frame. */
const none = -1

/** What reads frames of the schema into columns of so many rows by WebAssembly; null where there is none, or the schema is one that no byte reader can follow. */
export function wasmColumns(schema: z.ZodType, rows: number): WasmColumns | null {
  const plan = planOf(schema)
  if (typeof plan === 'string') return null
  const memory = DecoderMemory.of(plan.leaves, rows)
  return memory === null ? null : new WasmColumns(plan, memory)
}

/**
 * Frames of one zod schema as columns, many in a call, which costs a third of reading them one by one. A frame that is read says what `SchemaReader` says of it. Not the same ones are left out:
 * here also texts with escapes that stand for no character of one byte, and counts of 1e-8 beyond 2^53 - 1.
 *
 * Learns up to eight orders of the fields. Holds 2 to 3 MB, most of which is only taken as it is used: 1 MB for each field of texts, of which it knows 16,384. Keeps no buffer.
 */
export class WasmColumns {
  readonly layouts: Uint8Array
  readonly #plan: SchemaPlan
  readonly #memory: DecoderMemory
  readonly #learnt: FieldLayout[] = []
  #nextLayout = 0
  readonly #texts: readonly SlotTexts[]
  /** By slot. */
  readonly #textsOf: readonly (SlotTexts | null)[]
  readonly #numberLeaves: readonly LeafPlan[]

  constructor(plan: SchemaPlan, memory: DecoderMemory) {
    this.#plan = plan
    this.#memory = memory
    this.layouts = memory.layouts
    this.#textsOf = plan.leaves.map((leaf) => (leaf.kind === 'string' ? new SlotTexts(leaf, memory) : null))
    this.#texts = this.#textsOf.filter((one) => one !== null)
    this.#numberLeaves = plan.leaves.filter(({ kind }) => kind === 'number')
  }

  slot(path: string): number {
    return slotOf(this.#plan, path)
  }

  has(layout: number, slot: number): boolean {
    return this.#learnt[layout - 1]?.has[slot] === true
  }

  isNull(layout: number, slot: number): boolean {
    return this.#learnt[layout - 1]?.nulls[slot] === true
  }

  numbers(slot: number): Float64Array {
    return this.#memory.numbers[slot] as Float64Array
  }

  texts(slot: number): TextColumn {
    return this.#textsOf[slot] as SlotTexts
  }

  textsWith(text: string, row: number): TextColumn | null {
    return this.#texts.find((texts) => texts.at(row) === text) ?? null
  }

  read(buffer: Buffer, starts: Int32Array, lengths: Int32Array, first: number, last: number, firstRow = 0): void {
    const memory = this.#memory
    const from = firstRow + first
    const to = firstRow + last
    memory.layouts.fill(0, from, to)
    memory.starts.set(starts.subarray(first, last), from)
    memory.lengths.set(lengths.subarray(first, last), from)
    for (const texts of this.#texts) texts.begin(to - from)
    let lessons = mostLessons
    for (let first = from; first < to; ) {
      const end = this.#take(buffer, first, to)
      const left = memory.decoder.decode(first, end)
      let mayForget = left === end - first && first === from
      for (
        let frame = left === 0 ? none : this.#nextUnread(first, end);
        frame !== none && lessons > 0;
        frame = this.#nextUnread(frame + 1, end)
      ) {
        lessons -= 1
        if (!this.#learn(frame, mayForget)) continue
        mayForget = false
        memory.decoder.decode(frame, end)
      }
      this.#finish(first, end)
      first = end
    }
  }

  /** Copies frames into the memory, as many as have room, and gives the first that has none. */
  #take(buffer: Buffer, from: number, to: number): number {
    const { decoder, bytes, inputAt, starts } = this.#memory
    for (const texts of this.#texts) texts.leave(from, to)
    const first = starts[from] as number
    let last = this.#endOf(to - 1)
    let end = to
    if ((starts[to - 1] as number) < first || last - first > inputBytes) {
      for (end = from + 1; end < to; end += 1) {
        if ((starts[end] as number) < first || this.#endOf(end) - first > inputBytes) break
      }
      last = Math.min(this.#endOf(end - 1), first + inputBytes)
    }
    decoder.shift.value = inputAt - first
    decoder.inputStart.value = inputAt
    decoder.inputEnd.value = inputAt + buffer.copy(bytes, inputAt, first, last)
    this.#memory.begin()
    return end
  }

  #endOf(frame: number): number {
    const { starts, lengths } = this.#memory
    return (starts[frame] as number) + Math.max(0, lengths[frame] as number)
  }

  #nextUnread(from: number, to: number): number {
    const { layouts, lengths } = this.#memory
    for (let frame = from; frame < to; frame += 1)
      if (layouts[frame] === 0 && (lengths[frame] as number) > 0) return frame
    return none
  }

  /** Rows of before that have another layout under its number are left to whoever is asked about what was not read. */
  #forget(number: number, but: number): void {
    const { layouts } = this.#memory
    for (let row = layouts.indexOf(number); row >= 0; row = layouts.indexOf(number, row + 1))
      if (row !== but) layouts[row] = 0
  }

  /** Learns the order of a frame's fields, and reads it; false where that cannot be. Forgets another one only where no frame of the call was read by it. */
  #learn(frame: number, mayForget: boolean): boolean {
    const { decoder, bytes, starts, lengths, layouts } = this.#memory
    if (this.#learnt.length === mostLayouts && !mayForget) return false
    const start = (starts[frame] as number) + decoder.shift.value
    const end = start + (lengths[frame] as number)
    if (start < decoder.inputStart.value || end > decoder.inputEnd.value) return false
    const layout = learnLayout(this.#plan, bytes, start, end)
    if (layout === null) return false
    const number = this.#nextLayout
    const before = this.#learnt[number]
    this.#memory.writeLayout(number, layout)
    this.#learnt[number] = layout
    decoder.layoutCount.value = this.#learnt.length
    decoder.decode(frame, frame + 1)
    if (layouts[frame] === number + 1) {
      if (before !== undefined) this.#forget(number + 1, frame)
      this.#nextLayout = (number + 1) % mostLayouts
      return true
    }
    // What no frame was read by is not worth a place.
    if (before === undefined) this.#learnt.pop()
    else {
      this.#learnt[number] = before
      this.#memory.writeLayout(number, before)
    }
    decoder.layoutCount.value = this.#learnt.length
    return false
  }

  #finish(from: number, to: number): void {
    const { oddNumbers, otherTexts } = this.#memory.decoder
    for (const texts of this.#texts) texts.take(from, to, otherTexts.value > 0, this.#filling)
    if (oddNumbers.value > 0) {
      for (const leaf of this.#numberLeaves) this.#readOddNumbers(leaf, from, to)
    }
  }

  /** By the number of a layout less 1: whether its frames fill the cell of the slot. One without the field, or with null there, leaves what an earlier frame has put into it. */
  readonly #filling = (slot: number): readonly boolean[] =>
    this.#learnt.map(({ has, nulls }) => has[slot] === true && nulls[slot] !== true)

  /** Numbers whose last bit only the runtime knows: the decoder has seen that they are some, and left their places. */
  #readOddNumbers({ slot, min, max }: LeafPlan, from: number, to: number): void {
    const { bytes, words, layouts } = this.#memory
    const numbers = this.numbers(slot)
    const isFilled = this.#filling(slot)
    for (let frame = from; frame < to; frame += 1) {
      if (isFilled[(layouts[frame] as number) - 1] !== true || !Number.isNaN(numbers[frame] as number)) continue
      const start = words[(numbers.byteOffset >> 2) + 2 * frame] as number
      const value = Number(bytes.toString('latin1', start, jsonNumberEnd(bytes, start, bytes.length)))
      const isTaken = value >= min && value <= max
      numbers[frame] = isTaken ? value : 0
      if (!isTaken) layouts[frame] = 0
    }
  }
}

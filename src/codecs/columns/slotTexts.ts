import type { TextColumn } from '../../runtime/spans/lentColumn.ts'
import { acceptBy } from '../acceptBy.ts'
import { latin1Text } from '../latin1.ts'
import type { LeafPlan } from '../schemaPlan.ts'
import { utf8Text } from '../utf8.ts'
import type { DecoderMemory } from './decoderMemory.ts'

/** So many frames are read with a dictionary that is full before it starts over, in case other texts are the ones that come again. */
const framesWithFull = 262_144
/** A text that is in no dictionary, or no more. */
const none = -1

/** The texts of one field: by frame, and by the numbers that its dictionary gives them. Each is made, and looked at by the schema, once. */
export class SlotTexts implements TextColumn {
  readonly ordinals: Int32Array
  numbering = {}
  readonly slot: number
  readonly #isChecked: boolean
  readonly #accept: (text: string) => string | null
  readonly #memory: DecoderMemory
  /** By the numbers of the dictionary. */
  readonly #known: string[] = []
  /** By frame: a text that is in no dictionary. */
  readonly #others: string[]
  /** Numbers of texts that the schema refuses, or that are no UTF-8. */
  readonly #refused = new Set<number>()
  #framesWithFull = 0
  /** How often a text was found since the dictionary began. */
  #found = 0

  constructor({ slot, check }: LeafPlan, memory: DecoderMemory) {
    this.slot = slot
    this.ordinals = memory.codes[slot] as Int32Array
    this.#others = new Array<string>(memory.layouts.length).fill('')
    this.#isChecked = check !== null
    this.#accept = acceptBy(check)
    this.#memory = memory
  }

  at(frame: number): string {
    const number = this.ordinals[frame] as number
    return (number < 0 ? this.#others[frame] : this.#known[number]) as string
  }

  /** Before frames are read. */
  begin(frames: number): void {
    if (!this.#memory.isFull(this.slot)) return
    if (this.#framesWithFull === 0 && this.#found < 2 * this.#known.length) this.#leaveAlone()
    this.#framesWithFull += frames
    if (this.#framesWithFull < framesWithFull) return
    this.#framesWithFull = 0
    this.#keepTexts()
    this.#memory.clearDictionary(this.slot)
    this.numbering = {}
    this.#refused.clear()
    this.#known.length = 0
    this.#found = 0
  }

  /** Texts that never come again are not worth looking for. Those that the schema looks at are read by the dictionary alone. */
  #leaveAlone(): void {
    if (!this.#isChecked) this.#memory.leaveAlone(this.slot)
  }

  /** Frames of before have theirs for good. */
  #keepTexts(): void {
    const { ordinals } = this
    for (let frame = 0; frame < ordinals.length; frame += 1) {
      const number = ordinals[frame] as number
      if (number < 0) continue
      this.#others[frame] = this.#known[number] ?? ''
      ordinals[frame] = none
    }
  }

  /**
   * Makes the texts that are new of frames that have been read, and takes those frames back that have one which is none.
   * @param hasOthers whether one of them, in any field, may be in no dictionary
   * @param filling by the number of a layout less 1: whether its frames have a text here
   */
  take(from: number, to: number, hasOthers: boolean, filling: (slot: number) => readonly boolean[]): void {
    const { layouts, bytes } = this.#memory
    const { ordinals } = this
    const refused = this.#refused
    const count = this.#memory.textCount(this.slot)
    while (this.#known.length < count) this.#add()
    this.#found += to - from
    if (!hasOthers && refused.size === 0) return
    const isFilled = filling(this.slot)
    const ends = this.#memory.ends[this.slot] as Int32Array
    for (let frame = from; frame < to; frame += 1) {
      if (isFilled[(layouts[frame] as number) - 1] !== true) continue
      const number = ordinals[frame] as number
      if (number < 0) {
        this.#found -= 1
        this.#others[frame] = latin1Text(bytes, ~number, ends[frame] as number)
      } else if (refused.has(number)) layouts[frame] = 0
    }
  }

  #add(): void {
    const { bytes } = this.#memory
    const [start, end] = this.#memory.textAt(this.slot, this.#known.length)
    let isAscii = true
    for (let at = start; at < end; at += 1) if ((bytes[at] as number) > 0x7f) isAscii = false
    const text = isAscii ? latin1Text(bytes, start, end) : utf8Text(bytes, start, end)
    const accepted = typeof text === 'string' ? this.#accept(text) : null
    if (accepted === null) this.#refused.add(this.#known.length)
    this.#known.push(accepted ?? '')
  }
}

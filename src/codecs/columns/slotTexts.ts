import type { TextBytes, TextColumn } from '../../runtime/spans/lentColumn.ts'
import { acceptBy } from '../acceptBy.ts'
import { latin1Text } from '../latin1.ts'
import type { LeafPlan } from '../schemaPlan.ts'
import { utf8Text } from '../utf8.ts'
import type { DecoderMemory } from './decoderMemory.ts'

/** So many frames are read with a dictionary that is full before it starts over, in case other texts are the ones that come again. */
const framesWithFull = 262_144
/** A text that is in no dictionary, or no more. */
const none = -1

/**
 * The texts of one field: by frame, and by the numbers that its dictionary gives them. One of the dictionary is made, and looked at by the schema, once; any other one when it is asked for, or before other frames come to where it
 * lies.
 */
export class SlotTexts implements TextColumn, TextBytes {
  readonly ordinals: Int32Array
  numbering = {}
  readonly slot: number
  readonly memory: DataView
  length = 0
  readonly #isChecked: boolean
  readonly #accept: (text: string) => string | null
  readonly #memory: DecoderMemory
  /** By the numbers of the dictionary. */
  readonly #known: string[] = []
  /** By the same: where the text starts in the memory, if it is ASCII and what the schema makes of it as well; otherwise below zero. */
  readonly #starts: number[] = []
  /** By frame: a text that is in no dictionary; empty where it has not been made of its bytes. */
  readonly #others: string[]
  /** By frame: 1 where such a text is still in the memory. */
  readonly #isThere: Uint8Array
  /** Frames of which it may be. */
  #thereFrom = 0
  #thereTo = 0
  /** Numbers of texts that the schema refuses, or that are no UTF-8. */
  readonly #refused = new Set<number>()
  #framesWithFull = 0
  /** How often a text was found since the dictionary began. */
  #found = 0

  constructor({ slot, check }: LeafPlan, memory: DecoderMemory) {
    this.slot = slot
    this.ordinals = memory.codes[slot] as Int32Array
    this.memory = memory.view
    this.#others = new Array<string>(memory.layouts.length).fill('')
    this.#isThere = new Uint8Array(memory.layouts.length)
    this.#isChecked = check !== null
    this.#accept = acceptBy(check)
    this.#memory = memory
  }

  get asBytes(): TextBytes {
    return this
  }

  at(frame: number): string {
    const number = this.ordinals[frame] as number
    if (number >= 0) return this.#known[number] as string
    if (this.#others[frame] === '' && this.#isThere[frame] === 1)
      this.#others[frame] = this.#memory.otherText(this.slot, frame)
    return this.#others[frame] as string
  }

  startOf(frame: number): number {
    const number = this.ordinals[frame] as number
    if (number >= 0) {
      this.length = (this.#known[number] as string).length
      return this.#starts[number] as number
    }
    if (this.#isThere[frame] === 0) return none
    const end = (this.#memory.ends[this.slot] as Int32Array)[frame] as number
    this.length = (end < 0 ? ~end : end) - ~number
    return ~number
  }

  /** Before the bytes of other frames take the place of those that are there, of frames from `from` to `to`. */
  leave(from: number, to: number): void {
    const isThere = this.#isThere
    for (let frame = this.#thereFrom; frame < this.#thereTo; frame += 1) {
      if (isThere[frame] === 0) continue
      if ((frame < from || frame >= to) && this.#others[frame] === '')
        this.#others[frame] = this.#memory.otherText(this.slot, frame)
      isThere[frame] = 0
    }
    this.#thereFrom = from
    this.#thereTo = from
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
    this.#starts.length = 0
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
    const { layouts } = this.#memory
    const { ordinals } = this
    const refused = this.#refused
    const count = this.#memory.textCount(this.slot)
    while (this.#known.length < count) this.#add()
    this.#found += to - from
    if (!hasOthers && refused.size === 0) return
    const isFilled = filling(this.slot)
    for (let frame = from; frame < to; frame += 1) {
      if (isFilled[(layouts[frame] as number) - 1] !== true) continue
      const number = ordinals[frame] as number
      if (number < 0) {
        this.#found -= 1
        this.#others[frame] = ''
        this.#isThere[frame] = 1
        this.#thereTo = frame + 1
      } else if (refused.has(number)) layouts[frame] = 0
    }
  }

  #add(): void {
    const { bytes } = this.#memory
    const start = this.#memory.textStart(this.slot, this.#known.length)
    const end = this.#memory.textEnd(start)
    let isAscii = true
    for (let at = start; at < end; at += 1) if ((bytes[at] as number) > 0x7f) isAscii = false
    const text = isAscii ? latin1Text(bytes, start, end) : utf8Text(bytes, start, end)
    const accepted = typeof text === 'string' ? this.#accept(text) : null
    if (accepted === null) this.#refused.add(this.#known.length)
    this.#known.push(accepted ?? '')
    this.#starts.push(isAscii && accepted === text ? start : none)
  }
}

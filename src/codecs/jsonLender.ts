import type { z } from 'zod'
import type { Lender } from '../runtime/log/codec.ts'
import type { ReadAhead } from '../runtime/log/readAhead.ts'
import { fields, keep, Lent, lentProperty, place, textsWith } from '../runtime/spans/lent.ts'
import type { FieldColumns, LentColumn, TextColumn } from '../runtime/spans/lentColumn.ts'
import { FrameAtHand } from './frameAtHand.ts'
import { frameColumns } from './frameColumns.ts'
import { type FrameShape, frameShape, shapeKey } from './frameShape.ts'
import type { LeafPlan, ObjectPlan } from './schemaPlan.ts'

/** Whose frames have more sets of optional fields than this has them made anew. */
const mostShapes = 64

/** Lends the objects of many records of one zod schema that were read at once. A record that is not read in place is left to `decode`. */
export class JsonLender<T> implements Lender<T> {
  readonly #root: ObjectPlan
  readonly #frame: FrameAtHand
  /** By layout: an object that has the fields of its frames. */
  readonly #objects: (LentObject | undefined)[] = []
  /** The same by the shape, for layouts change their numbers. */
  readonly #byShape = new Map<string, LentObject>()

  constructor(schema: z.ZodType, root: ObjectPlan, rows: number) {
    this.#root = root
    this.#frame = new FrameAtHand(frameColumns(schema, rows))
  }

  read({ buffer, valueStarts, valueLengths, at, count, firstRow }: ReadAhead): void {
    this.#objects.length = 0
    this.#frame.columns.read(buffer, valueStarts, valueLengths, at, count, firstRow)
  }

  lend(row: number): T | undefined {
    const layout = this.#frame.columns.layouts[row] as number
    if (layout === 0) return undefined
    this.#frame.moveTo(row)
    const object = this.#objects[layout] ?? this.#objectOf(layout)
    return object as unknown as T
  }

  lentUntil(row: number, to: number): number {
    const { layouts } = this.#frame.columns
    let end = row + 1
    while (end < to && layouts[end] === layouts[row]) end += 1
    return end
  }

  #objectOf(layout: number): LentObject {
    const key = shapeKey(this.#root, this.#frame)
    const object = this.#byShape.get(key) ?? this.#made(key)
    this.#objects[layout] = object
    return object
  }

  #made(key: string): LentObject {
    if (this.#byShape.size === mostShapes) this.#byShape.clear()
    const object = new LentObject(
      frameShape(this.#root, this.#frame),
      this.#frame,
      columnsOfFields(this.#root, this.#frame),
    )
    this.#byShape.set(key, object)
    return object
  }
}

/** An object with the fields of a shape, each as the frame at hand has it. Objects within it are made when they are asked for. */
class LentObject extends Lent<unknown> {
  readonly #frame: FrameAtHand
  readonly #make: FrameShape['make']
  readonly #fields: FieldColumns

  constructor({ getters, make }: FrameShape, frame: FrameAtHand, columns: FieldColumns) {
    super()
    this.#frame = frame
    this.#make = make
    this.#fields = columns
    for (const [name, get] of getters) Object.defineProperty(this, name, lentProperty(name, get))
    Object.preventExtensions(this)
  }

  override set [place](row: number) {
    this.#frame.moveTo(row)
  }

  override [keep](): unknown {
    return this.#make()
  }

  override [textsWith](text: string): TextColumn | null {
    const { columns, row } = this.#frame
    return columns.textsWith(text, row)
  }

  override get [fields](): FieldColumns {
    return this.#fields
  }
}

/** The columns of the fields that the frame at hand has at its root; objects within it lie in none. */
function columnsOfFields(root: ObjectPlan, frame: FrameAtHand): FieldColumns {
  const named: Record<string, LentColumn> = Object.create(null)
  for (const { name, value } of root.fields.values()) {
    if (value === null || value.kind === 'object') continue
    if (value.kind === 'literal') named[name] = { kind: 'same', value: JSON.parse(value.json) }
    else if (frame.has(value.slot)) named[name] = columnOfLeaf(value, frame)
  }
  return named
}

function columnOfLeaf({ kind, slot }: LeafPlan, frame: FrameAtHand): LentColumn {
  const { columns } = frame
  if (frame.isNull(slot)) return { kind: 'same', value: null }
  if (kind === 'string') return { kind: 'texts', texts: columns.texts(slot) }
  return { kind: kind === 'boolean' ? 'flags' : 'numbers', numbers: columns.numbers(slot) }
}

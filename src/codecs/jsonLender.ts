import type { z } from 'zod'
import type { Fixed8 } from '../exact/decimal.ts'
import type { Lender } from '../runtime/codec.ts'
import { keep, Lent, lentProperty, place } from '../runtime/lent.ts'
import { mostAhead, type ReadAhead } from '../runtime/readAhead.ts'
import { type FrameColumns, frameColumns } from './frameColumns.ts'
import { type FrameValues, ObjectBuilder } from './objectBuilder.ts'
import type { LeafPlan, ObjectPlan } from './schemaPlan.ts'

/** Lends the objects of many records of one zod schema that were read at once. A record that is not read in place is left to `decode`. */
export class JsonLender<T> implements Lender<T> {
  readonly #root: ObjectPlan
  readonly #frame: FrameAtHand
  readonly #builder: ObjectBuilder
  /** By layout: an object that has the fields of its frames. */
  readonly #objects: (LentObject | undefined)[] = []
  /** The same by the names of the fields, for layouts change their numbers. */
  readonly #byFields = new Map<string, LentObject>()

  constructor(schema: z.ZodType, root: ObjectPlan) {
    this.#root = root
    this.#frame = new FrameAtHand(frameColumns(schema, mostAhead))
    this.#builder = new ObjectBuilder(root, this.#frame)
  }

  read({ buffer, valueStarts, valueLengths, at, count }: ReadAhead): void {
    this.#objects.length = 0
    this.#frame.columns.read(buffer, valueStarts, valueLengths, at, count)
  }

  lend(at: number): T | undefined {
    const layout = this.#frame.columns.layouts[at] as number
    if (layout === 0) return undefined
    this.#frame.moveTo(at)
    const object = this.#objects[layout] ?? this.#objectOf(layout)
    return object as unknown as T
  }

  #objectOf(layout: number): LentObject {
    const names = [...this.#root.fields.values()].flatMap(({ name, value }) => {
      if (value === null || (value.kind !== 'object' && value.kind !== 'literal' && !this.#frame.has(value.slot)))
        return []
      return name
    })
    const fields = names.join('\n')
    const object = this.#byFields.get(fields) ?? new LentObject(this.#root, names, this.#frame, this.#builder)
    this.#byFields.set(fields, object)
    this.#objects[layout] = object
    return object
  }
}

/** What the columns say of one frame. */
class FrameAtHand implements FrameValues {
  readonly columns: FrameColumns
  layout = 0
  at = 0

  constructor(columns: FrameColumns) {
    this.columns = columns
  }

  moveTo(at: number): void {
    this.layout = this.columns.layouts[at] as number
    this.at = at
  }

  has(slot: number): boolean {
    return this.columns.has(this.layout, slot)
  }

  isNull(slot: number): boolean {
    return this.columns.isNull(this.layout, slot)
  }

  value({ kind, slot }: LeafPlan): string | Fixed8 | number | boolean {
    if (kind === 'string') return this.columns.texts(slot)[this.at] as string
    const number = this.columns.numbers(slot)[this.at] as number
    return kind === 'boolean' ? number === 1 : number
  }
}

/** An object with these fields of the plan, each as the frame at hand has it. Objects within it are made when they are asked for. */
class LentObject extends Lent<unknown> {
  readonly #builder: ObjectBuilder
  readonly #frame: FrameAtHand

  constructor(plan: ObjectPlan, names: readonly string[], frame: FrameAtHand, builder: ObjectBuilder) {
    super()
    this.#builder = builder
    this.#frame = frame
    for (const name of names) Object.defineProperty(this, name, lentProperty(name, getter(plan, name, frame)))
    Object.preventExtensions(this)
  }

  override set [place](record: number) {
    this.#frame.moveTo(record)
  }

  override [keep](): unknown {
    return this.#builder.build()
  }
}

function getter(plan: ObjectPlan, name: string, frame: FrameAtHand): () => unknown {
  const value = plan.fields.get(name)?.value
  if (value == null) return () => undefined
  if (value.kind === 'object') {
    const builder = new ObjectBuilder(value, frame)
    return () => builder.build()
  }
  if (value.kind === 'literal') {
    const literal: unknown = JSON.parse(value.json)
    return () => literal
  }
  return value.isNullable ? () => (frame.isNull(value.slot) ? null : frame.value(value)) : () => frame.value(value)
}

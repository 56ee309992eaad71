import type { FieldPlan, LeafPlan, ObjectPlan } from './schemaPlan.ts'

/** The values of one frame, by the slots of its schema. */
export interface FrameValues {
  has(slot: number): boolean
  isNull(slot: number): boolean
  value(leaf: LeafPlan): unknown
}

type PlainObject = Record<string, unknown>

/** Makes objects of the frame that a reader has read, with their fields in the order of the schema, as zod has them. */
export class ObjectBuilder {
  private readonly reader: FrameValues
  private readonly parts: readonly Part[]
  private readonly Empty = emptyObjects()

  constructor(plan: ObjectPlan, reader: FrameValues) {
    this.reader = reader
    this.parts = [...plan.fields.values()].flatMap((field) => partOf(field, reader) ?? [])
  }

  build(): PlainObject {
    const { reader, parts, Empty } = this
    const object = new Empty()
    for (let index = 0; index < parts.length; index += 1) {
      const { name, leaf, inner, literal } = parts[index] as Part
      if (leaf === null) object[name] = inner === null ? literal : inner.build()
      else if (reader.has(leaf.slot)) object[name] = reader.isNull(leaf.slot) ? null : reader.value(leaf)
    }
    return object
  }
}

/**
 * Makes what `{}` makes. An object of a constructor of its own has room for as many fields as those before it had, where `{}` has room for four, and keeps more of them in a second place.
 */
function emptyObjects(): new () => PlainObject {
  const Empty = function Empty() {} as unknown as new () => PlainObject
  Empty.prototype = Object.prototype
  return Empty
}

/** One field: a leaf, an object of its own or else a literal. */
interface Part {
  readonly name: string
  readonly leaf: LeafPlan | null
  readonly inner: ObjectBuilder | null
  readonly literal: unknown
}

function partOf({ name, value }: FieldPlan, reader: FrameValues): Part | null {
  if (value === null) return null
  if (value.kind === 'object') return { name, leaf: null, inner: new ObjectBuilder(value, reader), literal: null }
  if (value.kind === 'literal') return { name, leaf: null, inner: null, literal: JSON.parse(value.json) }
  return { name, leaf: value, inner: null, literal: null }
}

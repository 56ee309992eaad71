import { compiled } from '../runtime/compiled.ts'
import type { FrameAtHand } from './frameAtHand.ts'
import { ObjectBuilder } from './objectBuilder.ts'
import type { FieldPlan, LeafPlan, ObjectPlan } from './schemaPlan.ts'

/** How the values of frames of one layout are made, each of the frame at hand. */
export interface FrameShape {
  /** What gives each field of such a frame, in the order of the schema. */
  readonly getters: readonly Getter[]
  /** Makes an object of all of them, for good. */
  readonly make: () => object
}

type Getter = readonly [name: string, get: () => unknown]

/** Of the layout of the frame at hand: by code of its own, and by walking the plan for each frame where no code may be made. */
export function frameShape(plan: ObjectPlan, frame: FrameAtHand): FrameShape {
  return compiledShape(plan, frame) ?? walkedShape(plan, frame)
}

/** Layouts of one text have one shape. */
export function shapeKey(plan: ObjectPlan, frame: FrameAtHand): string {
  let key = ''
  for (const { value } of plan.fields.values()) {
    if (value === null || value.kind === 'literal') continue
    if (value.kind === 'object') key += shapeKey(value, frame)
    else key += !frame.has(value.slot) ? '-' : frame.isNull(value.slot) ? '0' : '+'
  }
  return key
}

/** Null where no code may be made. */
export function compiledShape(plan: ObjectPlan, frame: FrameAtHand): FrameShape | null {
  const { columns } = frame
  const slots: LeafPlan[] = []
  const object = sourceOf(plan, frame, slots)
  const getters = fieldsOf(plan, frame).map(
    ({ name, value }) => `[${JSON.stringify(name)},()=>${cellOf(value, frame, [])}]`,
  )
  return compiled<FrameShape>(
    ['frame', ...slots.map(({ slot }) => `c${slot}`)],
    [frame, ...slots.map(({ kind, slot }) => (kind === 'string' ? columns.texts(slot) : columns.numbers(slot)))],
    `return{make:()=>(${object}),getters:[${getters.join(',')}]}`,
  )
}

export function walkedShape(plan: ObjectPlan, frame: FrameAtHand): FrameShape {
  const builder = new ObjectBuilder(plan, frame)
  const getters = fieldsOf(plan, frame).map(({ name, value }): Getter => [name, walkedGetter(value, frame)])
  return { make: () => builder.build(), getters }
}

function fieldsOf(plan: ObjectPlan, frame: FrameAtHand): readonly FieldPlan[] {
  return [...plan.fields.values()].filter(
    ({ value }) => value !== null && (value.kind === 'object' || value.kind === 'literal' || frame.has(value.slot)),
  )
}

/** @param slots gets the leaves that are read */
function sourceOf(plan: ObjectPlan, frame: FrameAtHand, slots: LeafPlan[]): string {
  const fields = fieldsOf(plan, frame).map(
    ({ name, value }) => `${JSON.stringify(name)}:${cellOf(value, frame, slots)}`,
  )
  return `{${fields.join(',')}}`
}

function cellOf(value: FieldPlan['value'], frame: FrameAtHand, slots: LeafPlan[]): string {
  if (value === null) return 'undefined'
  if (value.kind === 'object') return `(${sourceOf(value, frame, slots)})`
  if (value.kind === 'literal') return value.json
  const { kind, slot } = value
  if (frame.isNull(slot)) return 'null'
  slots.push(value)
  const cell = kind === 'string' ? `c${slot}.at(frame.row)` : `c${slot}[frame.row]`
  if (kind === 'boolean') return `${cell}===1`
  // A double that is a small int takes no memory of its own as one; -0 is none.
  return kind === 'int' ? `(${cell}===(${cell}|0)&&!Object.is(${cell},-0)?${cell}|0:${cell})` : cell
}

function walkedGetter(value: FieldPlan['value'], frame: FrameAtHand): () => unknown {
  if (value === null) return () => undefined
  if (value.kind === 'object') {
    const builder = new ObjectBuilder(value, frame)
    return () => builder.build()
  }
  if (value.kind === 'literal') {
    const literal: unknown = JSON.parse(value.json)
    return () => literal
  }
  return () => (frame.isNull(value.slot) ? null : frame.value(value))
}

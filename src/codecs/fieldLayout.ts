import { jsonStringEnd, jsonValueEnd, maxJsonDepth } from './jsonText.ts'
import type { FieldPlan, LeafPlan, ObjectPlan, SchemaPlan } from './schemaPlan.ts'

/**
 * Fixed bytes of a frame and the value that follows them. Eight bytes or more are compared as doubles, which for ASCII text are equal exactly
 * when the bytes are (neither NaN nor zero); fewer as two masked words.
 */
export interface LayoutStep {
  /** How many fixed bytes. */
  readonly length: number
  /** How many doubles of `FieldLayout.doubles`: at 0, 8, 16…, the last one ending with the fixed bytes. */
  readonly doubleCount: number
  readonly low: number
  readonly lowMask: number
  readonly high: number
  readonly highMask: number
  /** `skip` is a value that the schema does not ask for, `end` the end of the frame. */
  readonly kind: LeafPlan['kind'] | 'skip' | 'end'
  /** Null for `skip` and `end`. */
  readonly leaf: LeafPlan | null
  /** How deep the value may be nested, where it is skipped. */
  readonly levels: number
}

/** One order in which the fields of a schema have been seen: everything between the values, as bytes. */
export interface FieldLayout {
  readonly steps: readonly LayoutStep[]
  readonly doubles: Float64Array
  /** By slot: whether the layout has the leaf. */
  readonly has: readonly boolean[]
  /** By slot: whether the layout has `null` in the leaf's place. */
  readonly nulls: readonly boolean[]
}

/** Longer frames of fixed bytes are not worth remembering, and keys of a hostile frame should not be. */
const maxFixedBytes = 1024
const quote = 0x22
const backslash = 0x5c
const openBrace = 0x7b
const closeBrace = 0x7d

/**
 * The layout of the frame at `[start, end)`, or null where it is no plain frame of the schema: blanks, escapes in a key, a field twice, a missing
 * or a forbidden one, a value of another kind. Looks at keys, literals and structure; the values are left to whoever reads by the layout.
 */
export function learnLayout(plan: SchemaPlan, buffer: Buffer, start: number, end: number): FieldLayout | null {
  const learner = new LayoutLearner(plan, buffer, end)
  const last = learner.readObject(plan.root, start)
  return last === end ? learner.finish(end) : null
}

class LayoutLearner {
  private readonly buffer: Buffer
  private readonly end: number
  private readonly has: boolean[]
  private readonly nulls: boolean[]
  private readonly steps: LayoutStep[] = []
  private readonly doubles: number[] = []
  private fixedStart = -1
  private fixedBytes = 0
  private depth = 0

  constructor(plan: SchemaPlan, buffer: Buffer, end: number) {
    this.buffer = buffer
    this.end = end
    this.has = plan.leaves.map(() => false)
    this.nulls = plan.leaves.map(() => false)
  }

  /** Where the object ends, or -1. */
  readObject(plan: ObjectPlan, start: number): number {
    const { buffer, end } = this
    if (start >= end || buffer[start] !== openBrace) return -1
    if (this.fixedStart < 0) this.fixedStart = start
    const seen = new Set<string>()
    let at = buffer[start + 1] === closeBrace ? start + 1 : start
    this.depth += 1
    while (at === start || buffer[at] === 0x2c) {
      const keyStart = at + 1
      if (keyStart >= end || buffer[keyStart] !== quote) return -1
      const keyEnd = jsonStringEnd(buffer, keyStart, end)
      if (keyEnd < 0 || keyEnd >= end || buffer[keyEnd] !== 0x3a) return -1
      if (keyEnd - keyStart > maxFixedBytes || buffer.subarray(keyStart, keyEnd).includes(backslash)) return -1
      const name = buffer.toString('utf8', keyStart + 1, keyEnd - 1)
      if (seen.has(name)) return -1
      seen.add(name)
      const field = plan.fields.get(name)
      if (field === undefined && plan.isStrict) return -1
      at = this.readValue(field, keyEnd + 1)
      if (at < 0 || at >= end) return -1
    }
    if (at >= end || buffer[at] !== closeBrace) return -1
    for (const field of plan.fields.values()) {
      if (!field.isOptional && !seen.has(field.name)) return -1
    }
    this.depth -= 1
    return at + 1
  }

  finish(end: number): FieldLayout | null {
    if (!this.addStep(end, 'end', null)) return null
    return { steps: this.steps, doubles: Float64Array.from(this.doubles), has: this.has, nulls: this.nulls }
  }

  private readValue(field: FieldPlan | undefined, at: number): number {
    const { buffer, end } = this
    if (field === undefined) {
      if (!this.addStep(at, 'skip', null)) return -1
      this.fixedStart = jsonValueEnd(buffer, at, end)
      return this.fixedStart
    }
    const plan = field.value
    if (plan === null) return -1
    if (plan.kind === 'object') return this.readObject(plan, at)
    if (plan.kind === 'literal') return this.literalEnd(plan.json, at)
    if (plan.isNullable) {
      const nullEnd = this.literalEnd('null', at)
      if (nullEnd >= 0) {
        this.has[plan.slot] = true
        this.nulls[plan.slot] = true
        return nullEnd
      }
    }
    const isQuoted = plan.kind === 'string' || plan.kind === 'fixed8'
    if (isQuoted && buffer[at] !== quote) return -1
    if (!this.addStep(isQuoted ? at + 1 : at, plan.kind, plan)) return -1
    this.has[plan.slot] = true
    const valueEnd = jsonValueEnd(buffer, at, end)
    this.fixedStart = isQuoted ? valueEnd - 1 : valueEnd
    return valueEnd
  }

  private literalEnd(json: string, at: number): number {
    const literalEnd = at + Buffer.byteLength(json)
    return literalEnd <= this.end && this.buffer.toString('utf8', at, literalEnd) === json ? literalEnd : -1
  }

  /** Ends the run of fixed bytes before `at`; false when there are too many of them. */
  private addStep(at: number, kind: LayoutStep['kind'], leaf: LeafPlan | null): boolean {
    const fixed = this.buffer.subarray(this.fixedStart, at)
    this.fixedBytes += fixed.length
    if (this.fixedBytes > maxFixedBytes) return false
    if (fixed.some((byte) => byte < 0x20 || byte > 0x7e)) return false
    const { length } = fixed
    const doubleCount = length < 8 ? 0 : Math.ceil(length / 8)
    for (let index = 0; index < doubleCount; index += 1) {
      this.doubles.push(fixed.readDoubleLE(Math.min(index * 8, length - 8)))
    }
    const short = Buffer.alloc(16)
    if (length < 8) {
      fixed.copy(short)
      short.fill(0xff, 8, 8 + length)
    }
    this.steps.push({
      length,
      doubleCount,
      low: short.readInt32LE(0),
      lowMask: short.readInt32LE(8),
      high: short.readInt32LE(4),
      highMask: short.readInt32LE(12),
      kind,
      leaf,
      levels: maxJsonDepth - this.depth,
    })
    return true
  }
}

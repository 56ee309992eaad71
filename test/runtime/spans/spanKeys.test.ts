import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { field } from '../../../src/runtime/field.ts'
import { fields, keep, Lent, place, textsWith } from '../../../src/runtime/spans/lent.ts'
import type { FieldColumns, TextColumn } from '../../../src/runtime/spans/lentColumn.ts'
import { Span } from '../../../src/runtime/spans/span.ts'
import { SpanFlags, SpanNumbers } from '../../../src/runtime/spans/spanColumns.ts'
import { SpanKeys } from '../../../src/runtime/spans/spanKeys.ts'

interface Row {
  readonly key: string
  readonly n: number
  readonly isIn: boolean
  /** -1 for a key without a number. */
  readonly hint: number
}

/** Lends rows; with columns where it is told to, in which a key has its number or none. */
class LentRow extends Lent<Row> {
  readonly #rows: readonly Row[]
  readonly #columns: FieldColumns | null
  readonly #keys: TextColumn
  #at = 0

  constructor(rows: readonly Row[], hasColumns: boolean) {
    super()
    this.#rows = rows
    const known = [...new Set(rows.map(({ key }) => key))]
    const ordinals = Int32Array.from(rows, ({ key, hint }) => (hint === -1 ? -1 : known.indexOf(key)))
    this.#keys = { ordinals, at: (row) => (rows[row] as Row).key, numbering: {}, asBytes: null }
    const columns: FieldColumns = {
      key: { kind: 'texts', texts: this.#keys },
      n: { kind: 'numbers', numbers: Float64Array.from(rows, ({ n }) => n) },
      isIn: { kind: 'same', value: rows[0]?.isIn },
    }
    this.#columns = hasColumns ? columns : null
  }

  get key(): string {
    return (this.#rows[this.#at] as Row).key
  }

  get n(): number {
    return (this.#rows[this.#at] as Row).n
  }

  get isIn(): boolean {
    return (this.#rows[this.#at] as Row).isIn
  }

  override set [place](record: number) {
    this.#at = record
  }

  override [keep](): Row {
    return this.#rows[this.#at] as Row
  }

  override [textsWith](): TextColumn {
    return this.#keys
  }

  override get [fields](): FieldColumns | null {
    return this.#columns
  }
}

const row = fc.record({
  key: fc.constantFrom('', 'a', 'b', 'ab', 'ba', 'c'),
  n: fc.oneof(fc.integer(), fc.double()),
  isIn: fc.boolean(),
  hint: fc.integer({ min: -1, max: 3 }),
})
const reading = fc.record({
  rows: fc.array(row, { minLength: 1, maxLength: 12 }),
  from: fc.nat(3),
  hasColumns: fc.boolean(),
})

function spanOf(lent: LentRow, records: readonly number[]): Span<Row> {
  const span = new Span<Row>()
  span.value = lent as unknown as Span<Row>['value']
  for (const record of records) span.records[span.count++] = record
  return span
}

describe('what callbacks say of a span', () => {
  it('is the same of a column, and of values one by one', () => {
    const keyOf = ({ key }: Row) => key
    // Not always that of the column in which the first is found.
    const sometimes = ({ key, n }: Row) => (n > 0 ? key : 'b')
    const keys = [
      { one: new SpanKeys<Row>(field('key')), of: keyOf },
      { one: new SpanKeys<Row>(keyOf), of: keyOf },
      { one: new SpanKeys<Row>(sometimes), of: sometimes },
    ]
    const numbers = [new SpanNumbers<Row>(field('n')), new SpanNumbers<Row>(({ n }) => n)]
    const flags = [new SpanFlags<Row>(({ isIn }) => isIn)]
    const known = new Map<object | null, Map<number, string>>()
    let again = 0
    let numbered = 0
    fc.assert(
      fc.property(fc.array(reading, { minLength: 3, maxLength: 6 }), (readings) => {
        for (const { rows, from, hasColumns } of readings) {
          const records = rows.map((_, i) => i).filter((i) => i >= from)
          const span = spanOf(new LentRow(rows, hasColumns), records)
          for (const { one, of } of keys) {
            expect(one.read(span, records.length)).toBe(records.length)
            for (const record of records) {
              const key = one.keyAt(record)
              expect(key).toBe(of(rows[record] as Row))
              const number = one.numbers[record] as number
              if (number < 0) continue
              const texts = known.get(one.numbering) ?? new Map<number, string>()
              known.set(one.numbering, texts)
              if (texts.has(number)) again += 1
              expect(texts.get(number) ?? key).toBe(key)
              texts.set(number, key)
              numbered += 1
            }
          }
          for (const one of numbers) {
            expect(one.read(span, records.length)).toBe(records.length)
            for (const record of records) expect(one.of[record]).toBe(rows[record]?.n)
          }
          for (const one of flags) {
            expect(one.read(span, records.length)).toBe(records.length)
            for (const record of records) expect(one.at(record)).toBe(rows[record]?.isIn)
          }
        }
      }),
      { numRuns: 200 },
    )
    expect(again).toBeGreaterThan(100)
    expect(numbered).toBeGreaterThan(100)
  })

  it('ends at the first value of which it says nothing of the kind, or throws', () => {
    const rows = [1, 2, 3].map((n) => ({ key: 'a', n, isIn: true, hint: 0 }))
    const span = spanOf(new LentRow(rows, false), [0, 1, 2])
    const throwing = new SpanNumbers<Row>(({ n }) => {
      if (n === 3) throw new Error('of 3')
      return n
    })
    expect(throwing.read(span, 3)).toBe(2)
    expect(new SpanKeys<Row>(({ n, key }) => (n === 2 ? (n as never) : key)).read(span, 3)).toBe(1)
    expect(new SpanFlags<Row>(() => 'yes' as never).read(span, 3)).toBe(0)
    const missing = new SpanFlags<Row>(() => undefined)
    expect([missing.read(span, 3), missing.at(1)]).toEqual([3, false])
  })

  it('is what the lender at hand says, after another one', () => {
    const rows = (key: string) => [0, 1].map((n) => ({ key, n, isIn: n === 0, hint: 0 }))
    const keys = new SpanKeys<Row>(field('key'))
    const flags = new SpanFlags<Row>(field('isIn'))
    const lenders = [new LentRow(rows('a'), true), new LentRow(rows('b'), false), new LentRow(rows('c'), true)]
    for (const [i, lender] of [...lenders, ...lenders].entries()) {
      const span = spanOf(lender, [0, 1])
      keys.read(span, 2)
      expect(keys.keyAt(1)).toBe('abc'[i % 3])
      flags.read(span, 2)
      expect(flags.all).toBe(i % 3 === 1 ? null : true)
    }
  })
})

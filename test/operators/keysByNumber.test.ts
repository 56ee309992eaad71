import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeysByNumber } from '../../src/operators/keysByNumber.ts'
import { keep, Lent, numbersOf, place } from '../../src/runtime/lent.ts'

class Numbered extends Lent<null> {
  readonly #numbers: Int32Array | null

  constructor(numbers: Int32Array | null) {
    super()
    this.#numbers = numbers
  }

  override set [place](_record: number) {
    return
  }

  override [keep](): null {
    return null
  }

  override [numbersOf](): Int32Array | null {
    return this.#numbers
  }
}

const key = fc.constantFrom('', 'a', 'b', 'ab', 'c')
const step = fc.record({ key, number: fc.integer({ min: -2, max: 6 }), clears: fc.boolean() })

describe('keys by the numbers of their texts', () => {
  it('give what was noted for the key or nothing, however keys are numbered', () => {
    let found = 0
    fc.assert(
      fc.property(fc.array(step, { minLength: 30, maxLength: 60 }), (steps) => {
        const keys = new KeysByNumber<string>()
        for (const [i, { key, number, clears }] of steps.entries()) {
          keys.begin(new Numbered(number === -2 ? null : Int32Array.of(number)))
          const value = keys.find(key, 0)
          if (value !== undefined) found += 1
          expect([undefined, `of ${key}`]).toContain(value)
          keys.note(key, 0, `of ${key}`)
          if (number >= 0) expect(keys.find(key, 0)).toBe(`of ${key}`)
          if (clears && i % 3 === 0) {
            keys.clear()
            expect(keys.find(key, 0)).toBeUndefined()
          }
        }
      }),
      { numRuns: 100 },
    )
    expect(found).toBeGreaterThan(100)
  })

  it('keep nothing for numbers beyond those that a decoder gives', () => {
    const keys = new KeysByNumber<number>()
    keys.begin(new Numbered(Int32Array.of(1 << 30)))
    keys.note('a', 0, 1)
    expect(keys.find('a', 0)).toBeUndefined()
  })
})

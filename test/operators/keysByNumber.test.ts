import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeysByNumber } from '../../src/operators/keysByNumber.ts'
import { QuietWindows } from '../../src/operators/quietWindows.ts'

const key = fc.constantFrom('', 'a', 'b', 'ab', 'c')
const step = fc.record({ key, number: fc.integer({ min: -2, max: 6 }), clears: fc.boolean() })

describe('keys by the numbers of their texts', () => {
  it('give what was noted for the key or nothing, however keys are numbered', () => {
    let found = 0
    fc.assert(
      fc.property(fc.array(step, { minLength: 30, maxLength: 60 }), (steps) => {
        const keys = new KeysByNumber<string>()
        for (const [i, { key, number, clears }] of steps.entries()) {
          const value = keys.find(key, number)
          if (value !== undefined) found += 1
          expect([undefined, `of ${key}`]).toContain(value)
          keys.note(key, number, `of ${key}`)
          if (number >= 0) expect(keys.find(key, number)).toBe(`of ${key}`)
          if (clears && i % 3 === 0) {
            keys.clear()
            expect(keys.find(key, number)).toBeUndefined()
          }
        }
      }),
      { numRuns: 100 },
    )
    expect(found).toBeGreaterThan(100)
  })

  it('keep nothing for numbers beyond those that a decoder gives', () => {
    const keys = new KeysByNumber<number>()
    keys.note('a', 1 << 30, 1)
    expect(keys.find('a', 1 << 30)).toBeUndefined()
  })
})

const ordinal = fc.integer({ min: -1, max: 4 })
const few = { key: fc.constantFrom('a', 'b'), number: fc.integer({ min: -1, max: 1 }) }
const windowStep = fc.record({ ...few, ordinal, clears: fc.option(ordinal, { freq: 5 }) })

describe('quiet windows by the numbers of their keys', () => {
  it('are those of the key and of the time or none, in whatever order times come', () => {
    let found = 0
    fc.assert(
      fc.property(fc.array(windowStep, { minLength: 60, maxLength: 120 }), (steps) => {
        const windows = new QuietWindows()
        for (const { key, ordinal, number, clears } of steps) {
          const window = windows.find(key, number, ordinal)
          if (window !== undefined) found += 1
          expect([undefined, `${key}@${ordinal}`]).toContain(window?.id)
          const range = { start: ordinal, end: ordinal + 1, id: `${key}@${ordinal}` }
          windows.note(key, number, ordinal, { name: 'w', key, ...range })
          if (clears === null) continue
          windows.clear(clears)
          expect(windows.find(key, number, clears)).toBeUndefined()
        }
      }),
      { numRuns: 100 },
    )
    expect(found).toBeGreaterThan(50)
  })
})

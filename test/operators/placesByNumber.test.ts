import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PlacesByNumber } from '../../src/operators/placesByNumber.ts'
import { QuietWindows } from '../../src/operators/quietWindows.ts'

const numberings = [{}, {}, null]
const numbering = fc.constantFrom(...numberings)
/** Mostly the one of before. */
const nextNumbering = fc.oneof({ weight: 8, arbitrary: fc.constant(undefined) }, numbering)
const number = fc.integer({ min: -2, max: 6 })
/** What is kept of the key that has the number. */
const placeFor = (numbering: object | null, number: number) => 10 * numberings.indexOf(numbering) + number + 100
const step = fc.record({ numbering: nextNumbering, number, clears: fc.boolean() })

describe('places by the numbers of keys', () => {
  it('are what was noted in the numbering, or none', () => {
    let found = 0
    fc.assert(
      fc.property(fc.array(step, { minLength: 30, maxLength: 60 }), (steps) => {
        const places = new PlacesByNumber()
        let now: object | null = null
        for (const [i, { numbering, number, clears }] of steps.entries()) {
          if (numbering !== undefined) {
            now = numbering
            places.under(now)
          }
          const place = places.at(number)
          if (place >= 0) found += 1
          expect([-1, placeFor(now, number)]).toContain(place)
          places.note(number, placeFor(now, number))
          expect(places.at(number)).toBe(number < 0 ? -1 : placeFor(now, number))
          if (clears && i % 3 === 0) {
            places.clear()
            expect(places.at(number)).toBe(-1)
          }
        }
      }),
      { numRuns: 100 },
    )
    expect(found).toBeGreaterThan(100)
  })

  it('are none for numbers beyond those that a decoder gives', () => {
    const places = new PlacesByNumber()
    places.note(1 << 30, 1)
    expect(places.at(1 << 30)).toBe(-1)
  })
})

const ordinal = fc.integer({ min: -1, max: 4 })
const windowStep = fc.record({
  number: fc.integer({ min: -1, max: 1 }),
  ordinal,
  clears: fc.option(ordinal, { freq: 5 }),
  numbering: nextNumbering,
})

describe('quiet windows by the numbers of their keys', () => {
  it('are those of the key and of the time or none, in whatever order times come', () => {
    let found = 0
    fc.assert(
      fc.property(fc.array(windowStep, { minLength: 100, maxLength: 200 }), (steps) => {
        const windows = new QuietWindows()
        let now: object | null = null
        for (const { ordinal, number, clears, numbering } of steps) {
          if (numbering !== undefined) {
            now = numbering
            windows.under(now)
          }
          const place = windows.placeOf(number, ordinal)
          if (place >= 0) found += 1
          const own = 1_000 * (ordinal + 1) + placeFor(now, number)
          expect([-1, own]).toContain(place)
          windows.note(number, ordinal, own)
          if (clears === null) continue
          windows.clear(clears)
          expect(windows.placeOf(number, clears)).toBe(-1)
        }
      }),
      { numRuns: 100 },
    )
    expect(found).toBeGreaterThan(50)
  })
})

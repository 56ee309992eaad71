import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { heldFor } from '../../src/operators/foldState.ts'
import { QuietHelds } from '../../src/operators/quietHelds.ts'
import type { Window } from '../../src/operators/window.ts'
import { WindowPlaces } from '../../src/operators/windowPlaces.ts'

const windowOf = (id: string): Window => ({ name: 'w', key: id, start: 0, end: 1, id })

describe('places of windows', () => {
  it('are those of one window at a time, and what was noted for a window is not found for the next that has its place', () => {
    let found = 0
    let usedAgain = 0
    const step = fc.record({ opens: fc.boolean(), notes: fc.boolean(), forgets: fc.boolean(), pick: fc.nat() })
    fc.assert(
      fc.property(fc.array(step, { minLength: 100, maxLength: 300 }), (steps) => {
        const places = new WindowPlaces()
        const quiet = new QuietHelds<string>()
        const open: { readonly at: number; readonly window: Window }[] = []
        const used = new Set<number>()
        for (const [i, { opens, notes, forgets, pick }] of steps.entries()) {
          if (opens || open.length === 0) {
            const window = windowOf(String(i))
            const at = places.take(window)
            if (used.has(at)) usedAgain += 1
            used.add(at)
            expect(open.map((one) => one.at)).not.toContain(at)
            open.push({ at, window })
          }
          quiet.over(places)
          const { at, window } = open[pick % open.length] as (typeof open)[number]
          expect(places.windows[at]).toBe(window)
          if (quiet.has(at)) {
            found += 1
            expect(quiet.at(at).window).toBe(window)
            expect(quiet.rowAt(at)).toBe(Number(window.id))
            if (forgets) {
              quiet.forget(quiet.at(at))
              expect(quiet.has(at)).toBe(false)
            }
          } else if (notes) quiet.note(at, heldFor(window, quiet, '', true), Number(window.id))
          if (!opens && pick % 3 === 0) {
            // Nobody says that what is kept for it is gone.
            places.release(at)
            open.splice(pick % open.length, 1)
          }
        }
      }),
      { numRuns: 200 },
    )
    expect(found).toBeGreaterThan(500)
    expect(usedAgain).toBeGreaterThan(500)
  })

  it('of two operators are not taken for each other', () => {
    const [one, other] = [new WindowPlaces(), new WindowPlaces()]
    const at = one.take(windowOf('a'))
    expect(other.take(windowOf('b'))).toBe(at)
    const quiet = new QuietHelds<string>()
    quiet.over(one)
    quiet.note(at, heldFor(windowOf('a'), quiet, '', true), 0)
    quiet.over(other)
    expect(quiet.has(at)).toBe(false)
  })

  it('are asked about once a cut', () => {
    const places = new WindowPlaces()
    const at = places.take(windowOf('a'))
    const quiet = new QuietHelds<string>()
    quiet.over(places)
    const held = heldFor(windowOf('a'), quiet, '', true)
    quiet.note(at, held, 0)
    expect([quiet.isFirstIn(7, at), quiet.isFirstIn(7, at), quiet.isFirstIn(8, at)]).toEqual([true, false, true])
    quiet.forget(held)
    quiet.note(at, held, 0)
    expect(quiet.isFirstIn(8, at)).toBe(true)
  })

  it('wait once, and not for the window that had the place before', () => {
    const places = new WindowPlaces()
    const at = places.take(windowOf('a'))
    const quiet = new QuietHelds<string>()
    quiet.over(places)
    quiet.note(at, heldFor(windowOf('a'), quiet, '', true), 0)
    expect(quiet.stopsWaiting(at)).toBe(false)
    quiet.wait(at)
    expect([quiet.stopsWaiting(at), quiet.stopsWaiting(at)]).toEqual([true, false])
    quiet.wait(at)
    places.release(at)
    expect(places.take(windowOf('b'))).toBe(at)
    quiet.note(at, heldFor(windowOf('b'), quiet, '', true), 0)
    expect(quiet.stopsWaiting(at)).toBe(false)
  })
})

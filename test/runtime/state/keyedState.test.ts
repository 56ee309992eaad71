import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeyedState } from '../../../src/runtime/state/keyedState.ts'
import type { KeyedPair } from '../../../src/runtime/state/savedState.ts'

interface Counter {
  count: number
}

const codec = { encode: (value: Counter) => value.count, decode: (saved: unknown) => ({ count: saved as number }) }
const make = () => new KeyedState<Counter>(codec)
const contents = (state: KeyedState<Counter>) =>
  Object.fromEntries([...state.entries()].map(([key, { count }]) => [key, count]))
const textOf = (pieces: readonly string[]) => `[${pieces.join(',')}]`
const parse = (pieces: readonly string[]) => JSON.parse(textOf(pieces)) as KeyedPair[]

describe('KeyedState', () => {
  it.each([0, 1, 255, 256, 257, 1_000])('gives the JSON of all pairs, of %i as of one', (count) => {
    const state = make()
    for (let n = 0; n < count; n += 1) state.set(`k"${n}`, { count: n })
    const pairs = Array.from({ length: count }, (_, n) => [`k"${n}`, n])
    expect(textOf(state.takeDelta())).toBe(JSON.stringify(pairs))
    expect(textOf(state.takeBase())).toBe(JSON.stringify(pairs))
    for (let n = 0; n < count; n += 2) state.delete(`k"${n}`)
    expect(textOf(state.takeDelta())).toBe(JSON.stringify(pairs.filter((_, n) => n % 2 === 0).map(([key]) => [key])))
    expect(textOf(state.takeBase())).toBe(JSON.stringify(pairs.filter((_, n) => n % 2 === 1)))
  })

  it('comes back from a base and the deltas after it, whatever was done in between', () => {
    const step = fc.record({
      key: fc.constantFrom('a', 'b', 'c', '"\n'),
      act: fc.constantFrom('set', 'update', 'touch', 'delete', 'cut'),
    })
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const live = make()
        const frames = [live.takeBase()]
        for (const { key, act } of steps) {
          if (act === 'set') live.set(key, { count: 1 })
          else if (act === 'delete') live.delete(key)
          else if (act === 'cut') frames.push(live.takeDelta())
          else if (act === 'update') {
            const held = live.update(key)
            if (held !== undefined) held.count += 1
          } else {
            const entry = live.entry(key)
            if (entry !== undefined) live.touch(entry).count += 1
          }
        }
        frames.push(live.takeDelta())
        const restored = make()
        for (const frame of frames) restored.restore(parse(frame))
        expect(contents(restored)).toEqual(contents(live))
      }),
    )
  })

  it('puts into a delta what changed since the last cut, and nothing else', () => {
    const state = make()
    for (let i = 0; i < 10_000; i++) state.set(`key ${i}`, { count: i })
    expect(parse(state.takeBase())).toHaveLength(10_000)
    for (let i = 0; i < 100; i++) state.update(`key ${i * 7}`)
    expect(parse(state.takeDelta())).toHaveLength(100)
    expect(state.takeDelta()).toEqual([])
  })

  it('hands out a copy: what happens after a cut does not reach it', () => {
    const state = make()
    state.set('a', { count: 1 })
    const base = state.takeBase()
    const held = state.update('a')
    if (held !== undefined) held.count = 99
    expect(base).toEqual(['["a",1]'])
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Json } from '../../../src/runtime/json.ts'
import type { Restored } from '../../../src/runtime/operator/operator.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import { framesOf, keptFrames } from '../../../src/runtime/state/frameChain.ts'
import type { KeyedState } from '../../../src/runtime/state/keyedState.ts'
import { plainState } from '../../../src/runtime/state/plainState.ts'
import { readFrames } from '../../../src/runtime/state/savedState.ts'
import type { StateCut } from '../../../src/runtime/state/stateFrames.ts'
import { StateInventory } from '../../../src/runtime/state/stateInventory.ts'
import type { StateFrame } from '../../../src/runtime/store/checkpoint.ts'
import { TaskState } from '../../../src/runtime/task/taskState.ts'

const pipeline = definePipeline({ name: 'kept', build: () => ({}) as never })
const own = {
  ...{ ordinals: new Map<string, number>(), lastInput: 0, lastOffset: null, sent: new Map<string, number>() },
  ...{ clocks: new Map<string, number>(), steps: 0, merge: null },
}

/** Two operators with four maps, of which one is opened late, as a task has them. */
class Kept {
  readonly maps = new Map<string, KeyedState<Json>>()
  count: number
  isSecondAwake: boolean
  readonly #first: Restored
  readonly #state: TaskState

  constructor(frames: readonly StateFrame[], portionChars: number) {
    this.#state = new TaskState(pipeline, frames, [0], 0, portionChars)
    const first = this.#state.restoredFor({ name: 'first', shape: { a: 1 } })
    this.#first = first
    this.count = (first.snapshot as number | undefined) ?? 0
    if (first.maps.includes('late')) this.map('late')
    const second = this.#state.restoredFor({ name: 'second', version: 2 })
    this.isSecondAwake = this.#state.hasSaved('second')
    this.maps.set('x', first.keyed(plainState<Json>()))
    this.maps.set('y', first.keyed(plainState<Json>(), 'y'))
    this.maps.set('z', second.keyed(plainState<Json>(), 'z'))
    const logic = { snapshot: () => this.count }
    this.#state.bind({ spec: { name: 'first', shape: { a: 1 } }, logic, isAwake: true })
    const isAwake = () => this.isSecondAwake
    this.#state.bind({
      ...{ spec: { name: 'second', version: 2 }, logic: {} },
      get isAwake() {
        return isAwake()
      },
    })
    this.#state.checkRetired()
  }

  map(name: string): KeyedState<Json> {
    const map = this.maps.get(name) ?? this.#first.keyed(plainState<Json>(), name)
    this.maps.set(name, map)
    return map
  }

  cut(): StateCut {
    return this.#state.take(own)
  }

  /** All of it, in the order of the keys. */
  get contents(): unknown {
    const maps = [...this.maps].filter(([, { size }]) => size > 0)
    return [this.count, new Map(maps.map(([map, state]) => [map, [...state.entries()]]))]
  }
}

const keys = ['a', 'b', 'c', '__proto__', '"\u0000\ud800', ...Array.from({ length: 30 }, (_, n) => `k${n}`)]
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      act: fc.constantFrom('set', 'set', 'delete', 'renew'),
      map: fc.constantFrom('x', 'y', 'z', 'late'),
      key: fc.constantFrom(...keys),
    }),
  },
  { weight: 10, arbitrary: fc.constant({ act: 'cut' } as const) },
  { weight: 1, arbitrary: fc.constantFrom({ act: 'crash' } as const, { act: 'count' } as const) },
)

describe('a whole state in portions', () => {
  it('is restored after any checkpoint as it was then, keys in their order, whatever changes between two portions and wherever it is given up', () => {
    const counts = new Map<string, number>()
    fc.assert(
      fc.property(fc.array(step, { minLength: 60, maxLength: 200 }), fc.constantFrom(1, 60, 300), (steps, portion) => {
        let frames: readonly StateFrame[] = []
        let live = new Kept(frames, portion)
        let value = 0
        for (const one of steps) {
          value += 1
          if (one.act === 'cut') {
            const cut = live.cut()
            for (const { kind } of framesOf(cut)) counts.set(kind, (counts.get(kind) ?? 0) + 1)
            frames = keptFrames(frames, framesOf(cut))
            expect(new Kept(frames, portion).contents).toEqual(live.contents)
          } else if (one.act === 'crash') live = new Kept(frames, portion)
          else if (one.act === 'count') live.count = value
          else {
            const map = live.map(one.map)
            if (one.map === 'z') live.isSecondAwake = true
            if (one.act !== 'set') map.delete(one.key)
            if (one.act !== 'delete') map.set(one.key, value)
          }
        }
      }),
      { numRuns: 400 },
    )
    expect(
      [...counts]
        .filter(([, count]) => count > 100)
        .map(([kind]) => kind)
        .sort(),
    ).toEqual(['base', 'delta', 'first', 'further', 'last'])
  })

  it('is counted as it is restored', () => {
    let frames: readonly StateFrame[] = []
    let isWritten = false
    const live = new Kept(frames, 100)
    for (let n = 0; n < 60 || !isWritten; n += 1) {
      for (const map of live.maps.values()) {
        map.set(`k${n % 40}`, n)
        if (n % 7 === 3) map.delete(`k${(n * 5) % 40}`)
      }
      live.isSecondAwake = true
      const cut = live.cut()
      isWritten ||= cut.portion?.kind === 'last'
      frames = keptFrames(frames, framesOf(cut))
      const inventory = new StateInventory()
      for (const frame of frames) inventory.add(frame)
      const counts = inventory.operators.map(({ name, keys }) => [name, keys])
      const sizeOf = (map: string) => live.maps.get(map)?.size ?? 0
      expect(counts).toEqual([
        ['first', sizeOf('x') + sizeOf('y')],
        ['second', sizeOf('z')],
      ])
    }
  })

  it('takes no more text at a cut than three times what has changed, or a portion, however much is kept', () => {
    const portion = 20_000
    const live = new Kept([], portion)
    const map = live.maps.get('x') as KeyedState<Json>
    let frames = keptFrames([], framesOf(live.cut()))
    const value = 'v'.repeat(60)
    for (let n = 0; n < 100_000; n += 1) {
      map.set(String(n), value)
      // As a log that is read from its beginning.
      if (n % 1_000 === 999) frames = keptFrames(frames, framesOf(live.cut()))
    }
    let wholes = 0
    let most = 0
    for (let cut = 0; cut < 3_000; cut += 1) {
      for (let n = 0; n < 100; n += 1) map.set(String((cut * 7_919 + n * 31) % 100_000), value)
      const taken = live.cut()
      const delta = taken.state.body.length
      const text = framesOf(taken).reduce((sum, { body }) => sum + body.length, 0)
      most = Math.max(most, text / Math.max(3 * delta, delta + portion))
      if (taken.portion?.kind === 'last') wholes += 1
      frames = keptFrames(frames, framesOf(taken))
    }
    expect(most).toBeLessThan(1.05)
    expect(wholes).toBeGreaterThan(1)
    const stored = frames.reduce((sum, { body }) => sum + body.length, 0)
    const kept = JSON.stringify([...map.entries()]).length
    expect(stored / kept).toBeLessThan(4.5)
    expect(new Kept(frames, portion).contents).toEqual(live.contents)
  })

  it('is written at once where it is smaller than a portion by now, however much has come and gone since the last', () => {
    const live = new Kept([], 100_000)
    const map = live.maps.get('x') as KeyedState<Json>
    const kinds: string[] = []
    let frames: readonly StateFrame[] = []
    for (let cut = 0; cut < 40; cut += 1) {
      for (let n = 400 * cut; n < 400 * cut + (cut === 0 ? 2_000 : 400); n += 1) {
        map.delete(String(n))
        map.set(String(n + 2_000), 'v'.repeat(20))
      }
      const taken = live.cut()
      kinds.push(
        framesOf(taken)
          .map(({ kind }) => kind)
          .join(' and '),
      )
      frames = keptFrames(frames, framesOf(taken))
    }
    expect(new Set(kinds)).toEqual(new Set(['base', 'delta']))
    expect(new Kept(frames, 100_000).contents).toEqual(live.contents)
  })

  it('is written at once by a task that is started anew again and again before the last portion comes', () => {
    let frames: readonly StateFrame[] = []
    let live = new Kept(frames, 5_000)
    for (let n = 0; n < 2_000; n += 1) live.maps.get('x')?.set(String(n), 'v'.repeat(20))
    frames = keptFrames(frames, framesOf(live.cut()))
    const whole = frames[0]?.body.length ?? 0
    let bases = 0
    for (let start = 0; start < 60; start += 1) {
      live = new Kept(frames, 5_000)
      for (let cut = 0; cut < 3; cut += 1) {
        for (let n = 0; n < 200; n += 1)
          live.maps.get('x')?.set(String((start * 600 + cut * 200 + n) % 2_000), 'v'.repeat(20))
        const taken = live.cut()
        if (taken.state.kind === 'base') bases += 1
        frames = keptFrames(frames, framesOf(taken))
        expect(frames.reduce((sum, { body }) => sum + body.length, 0) / whole).toBeLessThan(6)
      }
    }
    expect(bases).toBeGreaterThan(2)
    expect(new Kept(frames, 5_000).contents).toEqual(live.contents)
  })

  it('a state that is small, and one in a new layout, is written at once', () => {
    const live = new Kept([], 10_000)
    const kinds: string[] = []
    let frames: readonly StateFrame[] = []
    for (let n = 0; n < 400; n += 1) {
      live.maps.get('x')?.set(`k${n % 20}`, 'v'.repeat(30))
      const cut = live.cut()
      kinds.push(...framesOf(cut).map(({ kind }) => kind))
      frames = keptFrames(frames, framesOf(cut))
    }
    expect(new Set(kinds)).toEqual(new Set(['base', 'delta']))
    expect(kinds.filter((kind) => kind === 'base').length).toBeGreaterThan(2)
    const renamed = definePipeline({ name: 'kept', renamed: { first: 'third' }, build: () => ({}) as never })
    const task = new TaskState(renamed, frames, [0], 0, 1)
    const third = task.restoredFor({ name: 'third', shape: { a: 1 } })
    const maps = [third.keyed(plainState<Json>()), third.keyed(plainState<Json>(), 'y')]
    task.bind({ spec: { name: 'third', shape: { a: 1 } }, logic: {}, isAwake: true })
    expect(maps[0]?.size).toBe(20)
    expect(framesOf(task.take(own)).map(({ kind }) => kind)).toEqual(['base'])
  })

  it('is JSON as it always was', () => {
    const texts = fc.string({ unit: 'binary' })
    const entries = fc.uniqueArray(fc.tuple(texts, texts), { selector: ([key]) => key, maxLength: 200 })
    fc.assert(
      fc.property(fc.record({ x: entries, y: entries, z: entries }), ({ x, y, z }) => {
        const live = new Kept([], 1e6)
        live.isSecondAwake = z.length > 0
        for (const [map, pairs] of Object.entries({ x, y, z }))
          for (const [key, value] of pairs) live.maps.get(map)?.set(key, value)
        const part = (name: string, version: number, shape: Json, snapshot: Json, keyed: Json, maps: object) => ({
          ...{ name, version, shape, snapshot, keyed },
          ...(Object.keys(maps).length === 0 ? {} : { maps }),
        })
        const operators = [
          part('first', 1, { a: 1 }, 0, x, y.length === 0 ? {} : { y }),
          ...(z.length === 0 ? [] : [part('second', 2, null, null, [], { z })]),
        ]
        expect(live.cut().state).toEqual({ kind: 'base', body: JSON.stringify({ version: 2, operators }) })
      }),
      { numRuns: 100 },
    )
  })
})

it('portions of a whole state that was given up are no part of what is read', () => {
  const frame = (kind: StateFrame['kind'], ...keyed: Json[]) => ({
    kind,
    body: JSON.stringify({ version: 2, operators: [{ name: 'o', version: 1, shape: null, snapshot: null, keyed }] }),
  })
  const read = (...frames: StateFrame[]) => readFrames(frames).get('o')?.keyed
  const old = [frame('base', ['a', 1], ['b', 1]), frame('delta', ['a', 2])]
  const given = [frame('first', ['a', 2]), frame('delta', ['c', 3])]
  expect(read(...old, ...given)).toEqual([
    ['a', 1],
    ['b', 1],
    ['a', 2],
    ['c', 3],
  ])
  const anew = [
    frame('first', ['a', 2]),
    frame('delta', ['a'], ['d', 4]),
    frame('further', ['b', 1]),
    frame('last', ['c', 3], ['d', 4]),
  ]
  expect(keptFrames([], [...old, ...given, ...anew.slice(0, 3)])).toEqual([...old, given[1], ...anew.slice(0, 3)])
  const all = [...old, ...given, ...anew]
  expect(keptFrames([], all)).toEqual(anew)
  expect(read(...keptFrames([], all))).toEqual([['a', 2], ['a'], ['b', 1], ['c', 3], ['d', 4]])
})

import fc from 'fast-check'
import { map, type Observable } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { dedupe } from '../../src/operators/dedupe.ts'
import { eventTime } from '../../src/operators/eventTime.ts'
import { Hole } from '../../src/operators/holes.ts'
import { ChainTask, savedFrom } from '../support/tasks.ts'

interface Item {
  readonly id: number
  readonly at: number
}

interface Word {
  readonly hole: string
  readonly isOver: boolean
}

type Event = Item | Word

const ttlMs = 1_000

const chain = (ids: 'set' | 'ranges') => (events: Observable<Event>) =>
  events.pipe(
    eventTime({
      of: (event) => ('hole' in event ? 0 : event.at),
      isOfThePast: (event) => 'hole' in event,
      maxOutOfOrdernessMs: 0,
    }),
    map((event) =>
      'hole' in event ? new Hole({ key: 'k', id: event.hole, from: 0, to: 0, isOver: event.isOver }) : event,
    ),
    dedupe<Item>({ by: () => 'k', id: ({ id }) => id, ids, ttlMs, takesHoles: true }),
  )

const value = fc.record({ id: fc.integer({ min: 1, max: 12 }), step: fc.integer({ min: -1_500, max: 900 }) })
const word = fc.record({ hole: fc.constantFrom('a', 'b'), isOver: fc.boolean() })
const drawn = fc.array(fc.oneof({ weight: 4, arbitrary: value }, { weight: 1, arbitrary: word }), { maxLength: 60 })

/** Steps are times from the latest one on. */
function eventsOf(steps: readonly (Word | { readonly id: number; readonly step: number })[]): Event[] {
  let latest = 10_000
  return steps.map((step) => {
    if ('hole' in step) return step
    const at = latest + step.step
    latest = Math.max(latest, at)
    return { id: step.id, at }
  })
}

/** What passes. */
function told(run: ChainTask<Event>, event: Event): unknown[] {
  const before = run.out.length
  run.push(event)
  return run.out.slice(before)
}

describe.each(['set', 'ranges'] as const)('dedupe by %s above windows that holes keep open', (ids) => {
  it('passes holes on, and forgets nothing that was known when an open one was told', () => {
    fc.assert(
      fc.property(drawn, (steps) => {
        const run = new ChainTask<Event>(chain(ids))
        const seen = new Map<number, number>()
        const toldAt = new Map<string, number>()
        let watermark = Number.NEGATIVE_INFINITY
        for (const event of eventsOf(steps)) {
          const passed = told(run, event)
          if ('hole' in event) {
            expect(passed).toMatchObject([{ id: event.hole, isOver: event.isOver }])
            if (event.isOver) toldAt.delete(event.hole)
            else if (!toldAt.has(event.hole)) toldAt.set(event.hole, watermark)
            continue
          }
          const isKnown =
            (seen.get(event.id) ?? Number.NEGATIVE_INFINITY) + ttlMs > Math.min(watermark, ...toldAt.values())
          if (isKnown) expect(passed).toEqual([])
          else if (ids === 'set') expect(passed).toEqual([event])
          if (passed.length > 0) seen.set(event.id, event.at)
          watermark = Math.max(watermark, event.at - 1)
        }
      }),
    )
  })

  it('passes the same whenever it is restarted', () => {
    fc.assert(
      fc.property(drawn, fc.integer({ min: 1, max: 59 }), (steps, at) => {
        const events = eventsOf(steps)
        const whole = new ChainTask<Event>(chain(ids)).push(...events)
        const before = new ChainTask<Event>(chain(ids)).push(...events.slice(0, at))
        const after = new ChainTask<Event>(chain(ids), savedFrom(before.cut())).push(...events.slice(at))
        expect([...before.out, ...after.out]).toEqual(whole.out)
      }),
    )
  })
})

it('of ids that are forgotten bit by bit, one that was seen anew stays for a hole that was told meanwhile', () => {
  const many = Array.from({ length: 3_000 }, (_, id) => ({ id, at: 0 }))
  const anew = { id: 2_999, at: 1_011 }
  const run = new ChainTask<Event>(chain('set')).push(...many, { id: 10_000, at: 1_010 }, anew)
  run.push({ hole: 'a', isOver: false }, { id: 10_001, at: 3_000 })
  expect(told(run, { ...anew, at: 3_001 })).toEqual([])
})

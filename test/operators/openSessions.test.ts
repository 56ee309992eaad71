import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Lateness } from '../../src/operators/lateness.ts'
import { OpenSessions, type Session } from '../../src/operators/openSessions.ts'
import type { Restored } from '../../src/runtime/operator/operator.ts'
import { KeyedState, type StateCodec } from '../../src/runtime/state/keyedState.ts'

const step = fc.record({ key: fc.constantFrom('a', 'b', 'c'), at: fc.nat(60), moves: fc.nat(3) })

it('knows the end of the last session that has not fired, whatever has become of those before', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fc.constantFrom(0, 15), (steps, allowedLatenessMs) => {
      const kept = new Map<string, KeyedState<Session & { hasFired: boolean }>>()
      const restored = {
        watermark: Number.NEGATIVE_INFINITY,
        snapshot: undefined,
        keyed: (codec: StateCodec<Session & { hasFired: boolean }>, map: string) => {
          const state = new KeyedState(codec)
          kept.set(map, state)
          return state
        },
      } as unknown as Restored
      const rules = { name: 's', gapMs: 10, maxMs: Number.POSITIVE_INFINITY, allowedLatenessMs }
      const sessions = new OpenSessions(rules, new Lateness(allowedLatenessMs, restored), restored)
      let watermark = 0
      for (const { key, at, moves } of steps) {
        const time = watermark + at - 20
        if (sessions.lateFor(key, time, watermark) === null) sessions.join(key, time, watermark)
        watermark += moves
        for (let due = sessions.nextDue; due <= watermark; due = sessions.nextDue) {
          for (const one of sessions.takeDue(due)) sessions.fire(one)
        }
        sessions.takeOver(watermark)
        const open = [...(kept.get('open')?.entries() ?? [])].flatMap(([, { window, hasFired }]) =>
          hasFired ? [] : [window.end - 1],
        )
        expect(sessions.last).toBe(open.length === 0 ? undefined : Math.max(...open))
      }
    }),
    { numRuns: 300 },
  )
})

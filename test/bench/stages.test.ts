import { expect, test } from 'vitest'
import { type Live, stages, timeByStage } from '../../bench/kafka/stages.ts'

/** 1,000 trades a second over two partitions from 0 on: trade 2n and 2n + 1 are the trades n of their partitions. */
const schedule = { rate: 1_000, from: 0 }
const measured = { from: 0, until: 8 }

/** Two appends of four trades each, and what became of them; offsets are trades where nothing marks the end of an append. */
function live(hasMarkers: boolean): Live {
  const firstUntil = hasMarkers ? 3 : 2
  const secondUntil = hasMarkers ? 6 : 4
  const places = [0, 1].flatMap((partition) => [
    { partition, until: firstUntil, after: 0 },
    { partition, until: secondUntil, after: 100 },
  ])
  const at = (ms: number) => places.map(({ partition, until, after }) => ({ partition, until, at: ms + after }))
  return {
    schedule,
    partitions: 2,
    produced: {
      appends: [
        { until: 4, sentAt: 10, storedAt: 13 },
        { until: 8, sentAt: 110, storedAt: 113 },
      ],
      hasMarkers,
    },
    worker: { fetched: at(20), worked: at(21), cut: at(26), committed: at(33) },
    seen: [0, 1].flatMap((partition) => [
      { partition, until: 2, at: 41 },
      { partition, until: 4, at: 141 },
    ]),
  }
}

test.each([true, false])(
  'a trade is in each stage from the end of the one before, also where transactions take offsets: %s',
  (hasMarkers) => {
    const times = timeByStage(live(hasMarkers), measured)
    expect([...times.keys()]).toEqual([...stages])
    for (const of of times.values()) expect(of.total).toBe(8)
    const longest = Object.fromEntries([...times].map(([stage, of]) => [stage, of.max]))
    expect(longest).toEqual({ sent: 106, stored: 3, fetched: 7, worked: 1, cut: 5, committed: 7, seen: 8 })
  },
)

test('only trades that were due in the time are counted', () => {
  const times = timeByStage(live(false), { from: 4, until: 7 })
  for (const of of times.values()) expect(of.total).toBe(3)
  expect(times.get('sent')?.max).toBe(106)
})

test('where nobody knows which offset a trade has, nothing is told of stages', () => {
  const times = timeByStage({ ...live(true), produced: { appends: null, hasMarkers: true } }, measured)
  for (const of of times.values()) expect(of.total).toBe(0)
})

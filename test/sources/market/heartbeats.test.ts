import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { OutgoingRecord } from '../../../src/runtime/log/log.ts'
import { Heartbeats } from '../../../src/sources/market/heartbeats.ts'

const start = Date.UTC(2024, 7, 9)
const options = { intervalMs: 2_000, marginMs: 1_000 }

interface Arrival {
  readonly partition: number
  readonly time: number
}

/** Heartbeats as `[before the arrival with this index, partition, time since start]`. */
function heartbeatsOf(arrivals: readonly Arrival[]): [index: number, partition: number, time: number][] {
  const heartbeats = new Heartbeats(3, options)
  let newest = 0
  return arrivals.flatMap(({ partition, time }, index) => {
    newest = Math.max(newest, start + time)
    heartbeats.onTrade(partition, start + time, newest)
    const out: OutgoingRecord[] = []
    heartbeats.advance(newest, out)
    return out.map((record): [number, number, number] => [index + 1, record.partition, record.timestamp - start])
  })
}

test('a partition that has had no trade is told nothing', () => {
  expect(heartbeatsOf([0, 5_000, 10_000].map((time) => ({ partition: 1, time })))).toEqual([])
})

test('a quiet partition is told the newest time less the margin, at each interval', () => {
  const arrivals = [
    { partition: 0, time: 0 },
    ...[0, 1_000, 2_999, 3_000, 4_999, 5_000].map((time) => ({ partition: 1, time })),
  ]
  expect(heartbeatsOf(arrivals)).toEqual([
    [5, 0, 2_000],
    [7, 0, 4_000],
  ])
})

test('symbols whose times lie minutes apart, line by line or one after the other, are not made late', () => {
  const first = Array.from({ length: 300 }, (_, index) => ({ partition: 0, time: index * 1_000 }))
  const second = Array.from({ length: 300 }, (_, index) => ({ partition: 1, time: index * 100 }))
  const alternating = first.flatMap((arrival, index) => [arrival, second[index] as Arrival])
  for (const arrivals of [alternating, [...first, ...second]]) {
    expect(heartbeatsOf(arrivals).filter(([, partition]) => partition === 1)).toEqual([])
  }
})

test('a partition that trails a busy one by a steady lag is never told a time that its next trade has not reached', () => {
  const arrivals = fc.array(fc.record({ partition: fc.nat(2), stepMs: fc.nat(4_000) }), {
    minLength: 1,
    maxLength: 200,
  })
  const lags = fc.tuple(fc.constant(0), fc.nat(120_000), fc.nat(120_000))
  fc.assert(
    fc.property(arrivals, lags, (steps, lag) => {
      let now = 500_000
      const all = steps.flatMap(({ partition, stepMs }) => {
        now += stepMs
        return [
          { partition: 0, time: now },
          { partition, time: now - (lag[partition] as number) },
        ]
      })
      for (const [index, partition, time] of heartbeatsOf(all)) {
        const next = all.slice(index).find((arrival) => arrival.partition === partition)
        if (next !== undefined) expect(time).toBeLessThanOrEqual(next.time)
      }
    }),
  )
})

test('what it writes after a restore is what it would have written', () => {
  const arrivals = fc.array(fc.record({ partition: fc.nat(2), time: fc.nat(60_000) }), { maxLength: 100 })
  fc.assert(
    fc.property(arrivals, (all) => {
      const whole = new Heartbeats(3, options)
      let resumed = new Heartbeats(3, options)
      let newest = 0
      for (const { partition, time } of all) {
        newest = Math.max(newest, start + time)
        const expected: OutgoingRecord[] = []
        const written: OutgoingRecord[] = []
        resumed = new Heartbeats(3, options, JSON.parse(JSON.stringify(resumed.snapshot())))
        for (const [heartbeats, out] of [
          [whole, expected],
          [resumed, written],
        ] as const) {
          heartbeats.onTrade(partition, start + time, newest)
          heartbeats.advance(newest, out)
        }
        expect(written).toEqual(expected)
      }
    }),
  )
})

import { expect, test } from 'vitest'
import { EventTimeTracker } from '../../../src/sources/market/eventTimeTracker.ts'

const start = Date.UTC(2024, 7, 9)
const hour = 3_600_000

function tracked(): EventTimeTracker {
  const tracker = new EventTimeTracker()
  for (let id = 1; id <= 3; id++) tracker.stamp(start + id, 'A', id)
  return tracker
}

test('a trade is stamped with its own time', () => {
  const tracker = tracked()
  expect(tracker.stamp(start + 1_000, 'A', 4)).toBe(start + 1_000)
  expect(tracker.stamp(start + 500, 'B', 1)).toBe(start + 500)
  expect(tracker.newest).toBe(start + 1_000)
})

test('before the first trade there is no timestamp to fall back to', () => {
  expect(new EventTimeTracker().previous).toBe(-1)
})

test.each([
  ['in seconds', Math.floor(start / 1_000)],
  ['in microseconds', start * 1_000],
  ['negative', -5],
  ['in the year 3000', Date.UTC(3000, 0, 1)],
  ['two hours ahead', start + 2 * hour],
  ['two days behind', start - 48 * hour],
])('one absurd time (%s) moves nothing, however often it is repeated', (_, time) => {
  const tracker = tracked()
  for (let repeat = 0; repeat < 5; repeat++) expect(tracker.stamp(time, 'A', 99)).toBe(start + 3)
  expect(tracker.stamp(start + 10, 'A', 100)).toBe(start + 10)
  expect(tracker.newest).toBe(start + 10)
})

test('after a halt of hours time goes on once three trades agree', () => {
  const tracker = tracked()
  const after = start + 5 * hour
  expect(tracker.stamp(after, 'A', 4)).toBe(start + 3)
  expect(tracker.stamp(after + 1, 'A', 5)).toBe(start + 3)
  expect(tracker.stamp(after + 2, 'A', 6)).toBe(after + 2)
  expect(tracker.newest).toBe(after + 2)
})

test('a first trade with an absurd time does not decide what is plausible', () => {
  const tracker = new EventTimeTracker()
  tracker.stamp(Date.UTC(2090, 0, 1), 'A', 1)
  for (let id = 2; id <= 4; id++) expect(tracker.stamp(start + id, 'A', id)).toBe(start + id)
  expect(tracker.newest).toBe(start + 4)
})

test('a tracker that goes on from a snapshot stamps like one that never stopped', () => {
  const times = [0, 5, 4 * hour, 4 * hour + 1, 7, 4 * hour + 2, 4 * hour + 3, 4 * hour + 4, 8].map((ms) => start + ms)
  const whole = new EventTimeTracker()
  const expected = times.map((time, id) => whole.stamp(time, 'A', id))
  let resumed = new EventTimeTracker()
  const stamped = times.map((time, id) => {
    resumed = new EventTimeTracker(JSON.parse(JSON.stringify(resumed.snapshot())))
    return resumed.stamp(time, 'A', id)
  })
  expect(stamped).toEqual(expected)
})

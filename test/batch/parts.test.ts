import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { BatchWindow } from '../../src/batch/batchWindow.ts'
import { CopiedRooms } from '../../src/batch/copiedRooms.ts'
import { partsOf } from '../../src/batch/day.ts'
import type { CopiedRows } from '../../src/sinks/postgres/copiedRows.ts'

const dayMs = 86_400_000
const atOnce = 4

const days = fc
  .uniqueArray(fc.tuple(fc.nat(6), fc.nat(9)), { selector: (both) => both.join(' '), maxLength: 40 })
  .map((all) =>
    all.map(
      ([symbol, day]): BatchWindow => ({
        ...{ market: 'spot', symbol: `S${symbol}` },
        ...{ from: day * dayMs + 60_000, to: day * dayMs + 120_000 },
      }),
    ),
  )

test('parts have each day of a symbol once, the newest days first, and a day of all symbols in one part where it fits', () => {
  fc.assert(
    fc.property(days, (windows) => {
      const parts = partsOf(windows, atOnce)
      const all = parts.flatMap((part) => part.days)
      expect(all).toHaveLength(windows.length)
      expect(new Set(parts.flatMap((part) => part.windows))).toEqual(new Set(windows))
      expect(all.map(({ day }) => day)).toEqual(all.map(({ day }) => day).sort((a, b) => b - a))
      for (const part of parts) expect(part.days.length).toBeLessThanOrEqual(atOnce)
      for (const [day, ofAll] of Map.groupBy(all, (one) => one.day)) {
        const having = parts.filter((part) => part.days.some((one) => one.day === day))
        if (ofAll.length <= atOnce) expect(having).toHaveLength(1)
      }
    }),
  )
})

test('whoever wants more room than there is waits until all who read one are done', async () => {
  const rooms = new CopiedRooms()
  const taken = [await rooms.take(), await rooms.take(), await rooms.take()]
  expect(new Set(taken).size).toBe(3)
  const [first] = taken as [CopiedRows]
  const read = rooms.share(first)
  let fourth: CopiedRows | null = null
  const waiting = rooms.take().then((rows) => {
    fourth = rows
  })
  rooms.give(first)
  await setImmediate()
  expect(fourth).toBeNull()
  first.add(Buffer.from([0, 0]))
  read()
  await waiting
  expect(fourth).toBe(first)
  expect(first.byteLength).toBe(0)
  rooms.give(first)
  expect(await rooms.take()).toBe(first)
})

import { expect, it } from 'vitest'
import { feedCountsText, troubleLines } from '../../src/console/feedText.ts'

it('tells what there is of a feed, and nothing of what there is not', () => {
  expect(feedCountsText({ frames: 7, gaps: 1, openGaps: 0, duplicates: 2_000, reconnects: 0 })).toBe(
    '1 gap, 2,000 repeats left out',
  )
  expect(feedCountsText({ frames: 7 })).toBeNull()
})

it('tells since when something is wrong', () => {
  const troubles = [{ what: 'no connection to the exchange: connecting', since: Date.UTC(2024, 7, 9) }]
  expect(troubleLines({ name: 'binance spot', counts: {}, troubles })).toEqual([
    'binance spot: no connection to the exchange: connecting (since 2024-08-09T00:00:00.000Z)',
  ])
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toFixed8 } from '../../src/exact/decimal.ts'
import { OrderBook } from '../../src/market/orderBook.ts'
import { bookTickerCodec } from '../../src/market/streams/bookTicker.ts'
import { type DepthDiff, depthCodec } from '../../src/market/streams/depthDiff.ts'
import { partialDepthCodec } from '../../src/market/streams/partialDepth.ts'
import type { PriceLevel } from '../../src/market/streams/payloadParts.ts'
import { recordOf } from '../codecs/recordOf.ts'
import { framesOf, hasCaptures } from './streams/captures.ts'

type Change = { readonly side: 'bids' | 'asks'; readonly price: number; readonly quantity: number }

/** The definition: what a book is after so many changes, by nothing but a list of prices. */
function defined(changes: readonly Change[], count: number, side: 'bids' | 'asks'): readonly PriceLevel[] {
  const levels = new Map<number, number>()
  for (const change of changes.slice(0, count)) if (change.side === side) levels.set(change.price, change.quantity)
  return [...levels]
    .filter(([, quantity]) => quantity > 0)
    .sort(([one], [other]) => (side === 'bids' ? other - one : one - other))
    .map(([price, quantity]) => [toFixed8(price), toFixed8(quantity)])
}

/** Ids that changes have: one further each on spot, with holes on futures. Change number n (from 1) has id `ids[n]`. */
interface World {
  readonly changes: readonly Change[]
  readonly ids: readonly number[]
  readonly diffs: readonly DepthDiff[]
}

function diffOf(
  changes: readonly Change[],
  ids: readonly number[],
  from: number,
  to: number,
  isFutures: boolean,
): DepthDiff {
  const levelsOf = (side: 'bids' | 'asks') => {
    const last = new Map<number, number>()
    for (const change of changes.slice(from, to)) if (change.side === side) last.set(change.price, change.quantity)
    return [...last].map(([price, quantity]): PriceLevel => [toFixed8(price), toFixed8(quantity)])
  }
  return {
    type: 'depth',
    market: isFutures ? 'usdm' : 'spot',
    symbol: 'BTCUSDT',
    quality: 100,
    eventTime: 0,
    firstUpdateId: ids[from + 1] as number,
    lastUpdateId: ids[to] as number,
    previousUpdateId: isFutures ? (ids[from] as number) : null,
    bids: levelsOf('bids'),
    asks: levelsOf('asks'),
  }
}

const change = fc.record({
  side: fc.constantFrom('bids' as const, 'asks' as const),
  price: fc.integer({ min: 1, max: 12 }),
  quantity: fc.integer({ min: 0, max: 3 }),
})

const worlds = (isFutures: boolean): fc.Arbitrary<World> =>
  fc
    .record({
      changes: fc.array(change, { minLength: 10, maxLength: 60 }),
      steps: fc.array(fc.integer({ min: 1, max: isFutures ? 5 : 1 }), { minLength: 61, maxLength: 61 }),
      cuts: fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 60, maxLength: 60 }),
    })
    .map(({ changes, steps, cuts }) => {
      const ids = [100]
      for (const [index] of changes.entries()) ids.push((ids[index] as number) + (steps[index] as number))
      const diffs: DepthDiff[] = []
      for (let from = 0; from < changes.length; ) {
        const to = Math.min(changes.length, from + (cuts[diffs.length] as number))
        diffs.push(diffOf(changes, ids, from, to, isFutures))
        from = to
      }
      return { changes, ids, diffs }
    })

/** What a client meets: a frame, a frame that never comes, one that comes twice, a snapshot of some moment. */
const steps = fc.array(fc.constantFrom('next', 'next', 'next', 'next', 'skip', 'again', 'snapshot', 'old snapshot'), {
  minLength: 1,
  maxLength: 80,
})

describe.each([
  ['spot', false],
  ['futures', true],
])('of %s, whatever is lost, comes twice or late', (_market, isFutures) => {
  test("a book that says it is ready is the exchange's, and a loss is never passed over", () => {
    let applied = 0
    let lost = 0
    fc.assert(
      fc.property(worlds(isFutures), steps, fc.nat(), ({ changes, ids, diffs }, course, seed) => {
        const book = new OrderBook()
        const snapshotAt = (count: number) => ({
          lastUpdateId: ids[count] as number,
          bids: defined(changes, count, 'bids'),
          asks: defined(changes, count, 'asks'),
        })
        let next = 0
        for (const [index, step] of course.entries()) {
          const diff = diffs[step === 'again' ? Math.max(0, next - 1) : next]
          if (step === 'next' || step === 'again') {
            if (diff === undefined) return
            const before = book.lastUpdateId
            const outcome = book.apply(diff)
            if (outcome === 'applied') applied++
            if (outcome === 'lost') lost++
            if (outcome === 'lost') expect(before).toBeLessThan(diff.previousUpdateId ?? diff.firstUpdateId - 1)
            if (step === 'next') next++
          } else if (step === 'skip') {
            next++
          } else {
            const told = diffs[next - 1]
            const now = told === undefined ? 0 : ids.indexOf(told.lastUpdateId)
            // Of any moment: REST may be behind the stream, and a little before it.
            const ahead = Math.min(changes.length, now + ((seed + index) % 3))
            book.restore(snapshotAt(step === 'snapshot' ? ahead : (seed + index) % (now + 1)))
          }
          const count = book.lastUpdateId === null ? 0 : ids.indexOf(book.lastUpdateId)
          expect(book.bids()).toStrictEqual(book.isReady ? defined(changes, count, 'bids') : [])
          expect(book.asks()).toStrictEqual(book.isReady ? defined(changes, count, 'asks') : [])
        }
      }),
      { numRuns: 2_000 },
    )
    // Both happened often enough to mean something.
    expect(applied).toBeGreaterThan(500)
    expect(lost).toBeGreaterThan(100)
  })
})

const levels = (...prices: number[]) => prices.map((price): PriceLevel => [toFixed8(price), 1 as never])
const diff = (firstUpdateId: number, lastUpdateId: number, parts: Partial<DepthDiff> = {}): DepthDiff => ({
  type: 'depth',
  market: 'spot',
  symbol: 'BTCUSDT',
  quality: 100,
  eventTime: 0,
  previousUpdateId: null,
  bids: [],
  asks: [],
  firstUpdateId,
  lastUpdateId,
  ...parts,
})

test('a snapshot that is older than the first change is refused, and the changes wait on', () => {
  const book = new OrderBook()
  expect(book.apply(diff(10, 12))).toBe('waiting')
  expect(book.restore({ lastUpdateId: 8, bids: [], asks: [] })).toBe('too-old')
  expect(book.isReady).toBe(false)
  expect(book.restore({ lastUpdateId: 9, bids: levels(5), asks: levels(6) })).toBe('applied')
  expect(book.lastUpdateId).toBe(12)
  expect(book.apply(diff(11, 12))).toBe('old')
  expect(book.apply(diff(14, 15))).toBe('lost')
  expect([book.isReady, book.bids(), book.asks()]).toStrictEqual([false, [], []])
  // The change behind the loss was kept: a snapshot that meets it is enough.
  expect(book.restore({ lastUpdateId: 14, bids: levels(5), asks: [] })).toBe('applied')
  expect(book.lastUpdateId).toBe(15)
})

test('what waits and what is held is bounded', () => {
  const book = new OrderBook({ maxWaiting: 2, maxLevels: 2 })
  for (const at of [1, 2, 3]) book.apply(diff(at, at))
  expect(book.restore({ lastUpdateId: 0, bids: [], asks: [] })).toBe('too-old')
  expect(book.restore({ lastUpdateId: 1, bids: levels(1, 2, 3), asks: levels(6, 5, 4) })).toBe('applied')
  expect(book.bids()).toStrictEqual(levels(3, 2))
  expect(book.asks(1)).toStrictEqual(levels(4))
  expect(() => new OrderBook({ maxLevels: 0 })).toThrow('whole number above zero')
})

test.skipIf(!hasCaptures)(
  'from a captured snapshot and its changes comes the book whose best prices the exchange told',
  () => {
    const options = { market: 'spot', timeUnit: 'ms' } as const
    const snapshots = partialDepthCodec(options)
    const changes = depthCodec(options)
    const best = bookTickerCodec(options)
    for (const name of ['spot_btcusdt_20240808.gz']) {
      const book = new OrderBook()
      // The exchange's own word on the best prices, by the change that made them.
      const told = new Map<number, readonly unknown[]>()
      const found = new Map<number, readonly unknown[]>()
      for (const { frame } of framesOf(name)) {
        const record = recordOf({ key: Buffer.from('BTCUSDT'), value: frame })
        const ticker = best.decode(record)
        if (ticker !== undefined && 'bid' in ticker) {
          told.set(ticker.updateId, [ticker.bid, ticker.bidQuantity, ticker.ask, ticker.askQuantity])
        }
        const snapshot = snapshots.decode(record)
        if (snapshot !== undefined && 'levels' in snapshot) expect(book.restore(snapshot)).toBe('applied')
        const change = changes.decode(record)
        if (change === undefined || !('firstUpdateId' in change)) continue
        const outcome = book.apply(change)
        expect(outcome).not.toBe('lost')
        if (outcome === 'applied')
          found.set(change.lastUpdateId, [...(book.bids(1)[0] ?? []), ...(book.asks(1)[0] ?? [])])
      }
      const compared = [...found].filter(([id]) => told.has(id))
      expect(compared.length).toBeGreaterThan(100)
      for (const [id, prices] of compared) expect(prices).toStrictEqual(told.get(id))
      expect(found.size).toBeGreaterThan(3_000)
    }
  },
)

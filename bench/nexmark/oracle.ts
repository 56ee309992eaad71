import { createHash } from 'node:crypto'
import type { Auction, Bid, NexmarkEvent, Person } from './events.ts'

/** Events of Nexmark by kind, in their order. */
export interface Events {
  readonly people: readonly Person[]
  readonly auctions: readonly Auction[]
  readonly bids: readonly Bid[]
}

/** The values of one row in the order of the table's columns: times in ms UTC, exact decimals as text. */
export type Row = readonly (string | number)[]

export const queries = ['q0', 'q1', 'q2', 'q3', 'q5', 'q7', 'q8', 'q9', 'q11'] as const
export type Query = (typeof queries)[number]

const tenSeconds = 10_000
const twoSeconds = 2_000

/** The events by kind. */
export function eventsOf(all: Iterable<NexmarkEvent>): Events {
  const people: Person[] = []
  const auctions: Auction[] = []
  const bids: Bid[] = []
  for (const event of all) {
    if (event.kind === 'person') people.push(event.value)
    else if (event.kind === 'auction') auctions.push(event.value)
    else bids.push(event.value)
  }
  return { people, auctions, bids }
}

/** What each query is by its definition: loops over all that there is, and nothing of the operators. */
export const oracle: Readonly<Record<Query, (events: Events) => readonly Row[]>> = {
  q0: ({ bids }) =>
    bids.map(({ auction, bidder, price, dateTime, extra }) => [auction, bidder, price, dateTime, extra]),
  q1: ({ bids }) =>
    bids.map(({ auction, bidder, price, dateTime, extra }) => [auction, bidder, times0908(price), dateTime, extra]),
  q2: ({ bids }) => bids.filter(({ auction }) => auction % 123 === 0).map(({ auction, price }) => [auction, price]),
  q3: ({ people, auctions }) => {
    const ofId = Map.groupBy(people, ({ id }) => id)
    const rows: Row[] = []
    for (const { id, seller, category } of auctions) {
      if (category !== 10) continue
      for (const { name, city, state } of ofId.get(seller) ?? []) {
        if (state === 'OR' || state === 'ID' || state === 'CA') rows.push([name, city, state, id])
      }
    }
    return rows
  },
  q5: ({ bids }) => {
    const counts = new Map<number, Map<number, number>>()
    for (const { auction, dateTime } of bids) {
      const newest = dateTime - (dateTime % twoSeconds)
      for (let start = newest; start > dateTime - tenSeconds; start -= twoSeconds) {
        const ofWindow = counts.get(start) ?? new Map<number, number>()
        counts.set(start, ofWindow.set(auction, (ofWindow.get(auction) ?? 0) + 1))
      }
    }
    const rows: Row[] = []
    for (const [start, ofWindow] of counts) {
      const most = greatest(ofWindow.values())
      for (const [auction, num] of ofWindow) if (num === most) rows.push([auction, num, start, start + tenSeconds])
    }
    return rows
  },
  q7: ({ bids }) => {
    const highest = new Map<number, number>()
    for (const { price, dateTime } of bids) {
      const end = dateTime - (dateTime % tenSeconds) + tenSeconds
      highest.set(end, Math.max(price, highest.get(end) ?? 0))
    }
    const rows: Row[] = []
    for (const { auction, bidder, price, dateTime, extra } of bids) {
      // A window `[end - 10 s, end)` and a bid from `end - 10 s` to `end`, both included.
      const ends =
        dateTime % tenSeconds === 0
          ? [dateTime, dateTime + tenSeconds]
          : [Math.ceil(dateTime / tenSeconds) * tenSeconds]
      for (const end of ends) if (highest.get(end) === price) rows.push([auction, bidder, price, dateTime, extra])
    }
    return rows
  },
  q8: ({ people, auctions }) => {
    const sold = new Set(auctions.map(({ seller, dateTime }) => `${seller} ${dateTime - (dateTime % tenSeconds)}`))
    return people
      .map(({ id, name, dateTime }): Row => [id, name, dateTime - (dateTime % tenSeconds)])
      .filter(([id, , start]) => sold.has(`${id} ${start}`))
  },
  q9: ({ auctions, bids }) => {
    const ofAuction = Map.groupBy(bids, ({ auction }) => auction)
    const rows: Row[] = []
    for (const auction of auctions) {
      const [won] = (ofAuction.get(auction.id) ?? [])
        .filter(({ dateTime }) => dateTime >= auction.dateTime && dateTime <= auction.expires)
        .sort((a, b) => b.price - a.price || a.dateTime - b.dateTime)
      if (won === undefined) continue
      const { id, itemName, description, initialBid, reserve, dateTime, expires, seller, category, extra } = auction
      rows.push([
        ...[id, itemName, description, initialBid, reserve, dateTime, expires, seller, category, extra],
        ...[won.auction, won.bidder, won.price, won.dateTime, won.extra],
      ])
    }
    return rows
  },
  q11: ({ bids }) => {
    const rows: Row[] = []
    for (const [bidder, made] of Map.groupBy(bids, (bid) => bid.bidder)) {
      const times = made.map(({ dateTime }) => dateTime).sort((a, b) => a - b)
      let first = 0
      for (let i = 1; i <= times.length; i += 1) {
        const last = times[i - 1] as number
        if (i < times.length && (times[i] as number) - last < tenSeconds) continue
        rows.push([bidder, i - first, times[first] as number, last + tenSeconds])
        first = i
      }
    }
    return rows
  },
}

/** The same for the same rows in any order: SHA-256 of the MD5s of the rows, each its values with tabs between, in hex and sorted. */
export function digestOf(rows: readonly Row[]): string {
  const sums = rows.map((row) => createHash('md5').update(row.join('\t')).digest('hex')).sort()
  const digest = createHash('sha256')
  for (const sum of sums) digest.update(sum)
  return digest.digest('hex')
}

/** Exactly, with three places. */
function times0908(price: number): string {
  const thousandths = BigInt(price) * 908n
  return `${thousandths / 1_000n}.${String(thousandths % 1_000n).padStart(3, '0')}`
}

function greatest(values: Iterable<number>): number {
  let most = Number.NEGATIVE_INFINITY
  for (const value of values) if (value > most) most = value
  return most
}

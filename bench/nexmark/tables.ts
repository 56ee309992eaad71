import { type AppendTable, type Column, field, table, type UpsertTable } from 'millrace'
import type { Auction, Bid } from './topics.ts'

/** Bids, with their price as the column says. */
const bidsWith = (name: string, price: Column<Bid>): AppendTable<Bid> => ({
  mode: 'append',
  name,
  columns: [
    { name: 'auction', type: 'bigint', of: field('auction') },
    { name: 'bidder', type: 'bigint', of: field('bidder') },
    price,
    { name: 'date_time', type: 'timestamptz', of: field('dateTime') },
    { name: 'extra', type: 'text', of: field('extra') },
  ],
})

/** Bids. */
export const passed = bidsWith('nexmark_q0', { name: 'price', type: 'bigint', of: field('price') })

/** 0.908 to the dollar, exactly: the price times 908, with the point before its last three digits. */
function inEuros({ price }: Bid): string {
  const thousandths = String(price * 908).padStart(4, '0')
  return `${thousandths.slice(0, -3)}.${thousandths.slice(-3)}`
}

/** Bids with their prices in euros. */
export const converted = bidsWith('nexmark_q1', { name: 'price', type: 'numeric', of: inEuros })

/** Bids on some auctions. */
export const selected = table('nexmark_q2', { columns: { auction: 'bigint', price: 'bigint' } })

/** Auctions and who sells. */
export const sellers = table('nexmark_q3', {
  columns: { name: 'text', city: 'text', state: 'text', id: 'bigint', revision: 'integer' },
  key: ['id'],
  revision: 'revision',
})

/** Auctions with the most bids of a window. */
export const hottest = table('nexmark_q5', {
  columns: { auction: 'bigint', num: 'bigint', starttime: 'timestamptz', endtime: 'timestamptz', revision: 'integer' },
  key: ['starttime', 'auction'],
  revision: 'revision',
})

/** The highest bids of a window. */
export const highest = table('nexmark_q7', {
  columns: { auction: 'bigint', bidder: 'bigint', price: 'bigint', date_time: 'timestamptz', extra: 'text' },
})

/** New sellers by window. */
export const newSellers = table('nexmark_q8', {
  columns: { id: 'bigint', name: 'text', stime: 'timestamptz', revision: 'integer' },
  key: ['id', 'stime'],
  revision: 'revision',
})

/** Sessions of bidders. */
export const sessions = table('nexmark_q11', {
  columns: {
    bidder: 'bigint',
    bid_count: 'bigint',
    starttime: 'timestamptz',
    endtime: 'timestamptz',
    revision: 'integer',
  },
  key: ['bidder', 'starttime'],
  revision: 'revision',
})

/** An auction and the bid that has won it. */
export interface Won {
  readonly auction: Auction
  readonly bid: Bid
}

const ofAuction = (name: string, type: Column<Won>['type'], field: keyof Auction): Column<Won> => {
  return { name, type, of: ({ auction }) => auction[field] }
}
const ofBid = (name: string, type: Column<Won>['type'], field: keyof Bid): Column<Won> => {
  return { name, type, of: ({ bid }) => bid[field] }
}

/** The table of q9: the columns of an auction, then those of its bid. */
export const winners: UpsertTable<Won> = {
  mode: 'upsert',
  name: 'nexmark_q9',
  key: ['id'],
  revision: 'revision',
  columns: [
    ofAuction('id', 'bigint', 'id'),
    ofAuction('item_name', 'text', 'itemName'),
    ofAuction('description', 'text', 'description'),
    ofAuction('initial_bid', 'bigint', 'initialBid'),
    ofAuction('reserve', 'bigint', 'reserve'),
    ofAuction('date_time', 'timestamptz', 'dateTime'),
    ofAuction('expires', 'timestamptz', 'expires'),
    ofAuction('seller', 'bigint', 'seller'),
    ofAuction('category', 'bigint', 'category'),
    ofAuction('extra', 'text', 'extra'),
    ofBid('auction', 'bigint', 'auction'),
    ofBid('bidder', 'bigint', 'bidder'),
    ofBid('price', 'bigint', 'price'),
    ofBid('bid_date_time', 'timestamptz', 'dateTime'),
    ofBid('bid_extra', 'text', 'extra'),
    { name: 'revision', type: 'integer', of: () => 1 },
  ],
}

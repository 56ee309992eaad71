import { JavaRandom } from './javaRandom.ts'

export interface Person {
  readonly id: number
  readonly name: string
  readonly emailAddress: string
  readonly creditCard: string
  readonly city: string
  readonly state: string
  /** ms UTC */
  readonly dateTime: number
  readonly extra: string
}

export interface Auction {
  readonly id: number
  readonly itemName: string
  readonly description: string
  /** Cents. */
  readonly initialBid: number
  /** Cents. */
  readonly reserve: number
  /** ms UTC */
  readonly dateTime: number
  /** ms UTC */
  readonly expires: number
  readonly seller: number
  readonly category: number
  readonly extra: string
}

export interface Bid {
  readonly auction: number
  readonly bidder: number
  /** Cents. */
  readonly price: number
  readonly channel: string
  readonly url: string
  /** ms UTC */
  readonly dateTime: number
  readonly extra: string
}

export type NexmarkEvent =
  | { readonly kind: 'person'; readonly value: Person }
  | { readonly kind: 'auction'; readonly value: Auction }
  | { readonly kind: 'bid'; readonly value: Bid }

export const kinds = ['person', 'auction', 'bid'] as const

/** Of 50 events the first is a person, three are auctions, and the rest are bids. */
const round = 50
const auctionsARound = 3
const firstId = 1_000
const firstCategory = 10
/** 2015-07-15T00:00:00Z */
const epoch = 1_436_918_400_000
/** 10,000 events a second of event time. */
const eventsAMs = 10
const auctionsInFlight = 100
const activePeople = 1_000
/** So far beyond the newest one may an id lie that an event names. */
const personLead = 10
const auctionLead = 10
/** Where an event names a hot one, it is the first of so many, or the second. */
const hotRatio = 100
const averageBytes = { person: 200, auction: 500, bid: 100 }

const states = ['AZ', 'CA', 'ID', 'OR', 'WA', 'WY']
const cities = [
  'Phoenix',
  'Los Angeles',
  'San Francisco',
  'Boise',
  'Portland',
  'Bend',
  'Redmond',
  'Seattle',
  'Kent',
  'Cheyenne',
]
const firstNames = ['Peter', 'Paul', 'Luke', 'John', 'Saul', 'Vicky', 'Kate', 'Julie', 'Sarah', 'Deiter', 'Walter']
const lastNames = ['Shultz', 'Abrams', 'Spencer', 'White', 'Bartels', 'Walton', 'Smith', 'Jones', 'Noris']
const hotNames = ['Google', 'Facebook', 'Baidu', 'Apple']

interface Channel {
  readonly channel: string
  readonly url: string
}

const random = new JavaRandom()
const letters = Buffer.alloc(1_024)
const hotChannels: readonly Channel[] = hotNames.map((channel, i) => {
  random.seed(2_000_000_000 + i)
  return { channel, url: link() }
})
const channels: readonly Channel[] = Array.from({ length: 10_000 }, (_, i) => otherChannel(i))

/**
 * Event number `k` of Nexmark: a function of `k` alone, in the draws and the order of Apache Beam's generator with its default options and one generator. Only the
 * channel and the URL of a bid are not Beam's; they are drawn behind all that is, and no query reads them.
 * @param k from 0
 */
export function eventAt(k: number): NexmarkEvent {
  random.seed(k)
  const place = k % round
  if (place === 0) return { kind: 'person', value: personAt(k) }
  return place <= auctionsARound ? { kind: 'auction', value: auctionAt(k) } : { kind: 'bid', value: bidAt(k) }
}

function personAt(k: number): Person {
  const name = `${oneOf(firstNames)} ${oneOf(lastNames)}`
  const emailAddress = `${word(7)}@${word(5)}.com`
  const creditCard = [0, 0, 0, 0].map(() => String(random.below(10_000)).padStart(4, '0')).join(' ')
  const city = oneOf(cities)
  const state = oneOf(states)
  const bytes = 8 + name.length + emailAddress.length + creditCard.length + city.length + state.length
  const extra = filling(bytes, averageBytes.person)
  return { id: firstId + newestPerson(k), name, emailAddress, creditCard, city, state, dateTime: timeOf(k), extra }
}

function auctionAt(k: number): Auction {
  const isHot = random.below(4) > 0
  const seller = firstId + (isHot ? hotOf(newestPerson(k)) : knownPerson(k))
  const category = firstCategory + random.below(5)
  const initialBid = price()
  const dateTime = timeOf(k)
  const nextAuctionsMs = timeOf(k + Math.floor((auctionsInFlight * round) / auctionsARound)) - dateTime
  const expires = dateTime + 1 + random.below(Math.max(nextAuctionsMs * 2, 1))
  const itemName = word(20)
  const description = word(100)
  const reserve = initialBid + price()
  const extra = filling(8 + itemName.length + description.length + 5 * 8, averageBytes.auction)
  const id = firstId + newestAuction(k)
  return { id, itemName, description, initialBid, reserve, dateTime, expires, seller, category, extra }
}

function bidAt(k: number): Bid {
  const isHotAuction = random.below(2) > 0
  const auction = firstId + (isHotAuction ? hotOf(newestAuction(k)) : knownAuction(k))
  const isHotBidder = random.below(4) > 0
  const bidder = firstId + (isHotBidder ? hotOf(newestPerson(k)) + 1 : knownPerson(k))
  const bidPrice = price()
  const extra = filling(4 * 8, averageBytes.bid)
  const { channel, url } = random.below(2) > 0 ? oneOf(hotChannels) : oneOf(channels)
  return { auction, bidder, price: bidPrice, channel, url, dateTime: timeOf(k), extra }
}

function timeOf(k: number): number {
  return epoch + Math.floor(k / eventsAMs)
}

function newestPerson(k: number): number {
  return Math.floor(k / round)
}

/** A person counts its round's auctions as not there yet, a bid as all there. */
function newestAuction(k: number): number {
  const place = k % round
  return Math.floor(k / round) * auctionsARound + Math.min(place, auctionsARound) - 1
}

function hotOf(newest: number): number {
  return Math.floor(newest / hotRatio) * hotRatio
}

function knownPerson(k: number): number {
  const people = newestPerson(k) + 1
  const active = Math.min(people, activePeople)
  return people - active + random.below(active + personLead)
}

function knownAuction(k: number): number {
  const newest = newestAuction(k)
  const oldest = Math.max(newest - auctionsInFlight, 0)
  return oldest + random.below(newest - oldest + 1 + auctionLead)
}

/** Cents, log-uniform from 1 to a million of the unit. */
function price(): number {
  return Math.round(10 ** (random.nextDouble() * 6) * 100)
}

function oneOf<T>(all: readonly T[]): T {
  return all[random.below(all.length)] as T
}

/** From 3 up to, not including, `most` letters, one in 13 of them a gap; gaps at the ends fall away. */
function word(most: number, gap = ' '): string {
  let text = ''
  for (let left = 3 + random.below(most - 3); left > 0; left -= 1) {
    text += random.below(13) === 0 ? gap : String.fromCharCode(0x61 + random.below(26))
  }
  return text.trim()
}

/** What brings an event of so many bytes to about the average of its kind. */
function filling(bytes: number, average: number): string {
  if (bytes > average) return ''
  const missing = average - bytes
  const spread = Math.round(missing * 0.2)
  return letterText(missing - spread + (spread === 0 ? 0 : random.below(2 * spread)))
}

/** Six characters a draw. A negative draw gives what stands before `a` in ASCII, as Beam's does. */
function letterText(length: number): string {
  let draw = 0
  for (let i = 0; i < length; i += 1) {
    if (i % 6 === 0) draw = random.nextInt32()
    letters[i] = 0x61 + (draw % 26)
    draw = Math.trunc(draw / 26)
  }
  return letters.toString('latin1', 0, length)
}

function link(): string {
  return `https://www.nexmark.com/${word(5, '_')}/${word(5, '_')}/${word(5, '_')}/item.htm?query=1`
}

function otherChannel(i: number): Channel {
  random.seed(1_000_000_000 + i)
  const url = link()
  const isNamed = random.below(10) > 0
  return { channel: `channel-${i}`, url: isNamed ? `${url}&channel_id=${Math.abs(reversed(i))}` : url }
}

/** The 32 bits in the opposite order, signed. */
function reversed(bits: number): number {
  let result = 0
  for (let i = 0; i < 32; i += 1) result |= ((bits >>> i) & 1) << (31 - i)
  return result
}

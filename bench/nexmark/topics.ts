import { jsonCodec, type Topic, type TwoWayCodec, topic } from 'millrace'
import { z } from 'zod'

/** The topics are called PREFIX-person, PREFIX-auction and PREFIX-bid. */
const prefix = process.env.NEXMARK_PREFIX ?? 'nexmark'

/** How far one event may come behind a newer one, ms: the watermark of all queries. */
export const maxOutOfOrdernessMs = 4_000

export const person = z.object({
  id: z.int(),
  name: z.string(),
  city: z.string(),
  state: z.string(),
  dateTime: z.int(),
})

export const auction = z.object({
  id: z.int(),
  itemName: z.string(),
  description: z.string(),
  initialBid: z.int(),
  reserve: z.int(),
  dateTime: z.int(),
  expires: z.int(),
  seller: z.int(),
  category: z.int(),
  extra: z.string(),
})

export const bid = z.object({
  auction: z.int(),
  bidder: z.int(),
  price: z.int(),
  dateTime: z.int(),
  extra: z.string(),
})

export type Auction = z.infer<typeof auction>
export type Bid = z.infer<typeof bid>

/** People, with the fields of the schema. */
export function people<T>(schema: z.ZodType<T>) {
  return topic(`${prefix}-person`, { value: jsonCodec(schema) })
}

/** Auctions, with the fields of the schema. */
export function auctions<T>(schema: z.ZodType<T>) {
  return topic(`${prefix}-auction`, { value: jsonCodec(schema) })
}

/** Bids, with the fields of the schema. */
export function bids<T>(schema: z.ZodType<T>) {
  return topic(`${prefix}-bid`, { value: jsonCodec(schema) })
}

/** Read by the one task of the pipeline, all of it: for results of all keys, and for topics that are keyed differently. */
export function allOf<T>(topic: Topic<TwoWayCodec<T>>) {
  return { topic, partitions: 'all' } as const
}

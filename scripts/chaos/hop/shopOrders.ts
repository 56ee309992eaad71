import { Random } from '../../../src/testing/random.ts'
import type { Step } from '../pipeline/salesRecords.ts'

/** An order of `examples/byCustomer.ts`. */
export interface ShopOrder {
  readonly id: string
  readonly shop: string
  readonly customer: string
  readonly at: number
  readonly cents: number
}

const customers = Array.from({ length: 200 }, (_, number) => `customer-${number}`)
const shops = Array.from({ length: 30 }, (_, number) => `shop-${number}`)
const days = 30
const dayMs = 86_400_000
const hourMs = 3_600_000
const begin = Date.UTC(2026, 5, 1)
const recordsAtOnce = 300

/**
 * Orders over thirty days, a month of which comes in minutes: out of order, at times behind what the pipeline waits for, and one shop far behind the others. The seed decides all of them.
 * @param pauseMs asked after each lot
 */
export function* shopOrderSteps(seed: number, count: number, pauseMs: () => number): Generator<Step> {
  const random = new Random(`shop orders ${seed}`)
  for (let number = 0; number < count; ) {
    const lot = Math.min(recordsAtOnce, count - number)
    const records = Array.from({ length: lot }, () => {
      const order = drawn(random, number++, count)
      return { topic: 'orders.shop', timestamp: order.at, key: order.shop, value: JSON.stringify(order) }
    })
    yield { records, pauseMs: pauseMs() }
  }
}

function drawn(random: Random, number: number, count: number): ShopOrder {
  const shop = random.pick(shops)
  const now = begin + Math.floor((number / count) * days * dayMs)
  // Mostly within the hour that is waited, at times behind it, and one shop is half a day behind.
  const kind = random.fraction()
  const delayMs = kind < 0.95 ? random.int(0, hourMs - 1) : random.int(hourMs, 30 * hourMs)
  const behindMs = shop === shops[0] ? dayMs / 2 : 0
  return {
    ...{ id: `order-${number}`, shop, customer: random.pick(customers) },
    at: now - delayMs - behindMs,
    cents: random.int(1, 70_000),
  }
}

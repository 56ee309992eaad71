import { Random } from '../../../src/testing/random.ts'

/** A record that is yet to be appended. */
export interface UnkindRecord {
  readonly topic: string
  readonly timestamp: number
  readonly key: string | null
  readonly value: string | null
}

/** Some records that come together, and the quiet after them. */
export interface Step {
  readonly records: readonly UnkindRecord[]
  readonly pauseMs: number
}

const customers = Array.from({ length: 40 }, (_, number) => `customer-${number}`)
const countries = ['AT', 'BR', 'CL', 'DK', 'EE'] as const
/** Mostly longer than the pipeline waits for an input. */
const quietMs = [1_500, 6_000] as const

/**
 * Orders and customers for `examples/sales.ts`, without end: out of order, late, broken and beyond what a column holds; customers that change, go and come back; and now and then
 * both are quiet for so long that time goes on by the clock. The seed decides everything but the time of day.
 */
export function* salesRecords(seed: number, now: () => number): Generator<Step> {
  const random = new Random(`sales ${seed}`)
  let orders = 0
  yield { records: customers.slice(10).map((key) => customer(key, random, now())), pauseMs: 0 }
  for (;;) {
    const records = Array.from({ length: random.int(1, 40) }, () =>
      random.chance(0.15) ? customer(random.pick(customers), random, now()) : order(++orders, random, now()),
    )
    yield { records, pauseMs: random.chance(0.02) ? random.int(...quietMs) : random.int(5, 100) }
  }
}

function order(number: number, random: Random, now: number): UnkindRecord {
  const key = random.pick(customers)
  const at = now - delayOf(random)
  const cents = random.chance(0.003) ? 2_000_000_000 : random.int(1, 70_000)
  const value = JSON.stringify({ id: `order-${number}`, customer: key, at, cents })
  const record = { topic: 'orders', timestamp: at, key, value }
  const fate = random.fraction()
  if (fate < 0.01) return { ...record, value: value.slice(0, random.int(0, value.length - 1)) }
  if (fate < 0.02) return { ...record, value: value.replace('"cents":', '"euros":') }
  if (fate < 0.025) return { ...record, value: null }
  return record
}

/** Mostly within the bound, at times behind it, and at times behind all that the windows allow. */
function delayOf(random: Random): number {
  const kind = random.fraction()
  if (kind < 0.9) return random.int(0, 1_900)
  return kind < 0.97 ? random.int(2_000, 25_000) : random.int(30_000, 120_000)
}

function customer(key: string, random: Random, now: number): UnkindRecord {
  const value = JSON.stringify({ country: random.pick(countries), isTrusted: random.chance(0.4) })
  const record = { topic: 'customers', timestamp: now - random.int(0, 3_000), key, value }
  const fate = random.fraction()
  if (fate < 0.15) return { ...record, value: null }
  if (fate < 0.18) return { ...record, value: value.replace('"country"', '"county"') }
  if (fate < 0.19) return { ...record, key: null }
  return record
}

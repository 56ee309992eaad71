import type { Random } from '../random.ts'
import type { TrueTrade } from './naiveCandles.ts'
import type { UnkindCounts, UnkindTradesOptions } from './unkindTrades.ts'

export interface Moment {
  readonly time: number
  readonly trade: TrueTrade | null
}

/** What truly happens, in the order of time; a moment without a trade is one at which every partition hears a heartbeat. */
export function timeline(
  options: UnkindTradesOptions,
  symbols: readonly string[],
  random: Random,
  counts: UnkindCounts,
): Moment[] {
  const step = options.averageStepMs ?? 700
  let time = options.startMs ?? Date.UTC(2024, 7, 9) - random.int(1, 15) * 60_000 + random.int(0, 59_999)
  const prices = symbols.map((symbol) =>
    symbol.startsWith('SHIB') ? 1_387n : BigInt(random.int(100, 6_000_000)) * 1_000_000n,
  )
  const ids = symbols.map(() => random.int(0, 2_000_000_000))
  const moments: Moment[] = []
  let silent = -1
  const leaps = new Set<number>()
  for (let leap = random.int(0, 3); leap > 0; leap--) leaps.add(random.int(20, Math.max(20, options.trades - 40)))
  for (let i = 0; i < options.trades; i++) {
    if (random.chance(0.02)) silent = random.int(-1, symbols.length - 1)
    time += random.chance(0.3) ? 0 : random.int(0, 3 * step)
    if (random.chance(0.03)) time += 60_000 - (time % 60_000) - random.int(0, 1)
    if (leaps.has(i)) {
      const length = random.pick([random.int(60_000, 600_000), random.int(1, 30) * 3_600_000])
      const hasHeartbeats = random.chance(0.3)
      for (let beat = 60_000; hasHeartbeats && beat < Math.min(length, 3_600_000); beat += 60_000) {
        moments.push({ time: time + beat, trade: null })
      }
      time += length
      counts.halts++
    }
    if (random.chance(0.04)) moments.push({ time, trade: null })
    const at =
      symbols.length === 1 ? 0 : random.pick(symbols.map((_, index) => index).filter((index) => index !== silent))
    prices[at] = moved(prices[at] as bigint, random)
    ids[at] = (ids[at] as number) + 1
    const quantity =
      symbols[at]?.startsWith('SHIB') === true
        ? BigInt(random.int(1, 2 ** 31)) * BigInt(random.int(1, 4_000_000))
        : BigInt(random.int(1, 400_000_000))
    const trade = {
      symbol: symbols[at] as string,
      tradeId: ids[at] as number,
      price: prices[at] as bigint,
      quantity,
      tradeTime: time,
      isBuyerMaker: random.chance(0.5),
    }
    moments.push({ time, trade })
  }
  return moments
}

function moved(price: bigint, random: Random): bigint {
  const change = (price * BigInt(random.int(-40, 40))) / 10_000n
  return price + change > 0n ? price + change : price
}

/** The unit of the exchange's times, chosen when connecting; never guessed from their size. */
export type TimeUnit = 'ms' | 'us'

export const unitsPerMs: Readonly<Record<TimeUnit, number>> = { ms: 1, us: 1000 }

/** No trade is older than the exchanges or from the next century. The wrong unit lands far outside. */
export const earliestTradeMs = Date.UTC(2010, 0, 1)
export const latestTradeMs = Date.UTC(2100, 0, 1) - 1

const names = { s: 'seconds', ms: 'milliseconds', us: 'microseconds', ns: 'nanoseconds' } as const
const perMs = { s: 0.001, ms: 1, us: 1_000, ns: 1_000_000 } as const

/**
 * In which unit a time that cannot be one of `unit` would be the time of a trade, and what to do, in words that follow the time; null where it would
 * be in none, or is sound. It is told to people: no time is read by it.
 */
export function otherUnitHint(time: number, unit: TimeUnit): string | null {
  const found = (Object.keys(perMs) as (keyof typeof perMs)[]).find(
    (one) => time >= earliestTradeMs * perMs[one] && time < (latestTradeMs + 1) * perMs[one],
  )
  if (found === undefined || found === unit) return null
  const is = `a time in ${names[found]} where ${names[unit]} were expected`
  return found === 'ms' || found === 'us'
    ? `${is}: set --time-unit ${found} (timeUnit: '${found}' of tradeCodec)`
    : `${is}: make milliseconds or microseconds of it`
}

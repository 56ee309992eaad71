import { klineIntervals } from '../../market/klineInterval.ts'

const plain: readonly string[] = ['trade', 'aggTrade', 'ticker', 'miniTicker', 'bookTicker']
const depth = /^depth(?:5|10|20)?(?:@(?:100|1000)ms)?$/

/** Streams that a symbol may have, in words. */
export const streamsAllowed = `${plain.join(', ')}, kline_<interval> (${klineIntervals.join(', ')}), depth, depth5, depth10, depth20, each depth also with @100ms`

/** Whether the exchange has a stream of this name behind the `@`. */
export function isStreamName(name: string): boolean {
  if (plain.includes(name) || depth.test(name)) return true
  return name.startsWith('kline_') && (klineIntervals as readonly string[]).includes(name.slice('kline_'.length))
}

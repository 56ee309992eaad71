import { ConfigurationError } from '../../runtime/errors.ts'

const most = 1_000

/**
 * The number of candles, checked.
 * @throws ConfigurationError on what is no whole number, below `least`, or above 1,000
 */
export function wholePeriod(period: number, what: string, least = 1): number {
  if (Number.isSafeInteger(period) && period >= least && period <= most) return period
  throw new ConfigurationError(`${what} must be a whole number from ${least} to ${most}, got ${period}.`)
}

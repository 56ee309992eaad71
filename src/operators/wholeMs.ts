import { type Duration, durationMs } from '../runtime/duration.ts'
import { ConfigurationError } from '../runtime/errors.ts'

/**
 * The duration as whole ms.
 * @param what names the option, as in "intervalJoin 'paid': toMs"
 * @param least what it must come to at least
 * @throws ConfigurationError on what is no duration, no whole number, or less
 */
export function wholeMs(value: Duration, what: string, least = Number.MIN_SAFE_INTEGER): number {
  const ms = durationMs(value, what)
  if (Number.isSafeInteger(ms) && ms >= least) return ms
  const from = least === Number.MIN_SAFE_INTEGER ? '' : ` from ${least}`
  throw new ConfigurationError(`${what} must be a whole number of ms${from}, got ${value}.`)
}

/**
 * The number as a whole one from 1.
 * @throws ConfigurationError on anything else
 */
export function wholeCount(value: number, what: string): number {
  if (Number.isSafeInteger(value) && value >= 1) return value
  throw new ConfigurationError(`${what} must be a whole number from 1, got ${value}.`)
}

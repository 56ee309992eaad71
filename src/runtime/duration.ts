import { ConfigurationError } from './errors.ts'

/** A length of time: ms, or text such as `'5m'`, which is a number and its unit: `ms`, `s`, `m` (minutes), `h` or `d` (24 hours). */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

const unitMs: Readonly<Record<string, bigint>> = { ms: 1n, s: 1_000n, m: 60_000n, h: 3_600_000n, d: 86_400_000n }

/**
 * The duration in ms: a number as it is, text as a whole number, exactly. Whether it may be negative or 0 is for the caller to say.
 * @param what names the option, as in "dedupe: ttlMs"
 * @throws ConfigurationError on what is no duration, and on text that is no whole number of ms
 */
export function durationMs(value: Duration, what: string): number {
  if (typeof value === 'number' && !Number.isNaN(value)) return value
  // The compiler takes '5 m' and '1e3m' for a number and a unit, and who writes JavaScript has no compiler.
  const [, sign, whole, fraction = '', unit = ''] = /^(-?)(\d+)(?:\.(\d+))?(ms|s|m|h|d)$/.exec(String(value)) ?? []
  if (whole === undefined) {
    const shown = typeof value === 'string' ? JSON.stringify(value) : String(value)
    throw new ConfigurationError(
      `${what} must be ms, or text of a number and ms, s, m, h or d such as '5m', got ${shown}`,
    )
  }
  const parts = BigInt(whole + fraction) * unitMs[unit]!
  const partsPerMs = 10n ** BigInt(fraction.length)
  const ms = Number(parts / partsPerMs)
  if (parts % partsPerMs !== 0n || !Number.isSafeInteger(ms)) {
    throw new ConfigurationError(`${what} must be a whole number of ms, got '${value}'`)
  }
  return sign === '-' && ms > 0 ? -ms : ms
}

declare const counted: unique symbol

/**
 * A count of 1e-8: a number while that is a safe integer, a bigint beyond. Never a float, never wraps.
 *
 * A plain number does not compile, because it might be a price: `parseFixed8` makes a count of text, `toFixed8` of a number that counts already. Zero
 * is zero in any unit, and a bigint is no price.
 */
export type Fixed8 = 0 | bigint | (number & { readonly [counted]: true })

/** A count of 1e-16. */
export type Fixed16 = bigint

/**
 * The decimal text that prices and quantities come in: no sign, no exponent, no leading zeros, at most 18 digits before the point and 8 after it;
 * up to ten further zeros change nothing.
 */
export const fixed8Pattern = /^(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,8}0{0,10})?$/

const unit = 100_000_000
const bigUnit = 100_000_000n
const maxSafe = Number.MAX_SAFE_INTEGER
const maxIntegerDigits = 18
const maxFractionDigits = 18
/** With an integer part below this, integer * 1e8 + fraction is a safe integer. */
const safeIntegerPart = Math.floor(maxSafe / unit)
const fractionWeight = [unit, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1] as const

/** The canonical form of a count of 1e-8: `toFixed8(6183763000000)` is 61837.63. Throws RangeError on a number that counts nothing, such as 61837.63. */
export function toFixed8(units: bigint | number): Fixed8 {
  if (typeof units === 'number') {
    if (!Number.isSafeInteger(units)) throw notCounted(units)
    return units as Fixed8
  }
  return units <= maxSafe && units >= -maxSafe ? (Number(units) as Fixed8) : units
}

/** True for what `Fixed8` may be. */
export function isFixed8(value: unknown): value is Fixed8 {
  return typeof value === 'bigint' || Number.isSafeInteger(value)
}

function notCounted(value: number): RangeError {
  return new RangeError(`${value} is no count of 1e-8: make one of decimal text by parseFixed8`)
}

/** The value of a decimal text, or null for any text that `fixed8Pattern` refuses: bad text is data, not an error. */
export function parseFixed8(text: string): Fixed8 | null {
  if (!fixed8Pattern.test(text)) return null
  const point = text.indexOf('.')
  if (point < 0) return toFixed8(BigInt(text) * bigUnit)
  const fraction = text.slice(point + 1, point + 9).padEnd(8, '0')
  return toFixed8(BigInt(text.slice(0, point)) * bigUnit + BigInt(fraction))
}

/** What `parseFixed8` says of the ASCII text at `[start, end)`. Allocates only beyond 2^53. */
export function parseFixed8At(buffer: Uint8Array, start: number, end: number): Fixed8 | null {
  // The `| 0` keeps the loops in 32-bit integers; the tenth digit of an integer part leaves for the wide path.
  let at = start
  let integer = 0
  for (; at < end; at += 1) {
    const digit = (buffer[at] as number) - 0x30
    if (digit < 0 || digit > 9) break
    integer = (integer * 10 + digit) | 0
  }
  const point = at
  const integerDigits = point - start
  if (integerDigits === 0 || integerDigits > maxIntegerDigits) return null
  if (integerDigits > 1 && buffer[start] === 0x30) return null
  let fraction = 0
  if (at < end) {
    if (buffer[at] !== 0x2e || end - at < 2 || end - at - 1 > maxFractionDigits) return null
    const significantEnd = Math.min(end, at + 9)
    for (at += 1; at < significantEnd; at += 1) {
      const digit = (buffer[at] as number) - 0x30
      if (digit < 0 || digit > 9) return null
      fraction = (fraction * 10 + digit) | 0
    }
    fraction *= fractionWeight[at - point - 1] as number
    for (; at < end; at += 1) if (buffer[at] !== 0x30) return null
  }
  if (integerDigits <= 9 && integer < safeIntegerPart) return (integer * unit + fraction) as Fixed8
  return wideFixed8(buffer, start, point, fraction)
}

function wideFixed8(buffer: Uint8Array, start: number, point: number, fraction: number): Fixed8 {
  let high = 0
  let low = 0
  const split = Math.max(start, point - 9)
  for (let at = start; at < split; at += 1) high = high * 10 + (buffer[at] as number) - 0x30
  for (let at = split; at < point; at += 1) low = low * 10 + (buffer[at] as number) - 0x30
  return toFixed8((BigInt(high) * 1_000_000_000n + BigInt(low)) * bigUnit + BigInt(fraction))
}

/** The exact sum a + b, in counts of 1e-8. */
export function addFixed8(a: Fixed8, b: Fixed8): Fixed8 {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b
    if (Number.isSafeInteger(sum)) return sum as Fixed8
  }
  return toFixed8(BigInt(a) + BigInt(b))
}

/** The exact difference a - b, in counts of 1e-8. */
export function subFixed8(a: Fixed8, b: Fixed8): Fixed8 {
  if (typeof a === 'number' && typeof b === 'number') {
    const difference = a - b
    if (Number.isSafeInteger(difference)) return difference as Fixed8
  }
  return toFixed8(BigInt(a) - BigInt(b))
}

/** The nearest whole quotient, ties to the even one. Throws RangeError where the denominator is zero. */
export function divideHalfEven(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator
  const rest = numerator - quotient * denominator
  if (rest === 0n) return quotient
  const twice = 2n * (rest < 0n ? -rest : rest)
  const size = denominator < 0n ? -denominator : denominator
  if (twice < size || (twice === size && quotient % 2n === 0n)) return quotient
  return numerator < 0n === denominator < 0n ? quotient + 1n : quotient - 1n
}

/**
 * The decimal text of `value` counts of 10^-scale with `places` digits after the point: `formatFixed(6183763000000, 8, 8)` is "61837.63000000".
 * Exact while `places >= scale`; with fewer places it is rounded once, half to even. Throws RangeError on a float.
 */
export function formatFixed(value: number | bigint, scale: number, places: number): string {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new RangeError(`${value} is no whole number of units: it is a count of 10^-${scale} that is formatted`)
  }
  let units = value
  let digits = scale
  if (places < scale) {
    units = divideHalfEven(BigInt(value), 10n ** BigInt(scale - places))
    digits = places
  }
  const isNegative = units < 0
  const text = (isNegative ? -units : units).toString().padStart(digits + 1, '0')
  const sign = isNegative ? '-' : ''
  if (places === 0) return sign + text
  const point = text.length - digits
  return `${sign}${text.slice(0, point)}.${text.slice(point).padEnd(places, '0')}`
}

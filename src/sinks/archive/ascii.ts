/** A call into the runtime costs as much as copying this many bytes in a loop. */
const FEW_BYTES = 64
const ZERO = 0x30
const TEN_MILLION = 10_000_000

/**
 * Copies `source` to `target` at `at` and gives the position after it. Fast for the few bytes that fields and names
 * have.
 */
export function copySmall(source: Buffer, target: Buffer, at: number): number {
  const length = source.length
  if (length > FEW_BYTES) return at + source.copy(target, at)
  for (let i = 0; i < length; i++) target[at + i] = source[i] as number
  return at + length
}

/**
 * Writes the number in decimal, as `String` does, and gives the position after it. Makes no text of the common ones.
 */
export function writeInteger(value: number, target: Buffer, at: number): number {
  // Up to 14 digits fall into two halves that fit in 31 bits, whose division is cheap.
  if (!(value >= 0 && value < TEN_MILLION * TEN_MILLION && Number.isInteger(value))) {
    return at + target.write(String(value), at, 'latin1')
  }
  const high = Math.floor(value / TEN_MILLION)
  const low = value - high * TEN_MILLION
  if (high === 0) return writeDigits(low, digitsOf(low), target, at)
  return writeDigits(low, 7, target, writeDigits(high, digitsOf(high), target, at))
}

function writeDigits(value: number, digits: number, target: Buffer, at: number): number {
  let rest = value | 0
  for (let i = at + digits - 1; i >= at; i--) {
    const next = (rest / 10) | 0
    target[i] = ZERO + rest - next * 10
    rest = next
  }
  return at + digits
}

function digitsOf(value: number): number {
  let digits = 1
  for (let limit = 10; value >= limit; limit *= 10) digits++
  return digits
}

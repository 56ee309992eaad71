/**
 * Zigzag varints as Kafka and Protocol Buffers write them: seven bits a byte, lowest first, the sign in the lowest bit. Numbers up
 * to the safe integers; above 31 bits the arithmetic leaves the 32-bit operators.
 */

/** How many bytes `value` takes. */
export function varintBytes(value: number): number {
  let rest = zigzag(value)
  let bytes = 1
  while (rest >= 0x80) {
    rest = Math.floor(rest / 0x80)
    bytes++
  }
  return bytes
}

/** Writes `value` at `at` and gives the place behind it. */
export function writeVarint(buffer: Uint8Array, at: number, value: number): number {
  let rest = zigzag(value)
  let end = at
  while (rest >= 0x80) {
    buffer[end++] = (rest % 0x80) | 0x80
    rest = Math.floor(rest / 0x80)
  }
  buffer[end++] = rest
  return end
}

function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1
}

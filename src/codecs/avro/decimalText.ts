/** Of the numbers that a decimal may have, the largest takes fewer. */
export const maxDecimalBytes = 512

/** The number that the bytes are in two's complement, the high byte first. */
export function unscaledOf(bytes: Uint8Array): bigint {
  if (bytes.length === 0) return 0n
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
  return BigInt.asIntN(8 * bytes.length, BigInt(`0x${hex}`))
}

/** The fewest bytes that hold the number in two's complement; or so many, where a size in bytes is given. Undefined where it needs more. */
export function bytesOfUnscaled(unscaled: bigint, size?: number): Buffer | undefined {
  const magnitude = unscaled < 0n ? -unscaled - 1n : unscaled
  const bits = magnitude === 0n ? 0 : magnitude.toString(2).length
  const needed = Math.floor(bits / 8) + 1
  const length = size ?? needed
  if (needed > length) return undefined
  return Buffer.from(
    BigInt.asUintN(8 * length, unscaled)
      .toString(16)
      .padStart(2 * length, '0'),
    'hex',
  )
}

/** `-12.30` for -1230 of scale 2: all digits behind the point, none in doubt. */
export function decimalText(unscaled: bigint, scale: number): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0')
  const sign = unscaled < 0n ? '-' : ''
  const point = digits.length - scale
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, point)}.${digits.slice(point)}`
}

/** The number behind a text, at that scale; undefined where it is none, has digits that the scale cannot hold, or more digits than the precision. */
export function unscaledOfText(text: string, precision: number, scale: number): bigint | undefined {
  const match = /^(-?)(\d{1,2000})(?:\.(\d{1,2000}))?$/.exec(text)
  if (match === null) return undefined
  const [, sign, whole = '', fraction = ''] = match
  const kept = fraction.replace(/0+$/, '')
  if (kept.length > scale) return undefined
  const unscaled = BigInt(whole + kept.padEnd(scale, '0'))
  if (digitsOf(unscaled) > precision) return undefined
  return sign === '-' ? -unscaled : unscaled
}

/** How many digits a number has, the sign left out. */
export function digitsOf(unscaled: bigint): number {
  return unscaled === 0n ? 0 : (unscaled < 0n ? -unscaled : unscaled).toString().length
}

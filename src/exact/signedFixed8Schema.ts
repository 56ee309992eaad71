import { z } from 'zod'
import { type Fixed8, fixed8Pattern, formatFixed, isFixed8, parseFixed8, subFixed8 } from './decimal.ts'

const signedPattern = new RegExp(`^-?${fixed8Pattern.source.slice(1)}`)

/**
 * A zod schema of exact decimals in JSON that may be below zero, such as the change of a price: `"-12.30"` becomes a count of 1e-8; written, it has eight
 * places. For all that is never below zero use `fixed8Schema`.
 */
export const signedFixed8Schema = z.codec(
  z
    .string()
    .regex(signedPattern, 'must be decimal text without exponent, at most 18 digits before the point and 8 after'),
  z.custom<Fixed8>(isFixed8, 'must be a count of 1e-8'),
  { decode: parseSigned, encode: (units) => formatFixed(units, 8, 8) },
)

function parseSigned(text: string): Fixed8 {
  if (!text.startsWith('-')) return parseFixed8(text) as Fixed8
  return subFixed8(0, parseFixed8(text.slice(1)) as Fixed8)
}

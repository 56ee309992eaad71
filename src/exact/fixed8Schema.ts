import { z } from 'zod'
import { type Fixed8, fixed8Pattern, formatFixed, isFixed8, parseFixed8 } from './decimal.ts'

/**
 * A zod schema of exact decimals in JSON: text without sign or exponent, such as `"61837.63000000"`, becomes a count of 1e-8; written, it has eight places.
 * `jsonCodec` reads it in place, where it stands as it is or is optional or nullable.
 */
export const fixed8Schema = z.codec(
  z
    .string()
    .regex(
      fixed8Pattern,
      'must be decimal text without sign or exponent, at most 18 digits before the point and 8 after',
    ),
  z.custom<Fixed8>(isFixed8, 'must be a count of 1e-8'),
  { decode: (text) => parseFixed8(text) as Fixed8, encode: (units) => formatFixed(units, 8, 8) },
)

import { z } from 'zod'
import { type Fixed8, fixed8Pattern, parseFixed8 } from './decimal.ts'

/** A price or quantity as the exchange writes it: decimal text that becomes a count of 1e-8. */
export const fixed8Schema = z
  .string()
  .regex(fixed8Pattern, 'must be decimal text without sign or exponent, at most 18 digits before the point and 8 after')
  .transform((text) => parseFixed8(text) as Fixed8)

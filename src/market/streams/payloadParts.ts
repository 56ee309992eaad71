import { z } from 'zod'
import type { Fixed8 } from '../../exact/decimal.ts'
import { fixed8Schema } from '../../exact/fixed8Schema.ts'
import { symbolPattern } from '../frame.ts'

/** A symbol as the exchange writes it in a payload. */
export const symbolField = z.string().regex(symbolPattern, 'must be a symbol in upper case, at most 50 characters')

/** The id of a trade; -1 where there was none. */
export const idOrNone = z.int().min(-1)

export const id = z.int().min(0)

/** Price and quantity of one level of an order book. In a change of the book a quantity of zero removes the level. */
export type PriceLevel = readonly [price: Fixed8, quantity: Fixed8]

/** More than the exchange has in one frame, and small enough to hold. */
const maxLevels = 5_000

/** Levels of one side of the order book. Older frames have a third element, which means nothing. */
export const levelsField = z.array(z.tuple([fixed8Schema, fixed8Schema]).rest(z.unknown())).max(maxLevels)

export function priceLevels(levels: z.output<typeof levelsField>): readonly PriceLevel[] {
  return levels.map(([price, quantity]) => [price, quantity])
}

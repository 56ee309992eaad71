import { divideHalfEven, type Fixed8, type Fixed16, toFixed8 } from '../exact/decimal.ts'

/** Volume-weighted average price, rounded once, half to even. Throws RangeError where the volume is zero. */
export function vwap(quoteVolume: Fixed16, volume: Fixed8): Fixed8 {
  return toFixed8(divideHalfEven(quoteVolume, BigInt(volume)))
}

import { type Fixed8, toFixed8 } from '../exact/decimal.ts'

/** A count of 1e-8 as it stands in a checkpoint: text where JSON has no number for it. */
export type SavedFixed8 = number | string

export function saveFixed8(value: Fixed8): SavedFixed8 {
  return typeof value === 'number' ? value : String(value)
}

export function loadFixed8(saved: SavedFixed8): Fixed8 {
  return typeof saved === 'number' ? toFixed8(saved) : BigInt(saved)
}

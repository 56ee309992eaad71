import type { Json } from '../../../runtime/json.ts'
import type { Item } from './item.ts'
import type { Edition } from './userOperators.ts'

/** What a window of a drawn graph adds up; the second edition keeps the count one level deeper. */
export type Totals = FirstTotals | SecondTotals

interface FirstTotals {
  readonly count: number
  readonly sum: bigint
  readonly last: string
}

interface SecondTotals {
  readonly inside: { readonly count: number }
  readonly sum: bigint
  readonly last: string
}

export function noTotals(edition: Edition): Totals {
  return edition === 1 ? { count: 0, sum: 0n, last: '' } : { inside: { count: 0 }, sum: 0n, last: '' }
}

export function withItem(totals: Totals, item: Item): Totals {
  const count = countOf(totals) + 1
  const rest = { sum: totals.sum + BigInt(item.n), last: String(item.id) }
  return 'inside' in totals ? { inside: { count }, ...rest } : { count, ...rest }
}

export function countOf(totals: Totals): number {
  return 'inside' in totals ? totals.inside.count : totals.count
}

/** Brings totals of the first edition, as they were saved, into the layout of the second. */
export function intoSecond(saved: Json): Json {
  const { count, ...rest } = saved as { readonly count: number }
  return { inside: { count }, ...rest }
}

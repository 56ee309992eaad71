import { type Codec, Rejection } from '../../../runtime/log/codec.ts'
import { ItemLender } from './itemLender.ts'

/** The one kind of value in drawn graphs, so that any operator can stand below any other. */
export interface Item {
  /** Partition and name: `0a`. No key is in two partitions. */
  readonly key: string
  readonly id: number
  /** Event time, ms UTC. */
  readonly at: number
  /** What the callbacks of a graph decide by. */
  readonly n: number
  /** Of a window's result its revision and how many values are in it; 0 and 1 else. */
  readonly revision: number
  readonly count: number
  /** True for what takes the value of this key and id back. */
  readonly isGone?: true
}

/** A value that its record's codec refuses. */
export const refusedNumber = 98
/** A sound record that holds nothing for the graph. */
export const emptyNumber = 97
/** Callbacks decide by `n` modulo this. */
export const residues = 17

export function residueOf(item: Item): number {
  return item.n % residues
}

/** Throws on the values of one residue; what a drawn graph has its callbacks do. */
export function throwOn(residue: number | null, item: Item): void {
  if (residue !== null && residueOf(item) === residue) throw new Error(`drawn to fail on ${item.key}#${item.id}`)
}

/** What a value becomes with its row, or null for nothing. Throws on what it was drawn to. */
export function enriched(
  { needsRow, throwsOn }: { readonly needsRow: boolean; readonly throwsOn: number | null },
  item: Item,
  row: number | undefined,
): Item | null {
  throwOn(throwsOn, item)
  if (row !== undefined) return { ...item, n: (item.n + row) % 90 }
  return needsRow ? null : item
}

/** Reads a record of a drawn input: JSON, now and then broken, refused or empty. */
export const itemCodec: Codec<Item> = {
  decode(record) {
    let item: Item
    try {
      item = JSON.parse(record.valueText() ?? '') as Item
    } catch {
      return new Rejection('malformed', 'no JSON')
    }
    if (item.n === refusedNumber) return new Rejection('refused', `the codec takes no ${item.n}`)
    return item.n === emptyNumber ? undefined : item
  },
  lender: (rows) => new ItemLender(itemCodec, rows),
}

/** True for an item that any operator takes. */
export function isSound({ id, at }: Item): boolean {
  return Number.isSafeInteger(id) && Number.isSafeInteger(at)
}

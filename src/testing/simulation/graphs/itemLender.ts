import { type Codec, type Lender, Rejection } from '../../../runtime/log/codec.ts'
import type { ReadAhead } from '../../../runtime/log/readAhead.ts'
import { RecordView } from '../../../runtime/log/record.ts'
import { fields, keep, Lent, numbersOf, place } from '../../../runtime/spans/lent.ts'
import type { FieldColumns } from '../../../runtime/spans/lentColumn.ts'
import type { Item } from './item.ts'

/** Lends the ordinary items of the records that were read ahead: one object for all of them, which is another item as soon as the next is asked for. */
export class ItemLender implements Lender<Item> {
  readonly items: (Item | null)[] = []
  #reads = 0
  readonly #numbers: Int32Array
  readonly #codec: Pick<Codec<Item>, 'decode'>
  readonly #lent: LentItem
  readonly #columns: ItemColumns

  constructor(codec: Pick<Codec<Item>, 'decode'>, rows: number) {
    this.#codec = codec
    this.#numbers = new Int32Array(rows)
    this.#columns = new ItemColumns(this.items, rows)
    this.#lent = new LentItem(this.items, this.#numbers, this.#columns.fields)
  }

  read({ buffer, valueStarts, valueLengths, at, count, firstRow }: ReadAhead): void {
    this.#reads += 1
    const view = new RecordView()
    view.buffer = buffer
    for (let i = at; i < count; i += 1) {
      view.valueStart = valueStarts[i] as number
      view.valueLength = valueLengths[i] as number
      const item = this.#codec.decode(view)
      const isOrdinary = item !== undefined && !(item instanceof Rejection) && view.valueText() === JSON.stringify(item)
      this.items[firstRow + i] = isOrdinary && Object.keys(item).join() === names.join() ? item : null
      this.#numbers[firstRow + i] = numberOf(this.items[firstRow + i]?.key ?? '', this.#reads)
      this.#columns.fill(firstRow + i)
    }
  }

  lend(row: number): Item | undefined {
    if (this.items[row] == null) return undefined
    this.#lent[place] = row
    return this.#lent as unknown as Item
  }

  lentUntil(row: number, to: number): number {
    let end = row + 1
    while (end < to && this.items[end] != null) end += 1
    return end
  }
}

const names = ['key', 'id', 'at', 'n', 'revision', 'count'] as const

/** Numbers of texts are hints, so these are bad ones: several keys have one, some have none, and all are numbered anew every sixteenth time that something is read. */
function numberOf(key: string, reads: number): number {
  let number = Math.floor(reads / 16)
  for (let i = 0; i < key.length; i += 1) number += key.charCodeAt(i)
  return (number % 13) - 1
}

/** Columns of fields, whose numbers of texts hold until the next reading; every fifth text has none. */
class ItemColumns {
  readonly #items: readonly (Item | null)[]
  readonly #keys: Int32Array
  readonly #ids: Float64Array
  readonly #times: Float64Array
  readonly #known: string[] = []
  readonly fields: FieldColumns

  constructor(items: readonly (Item | null)[], rows: number) {
    this.#items = items
    this.#keys = new Int32Array(rows)
    this.#ids = new Float64Array(rows)
    this.#times = new Float64Array(rows)
    this.fields = {
      key: { kind: 'texts', texts: { at: (row) => (items[row] as Item).key, ordinals: this.#keys, asBytes: null } },
      id: { kind: 'numbers', numbers: this.#ids },
      at: { kind: 'numbers', numbers: this.#times },
    }
  }

  fill(row: number): void {
    const item = this.#items[row]
    if (item == null) return
    this.#keys[row] = this.#numberOf(item.key)
    this.#ids[row] = item.id
    this.#times[row] = item.at
  }

  #numberOf(key: string): number {
    const known = this.#known.indexOf(key)
    const number = known < 0 ? this.#known.push(key) - 1 : known
    return number % 5 === 4 ? -1 : number
  }
}

class LentItem extends Lent<Item> {
  readonly #items: readonly (Item | null)[]
  readonly #numbers: Int32Array
  readonly #fields: FieldColumns
  #item: Item | null = null

  constructor(items: readonly (Item | null)[], numbers: Int32Array, columns: FieldColumns) {
    super()
    this.#fields = columns
    this.#items = items
    this.#numbers = numbers
    for (const name of names) Object.defineProperty(this, name, { enumerable: true, get: () => this.#item?.[name] })
  }

  override set [place](record: number) {
    this.#item = this.#items[record] ?? null
  }

  override [keep](): Item {
    return { ...(this.#item as Item) }
  }

  override [numbersOf](text: string): Int32Array | null {
    return text === this.#item?.key ? this.#numbers : null
  }

  override get [fields](): FieldColumns {
    return this.#fields
  }
}

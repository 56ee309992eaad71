import { type Codec, type Lender, Rejection } from '../../../runtime/log/codec.ts'
import type { ReadAhead } from '../../../runtime/log/readAhead.ts'
import { RecordView } from '../../../runtime/log/record.ts'
import { fields, keep, Lent, place, textsWith } from '../../../runtime/spans/lent.ts'
import type { FieldColumns, TextColumn } from '../../../runtime/spans/lentColumn.ts'
import type { Item } from './item.ts'

/** Lends the ordinary items of the records that were read ahead: one object for all of them, which is another item as soon as the next is asked for. */
export class ItemLender implements Lender<Item> {
  readonly items: (Item | null)[] = []
  readonly #codec: Pick<Codec<Item>, 'decode'>
  readonly #lent: LentItem
  readonly #columns: ItemColumns

  constructor(codec: Pick<Codec<Item>, 'decode'>, rows: number) {
    this.#codec = codec
    this.#columns = new ItemColumns(this.items, rows)
    this.#lent = new LentItem(this.items, this.#columns)
  }

  read({ buffer, valueStarts, valueLengths, at, count, firstRow }: ReadAhead): void {
    this.#columns.begin()
    const view = new RecordView()
    view.buffer = buffer
    for (let i = at; i < count; i += 1) {
      view.valueStart = valueStarts[i] as number
      view.valueLength = valueLengths[i] as number
      const item = this.#codec.decode(view)
      const isOrdinary = item !== undefined && !(item instanceof Rejection) && view.valueText() === JSON.stringify(item)
      this.items[firstRow + i] = isOrdinary && Object.keys(item).join() === names.join() ? item : null
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

/** So many readings have their texts numbered in one way. */
const readingsOfNumbering = 16

/** Columns of fields. Every fifth text has no number, and all are numbered anew every sixteenth time that something is read. */
class ItemColumns {
  readonly #items: readonly (Item | null)[]
  readonly #ids: Float64Array
  readonly #times: Float64Array
  #known: string[] = []
  #readings = 0
  readonly keys: TextColumn & { numbering: object }
  readonly fields: FieldColumns

  constructor(items: readonly (Item | null)[], rows: number) {
    this.#items = items
    this.keys = { at: (row) => (items[row] as Item).key, ordinals: new Int32Array(rows), numbering: {}, asBytes: null }
    this.#ids = new Float64Array(rows)
    this.#times = new Float64Array(rows)
    this.fields = {
      key: { kind: 'texts', texts: this.keys },
      id: { kind: 'numbers', numbers: this.#ids },
      at: { kind: 'numbers', numbers: this.#times },
    }
  }

  /** Before something is read. */
  begin(): void {
    this.#readings += 1
    if (this.#readings % readingsOfNumbering !== 0) return
    this.#known = []
    this.keys.numbering = {}
    this.keys.ordinals.fill(-1)
  }

  fill(row: number): void {
    const item = this.#items[row]
    if (item == null) return
    this.keys.ordinals[row] = this.#numberOf(item.key)
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
  readonly #columns: ItemColumns
  #item: Item | null = null

  constructor(items: readonly (Item | null)[], columns: ItemColumns) {
    super()
    this.#items = items
    this.#columns = columns
    for (const name of names) Object.defineProperty(this, name, { enumerable: true, get: () => this.#item?.[name] })
  }

  override set [place](record: number) {
    this.#item = this.#items[record] ?? null
  }

  override [keep](): Item {
    return { ...(this.#item as Item) }
  }

  override [textsWith](text: string): TextColumn | null {
    return text === this.#item?.key ? this.#columns.keys : null
  }

  override get [fields](): FieldColumns {
    return this.#columns.fields
  }
}

import { type Codec, type Lender, Rejection } from '../../../runtime/codec.ts'
import { keep, Lent, place } from '../../../runtime/lent.ts'
import type { ReadAhead } from '../../../runtime/readAhead.ts'
import { RecordView } from '../../../runtime/record.ts'
import type { Item } from './item.ts'

/** Lends the ordinary items of the records that were read ahead: one object for all of them, which is another item as soon as the next is asked for. */
export class ItemLender implements Lender<Item> {
  readonly items: (Item | null)[] = []
  readonly #codec: Pick<Codec<Item>, 'decode'>
  readonly #lent = new LentItem(this.items)

  constructor(codec: Pick<Codec<Item>, 'decode'>) {
    this.#codec = codec
  }

  read({ buffer, valueStarts, valueLengths, at, count, firstRow }: ReadAhead): void {
    const view = new RecordView()
    view.buffer = buffer
    for (let i = at; i < count; i += 1) {
      view.valueStart = valueStarts[i] as number
      view.valueLength = valueLengths[i] as number
      const item = this.#codec.decode(view)
      const isOrdinary = item !== undefined && !(item instanceof Rejection) && view.valueText() === JSON.stringify(item)
      this.items[firstRow + i] = isOrdinary && Object.keys(item).join() === names.join() ? item : null
    }
  }

  lend(row: number): Item | undefined {
    if (this.items[row] == null) return undefined
    this.#lent[place] = row
    return this.#lent as unknown as Item
  }
}

const names = ['key', 'id', 'at', 'n', 'revision', 'count'] as const

class LentItem extends Lent<Item> {
  readonly #items: readonly (Item | null)[]
  #item: Item | null = null

  constructor(items: readonly (Item | null)[]) {
    super()
    this.#items = items
    for (const name of names) Object.defineProperty(this, name, { enumerable: true, get: () => this.#item?.[name] })
  }

  override set [place](record: number) {
    this.#item = this.#items[record] ?? null
  }

  override [keep](): Item {
    return { ...(this.#item as Item) }
  }
}

import { type Codec, type Lender, Rejection } from '../../../runtime/codec.ts'
import { keep, Lent } from '../../../runtime/lent.ts'
import type { ReadAhead } from '../../../runtime/readAhead.ts'
import { RecordView } from '../../../runtime/record.ts'
import type { Item } from './item.ts'

/** Lends the ordinary items of the records that were read ahead: one object for all of them, which is another item as soon as the next is asked for. */
export class ItemLender implements Lender<Item> {
  readonly #codec: Pick<Codec<Item>, 'decode'>
  readonly #lent = new LentItem()
  readonly #items: (Item | null)[] = []

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
      this.#items[firstRow + i] = isOrdinary && Object.keys(item).join() === names.join() ? item : null
    }
  }

  lend(row: number): Item | undefined {
    const item = this.#items[row]
    return item == null ? undefined : (this.#lent.of(item) as unknown as Item)
  }
}

const names = ['key', 'id', 'at', 'n', 'revision', 'count'] as const

class LentItem extends Lent<Item> {
  #item: Item | null = null

  constructor() {
    super()
    for (const name of names) Object.defineProperty(this, name, { enumerable: true, get: () => this.#item?.[name] })
  }

  of(item: Item): this {
    this.#item = item
    return this
  }

  override [keep](): Item {
    return { ...(this.#item as Item) }
  }
}

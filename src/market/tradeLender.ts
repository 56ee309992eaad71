import type { z } from 'zod'
import { type FrameColumns, frameColumns } from '../codecs/frameColumns.ts'
import type { Fixed8 } from '../exact/decimal.ts'
import type { Lender } from '../runtime/log/codec.ts'
import type { ReadAhead } from '../runtime/log/readAhead.ts'
import { columnOf, fields, keep, Lent, lentProperty, place, textsWith } from '../runtime/spans/lent.ts'
import type { FieldColumns, LentColumn, TextColumn } from '../runtime/spans/lentColumn.ts'
import { type frameSchemas, marketFill, type TradeRules } from './frame.ts'
import { unitsPerMs } from './timeUnit.ts'
import {
  eventTimeOf,
  idKeyOf,
  isGap,
  isOfThePast,
  isTrade,
  type Market,
  type MarketEvent,
  type Trade,
} from './trade.ts'

/**
 * Lends the trades of many frames that were read at once, bare or combined. Every other frame is left to `decode`: heartbeats, words on gaps, trades that were fetched later or whose ids have started
 * again, what counts for no candle, and what is wrong.
 */
export class TradeLender implements Lender<MarketEvent> {
  /** The kind that came last stands first: a log mostly has one. */
  #kinds: readonly TradeFrames[]
  /** The same by their numbers less 1. */
  readonly #byNumber: readonly TradeFrames[]
  /** By row: the number of those that lend its trade; 0 where none does. */
  readonly #lenders: Uint8Array

  constructor(schemas: ReturnType<typeof frameSchemas>, rules: TradeRules, rows: number) {
    this.#lenders = new Uint8Array(rows)
    this.#byNumber = [
      new TradeFrames(1, schemas.combined, 'data.', rules, rows),
      new TradeFrames(2, schemas.bare, '', rules, rows),
    ]
    this.#kinds = this.#byNumber
  }

  read(ahead: ReadAhead): void {
    const lenders = this.#lenders
    const from = ahead.firstRow + ahead.at
    const to = ahead.firstRow + ahead.count
    lenders.fill(0, from, to)
    let left = to - from
    for (const frames of this.#kinds) {
      left -= frames.read(ahead, lenders)
      if (left > 0) continue
      if (frames !== this.#kinds[0]) this.#kinds = [frames, ...this.#kinds.filter((one) => one !== frames)]
      return
    }
  }

  lend(row: number): MarketEvent | undefined {
    return this.#byNumber[(this.#lenders[row] as number) - 1]?.lend(row)
  }

  lentUntil(row: number, to: number): number {
    const lenders = this.#lenders
    let end = row + 1
    while (end < to && lenders[end] === lenders[row]) end += 1
    return end
  }
}

/** Frames of one kind, and the trade of the one that is lent. */
class TradeFrames {
  readonly #number: number
  readonly #schema: z.ZodType
  readonly #prefix: '' | 'data.'
  readonly #rules: TradeRules
  readonly #rows: number
  #opened: OpenColumns | null = null
  readonly #trade: LentTrade

  constructor(number: number, schema: z.ZodType, prefix: '' | 'data.', rules: TradeRules, rows: number) {
    this.#number = number
    this.#schema = schema
    this.#rows = rows
    this.#prefix = prefix
    this.#rules = rules
    this.#trade = new LentTrade(rules.market, rules.timeUnit === 'ms' ? 1 : unitsPerMs.us)
  }

  /** Gives how many were read, and notes by row that these frames lend its trade. */
  read(ahead: ReadAhead, lenders: Uint8Array): number {
    const { buffer, valueStarts, valueLengths, at, count, firstRow } = ahead
    this.#opened ??= this.#open()
    const { columns, slots } = this.#opened
    columns.read(buffer, valueStarts, valueLengths, at, count, firstRow)
    const { layouts } = columns
    const [prices, quantities] = [columns.numbers(slots.p), columns.numbers(slots.q)]
    const [symbols, fills] = [columns.texts(slots.s), columns.texts(slots.X)]
    const { ordinals } = symbols
    const wanted = this.#rules.symbols
    let symbol = noOrdinal
    let isWanted = wanted === null
    let read = 0
    let layout = 0
    let isPlain = false
    let saysFill = false
    for (let row = firstRow + at; row < firstRow + count; row += 1) {
      const own = layouts[row] as number
      if (own === 0) continue
      read += 1
      if (own !== layout) {
        layout = own
        // No more than that a trade has happened.
        isPlain = !columns.has(layout, slots.fill) && !columns.has(layout, slots.epoch)
        saysFill = columns.has(layout, slots.X)
      }
      if (!isPlain || prices[row] === 0 || quantities[row] === 0 || (saysFill && fills.at(row) !== marketFill)) continue
      if (wanted !== null && (symbol < 0 || ordinals[row] !== symbol)) {
        symbol = ordinals[row] as number
        isWanted = wanted.has(symbols.at(row))
      }
      if (isWanted) lenders[row] = this.#number
    }
    return read
  }

  #open(): OpenColumns {
    const opened = openColumns(this.#schema, this.#prefix, this.#rows)
    const { columns, slots } = opened
    const numbers = [slots.t, slots.p, slots.q, slots.T, slots.m].map((slot) => columns.numbers(slot))
    this.#trade.over(columns.texts(slots.s), numbers as unknown as NumberColumns)
    return opened
  }

  lend(row: number): Trade {
    this.#trade[place] = row
    return this.#trade as unknown as Trade
  }
}

interface OpenColumns {
  readonly columns: FrameColumns
  readonly slots: Readonly<Record<'s' | 't' | 'p' | 'q' | 'T' | 'X' | 'm' | 'fill' | 'epoch', number>>
}

function openColumns(schema: z.ZodType, prefix: '' | 'data.', rows: number): OpenColumns {
  const columns = frameColumns(schema, rows)
  const slot = (name: string) => columns.slot(prefix + name)
  const slots = {
    ...{ s: slot('s'), t: slot('t'), p: slot('p'), q: slot('q'), T: slot('T'), X: slot('X'), m: slot('m') },
    ...{ fill: slot('fill'), epoch: slot('epoch') },
  }
  return { columns, slots }
}

type NumberColumns = readonly [t: Float64Array, p: Float64Array, q: Float64Array, T: Float64Array, m: Float64Array]

const noNumbers = new Float64Array(0)
const noTexts: TextColumn = { at: () => '', ordinals: new Int32Array(0), numbering: {}, asBytes: null }
/** Of a text that has none. */
const noOrdinal = -1

/** A trade as its columns have it. What its properties are is what those of a trade are, also for `Object.keys` and `JSON.stringify`. */
class LentTrade extends Lent<Trade> {
  #at = 0
  #symbols: TextColumn = noTexts
  #ids: Float64Array = noNumbers
  #prices: Float64Array = noNumbers
  #quantities: Float64Array = noNumbers
  #times: Float64Array = noNumbers
  #makers: Float64Array = noNumbers
  readonly #market: Market
  readonly #unitsPerMs: number
  #fields: FieldColumns = {}
  /** What the questions of `trade.ts` come to, of a trade that is lent. */
  #known: ReadonlyMap<object, LentColumn> = new Map()

  constructor(market: Market, unitsAMs: number) {
    super()
    this.#market = market
    this.#unitsPerMs = unitsAMs
    Object.defineProperties(this, LentTrade.#properties)
    Object.preventExtensions(this)
  }

  over(symbols: TextColumn, [ids, prices, quantities, timeColumn, makers]: NumberColumns): void {
    this.#symbols = symbols
    this.#ids = ids
    this.#prices = prices
    this.#quantities = quantities
    this.#times = timeColumn
    this.#makers = makers
    const times: LentColumn | null = this.#unitsPerMs === 1 ? { kind: 'numbers', numbers: timeColumn } : null
    this.#fields = {
      type: { kind: 'same', value: 'trade' },
      market: { kind: 'same', value: this.#market },
      symbol: { kind: 'texts', texts: symbols },
      tradeId: { kind: 'numbers', numbers: ids },
      price: { kind: 'numbers', numbers: prices },
      quantity: { kind: 'numbers', numbers: quantities },
      isBuyerMaker: { kind: 'flags', numbers: makers },
      ...(times === null ? {} : { tradeTime: times }),
    }
    this.#known = new Map<object, LentColumn>([
      [isTrade, { kind: 'same', value: true }],
      [isGap, { kind: 'same', value: false }],
      [isOfThePast, { kind: 'same', value: false }],
      [idKeyOf, { kind: 'texts', texts: symbols }],
      ...(times === null ? [] : [[eventTimeOf, times] as const]),
    ])
  }

  override set [place](record: number) {
    this.#at = record
  }

  override [keep](): Trade {
    return {
      type: 'trade',
      market: this.#market,
      symbol: this.#symbols.at(this.#at),
      tradeId: this.#ids[this.#at] as number,
      price: this.#prices[this.#at] as Fixed8,
      quantity: this.#quantities[this.#at] as Fixed8,
      tradeTime: this.#time(),
      isBuyerMaker: this.#makers[this.#at] === 1,
    }
  }

  override [textsWith](text: string): TextColumn | null {
    return text === this.#symbols.at(this.#at) ? this.#symbols : null
  }

  override get [fields](): FieldColumns {
    return this.#fields
  }

  override [columnOf](read: object): LentColumn | null {
    return this.#known.get(read) ?? super[columnOf](read)
  }

  #time(): number {
    const time = this.#times[this.#at] as number
    return this.#unitsPerMs === 1 ? time : Math.floor(time / this.#unitsPerMs)
  }

  static readonly #properties: PropertyDescriptorMap = Object.fromEntries(
    Object.entries<(this: LentTrade) => unknown>({
      type: () => 'trade',
      market() {
        return this.#market
      },
      symbol() {
        return this.#symbols.at(this.#at)
      },
      tradeId() {
        return this.#ids[this.#at]
      },
      price() {
        return this.#prices[this.#at]
      },
      quantity() {
        return this.#quantities[this.#at]
      },
      tradeTime() {
        return this.#time()
      },
      isBuyerMaker() {
        return this.#makers[this.#at] === 1
      },
    }).map(([name, get]) => [name, lentProperty(name, get)]),
  )
}

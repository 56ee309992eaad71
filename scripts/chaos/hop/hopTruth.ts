import { encodeHeaders } from '../../../src/runtime/log/encodeHeaders.ts'
import { readMarker } from '../../../src/runtime/log/marker.ts'
import { RecordView } from '../../../src/runtime/log/record.ts'
import type { LogRecord } from '../pipeline/logRecords.ts'
import type { ShopOrder } from './shopOrders.ts'

const dayMs = 86_400_000
const waitedMs = 3_600_000

/** What a table holds of a customer and a day. */
export interface SpentRow {
  readonly customer: string
  /** ms UTC */
  readonly day: number
  readonly orders: number
  readonly cents: number
}

/** What was left: the orders that went in, the topic between, rows, and the values of dead letters, by pipeline. */
export interface HopLeft {
  readonly orders: readonly LogRecord[]
  readonly between: readonly LogRecord[]
  readonly rows: readonly SpentRow[]
  readonly lettersAbove: readonly string[]
  readonly lettersBelow: readonly ShopOrder[]
}

/** What is not as it has to be by definition, and how much there was. */
export interface HopVerdict {
  readonly differences: readonly string[]
  readonly sizes: Readonly<Record<string, number>>
}

/**
 * Each order is in the topic between once, and none behind a marker of its task that says more; each is in the row of its customer and day or, where it was late above, in a letter below;
 * nothing is twice, and no other row is there.
 */
export function hopVerdict({ orders, between, rows, lettersAbove, lettersBelow }: HopLeft): HopVerdict {
  const lateAbove = lateOf(orders)
  const all = orders.map(orderOf)
  const { sent, behind, markers } = sentOf(
    between,
    new Map(orders.map((record) => [orderOf(record).id, record.partition])),
    lateAbove,
  )
  const lateBelow = new Set(lettersBelow.map(({ id }) => id))
  const expected = new Map<string, SpentRow>()
  for (const { id, customer, at, cents } of all) {
    if (lateBelow.has(id)) continue
    const day = Math.floor(at / dayMs) * dayMs
    const key = `${customer} ${day}`
    const row = expected.get(key) ?? { customer, day, orders: 0, cents: 0 }
    expected.set(key, { ...row, orders: row.orders + 1, cents: row.cents + cents })
  }
  const lineOf = ({ customer, day, orders: count, cents }: SpentRow) => `${customer} ${day} ${count} ${cents}`
  return {
    differences: [
      ...unequal(
        'topic between',
        all.map(({ id }) => id),
        sent,
      ),
      ...behind,
      ...unequal('row', [...expected.values()].map(lineOf), rows.map(lineOf)),
      ...lettersAbove.map((letter) => `! above: ${letter}`),
      ...[...lateBelow].filter((id) => !lateAbove.has(id)).map((id) => `! ${id} is late below and was not late above`),
      ...(lateBelow.size === lettersBelow.length ? [] : ['! an order has two letters below']),
    ],
    sizes: {
      orders: all.length,
      sent: sent.length,
      markers,
      rows: rows.length,
      late_above: lateAbove.size,
      late_below: lateBelow.size,
    },
  }
}

/** By definition: at or below the newest order of the partition before it, less what is waited. */
function lateOf(orders: readonly LogRecord[]): ReadonlySet<string> {
  const newest = new Map<number, number>()
  const late = new Set<string>()
  for (const record of orders) {
    const { id, at } = orderOf(record)
    const before = newest.get(record.partition) ?? Number.NEGATIVE_INFINITY
    if (at <= before - waitedMs - 1) late.add(id)
    newest.set(record.partition, Math.max(before, at))
  }
  return late
}

function sentOf(between: readonly LogRecord[], taskOf: ReadonlyMap<string, number>, lateAbove: ReadonlySet<string>) {
  const sent: string[] = []
  const behind: string[] = []
  const marks = new Map<string, number>()
  let markers = 0
  for (const record of between) {
    const marker = readMarker(viewOf(record))
    if (typeof marker === 'string') behind.push(`! ${marker}`)
    else if (marker === null) {
      const { id, at } = orderOf(record)
      sent.push(id)
      const mark = marks.get(`${record.partition} ${taskOf.get(id)}`)
      if (mark !== undefined && at <= mark && !lateAbove.has(id))
        behind.push(`! ${id} stands behind a marker of ${mark}`)
    } else {
      markers += 1
      if (marker.watermark !== null) marks.set(`${record.partition} ${marker.task}`, marker.watermark)
    }
  }
  return { sent, behind, markers }
}

function viewOf({ value, headers }: LogRecord): RecordView {
  const view = new RecordView()
  const bytes = encodeHeaders(headers)
  view.buffer = Buffer.concat([bytes, value ?? Buffer.alloc(0)])
  view.headersLength = bytes.length
  view.valueStart = bytes.length
  view.valueLength = value?.length ?? -1
  return view
}

function orderOf({ value }: LogRecord): ShopOrder {
  return JSON.parse(Buffer.from(value ?? '').toString()) as ShopOrder
}

function unequal(what: string, expected: readonly string[], found: readonly string[]): readonly string[] {
  const counts = new Map<string, number>()
  for (const one of expected) counts.set(one, (counts.get(one) ?? 0) + 1)
  for (const one of found) counts.set(one, (counts.get(one) ?? 0) - 1)
  return [...counts].flatMap(([one, count]) =>
    count === 0 ? [] : [`${count > 0 ? '-' : '+'} ${what}: ${one}${Math.abs(count) === 1 ? '' : ` (${count} times)`}`],
  )
}

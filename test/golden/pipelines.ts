import { mergeMap, share } from 'rxjs'
import {
  aggregateWindow,
  batchFlush,
  decode,
  dedupe,
  definePipeline,
  eventTime,
  type Outlets,
  type Pipeline,
  type RowsOutlet,
  realtime,
  type Table,
  tradeCodec,
  tumblingWindow,
  type Window,
} from '../../src/index.ts'
import { accounts, numbered, type Order } from './accounts.ts'
import { jsonValues, tableOf, textOf } from './json.ts'
import { type Latency, latency } from './latency.ts'

/** Columns are compared as they give their values, whatever a database would make of them. */
function into<Row>(rows: RowsOutlet<Row>['values'], table: Table<Row>): RowsOutlet<Row> {
  return { kind: 'rows', table, values: rows }
}

/** A value whose time may leap, with all that plain state can hold. */
export interface Reading {
  readonly id: string
  readonly at: number
  readonly amount: bigint
  readonly detail: {
    readonly kind: string
    readonly note: string | null
    readonly levels: readonly (readonly [price: number, size: bigint])[]
  }
}

export interface Numbered {
  readonly key: string
  readonly id: string | number
  readonly at: number
}

export interface Sale {
  readonly shop: string
  readonly at: number
  readonly article: string
  readonly cents: bigint
}

/** A plain accumulator with everything in it. */
interface Takings {
  cents: bigint
  readonly prices: bigint[]
  readonly byArticle: { [article: string]: { count: number; cents: bigint } }
  last: { readonly at: number; readonly article: string | null }
}

interface Counted {
  readonly window: Window
  readonly count: number
  readonly revision: number
}

/** How many values a window has: a number as the accumulator. */
function counted<T>(name: string) {
  return aggregateWindow<T, number, Counted>({
    name,
    initial: () => 0,
    add: (count) => count + 1,
    result: (count, window, { revision }) => ({ window, count, revision }),
  })
}

const countedTable = (name: string) =>
  tableOf<Counted>(name, {
    key: (row) => row.window.key,
    start: (row) => row.window.start,
    count: (row) => row.count,
    revision: (row) => row.revision,
  })

const heldLeaps = definePipeline({
  name: 'held-leaps',
  build(records) {
    const readings = records.pipe(
      decode(jsonValues<readonly Reading[]>()),
      mergeMap((batch) => batch),
      eventTime({ of: (value) => value.at, maxOutOfOrdernessMs: 100, maxAdvanceMs: 1_000 }),
      share(),
    )
    const seconds = readings.pipe(
      tumblingWindow({ name: 'seconds', sizeMs: 1_000, by: (reading) => reading.detail.kind }),
      counted('counted'),
    )
    return {
      readings: into(
        readings,
        tableOf<Reading>('readings', {
          id: (row) => row.id,
          at: (row) => row.at,
          amount: (row) => row.amount * 2n,
          detail: (row) => textOf(row.detail),
        }),
      ),
      seconds: into(seconds, countedTable('seconds')),
    }
  },
})

const numberedTable = tableOf<Numbered>('firsts', { key: (row) => row.key, id: (row) => row.id, at: (row) => row.at })

const dedupeSet = definePipeline({
  name: 'dedupe-set',
  build: (records) => ({
    firsts: into(
      records.pipe(
        decode(jsonValues<Numbered>()),
        eventTime({ of: (value) => value.at, maxOutOfOrdernessMs: 50 }),
        dedupe({ by: (value) => value.key, id: (value) => value.id, ttlMs: 1_000 }),
        batchFlush({ maxCount: 3 }),
      ),
      numberedTable,
    ),
  }),
})

const dedupeRanges = definePipeline({
  name: 'dedupe-ranges',
  build: (records) => ({
    firsts: into(
      records.pipe(
        decode(jsonValues<Numbered>()),
        eventTime({ of: (value) => value.at, maxOutOfOrdernessMs: 50 }),
        dedupe({ by: (value) => value.key, id: (value) => Number(value.id), ids: 'ranges', ttlMs: 1_000 }),
      ),
      numberedTable,
    ),
  }),
})

const lateWindows = definePipeline({
  name: 'late-windows',
  build(records) {
    const takings = records.pipe(
      decode(jsonValues<Sale>()),
      eventTime({ of: (value) => value.at, maxOutOfOrdernessMs: 200 }),
      tumblingWindow({ name: 'seconds', sizeMs: 1_000, by: (sale) => sale.shop, allowedLatenessMs: 3_000 }),
      aggregateWindow({
        initial: (): Takings => ({ cents: 0n, prices: [], byArticle: {}, last: { at: 0, article: null } }),
        add(takings, { article, cents, at }: Sale) {
          takings.cents += cents
          takings.prices.push(cents)
          takings.byArticle[article] ??= { count: 0, cents: 0n }
          const of = takings.byArticle[article]
          of.count += 1
          of.cents += cents
          takings.last = { at, article: article === '' ? null : article }
          return takings
        },
        result: ({ cents, ...takings }, { key, start }, { revision }) => ({
          shop: key,
          start,
          revision,
          cents,
          takings: textOf(takings),
        }),
      }),
    )
    return {
      takings: into(
        takings,
        tableOf('takings', {
          shop: (row) => row.shop,
          start: (row) => row.start,
          revision: (row) => row.revision,
          cents: (row) => row.cents,
          takings: (row) => row.takings,
        }),
      ),
    }
  },
})

const accumulators = definePipeline({
  name: 'accumulators',
  build(records) {
    const windows = records.pipe(
      decode(jsonValues<Latency>()),
      eventTime({ of: (value) => value.at, maxOutOfOrdernessMs: 100 }),
      tumblingWindow({ name: 'seconds', sizeMs: 1_000, by: (value) => value.route, allowedLatenessMs: 1_500 }),
      share(),
    )
    return {
      counts: into(windows.pipe(counted('counted')), countedTable('counts')),
      latencies: into(
        windows.pipe(latency('latency')),
        tableOf('latencies', {
          route: (row) => row.route,
          start: (row) => row.start,
          revision: (row) => row.revision,
          median: (row) => row.median,
          micros: (row) => row.micros,
          callers: (row) => row.callers,
        }),
      ),
    }
  },
})

const userState = definePipeline({
  name: 'user-state',
  build: (records) => ({
    entries: into(
      records.pipe(
        decode(jsonValues<Order>()),
        eventTime({ of: (value) => value.at, maxOutOfOrdernessMs: 0 }),
        accounts('accounts'),
        numbered('numbered'),
      ),
      tableOf('entries', {
        number: (row) => row.number,
        account: (row) => row.entry.account,
        balance: (row) => row.entry.balance,
        text: (row) => row.entry.text,
      }),
    ),
  }),
})

const twoSizes = definePipeline({
  name: 'two-sizes',
  build(records) {
    const sales = records.pipe(
      decode(jsonValues<Sale>()),
      eventTime({ of: (value) => value.at, maxOutOfOrdernessMs: 100 }),
      share(),
    )
    const by = (sale: Sale) => sale.shop
    const short = tumblingWindow({ name: 'short', sizeMs: 1_000, by, allowedLatenessMs: 500 })
    const long = tumblingWindow({ name: 'long', sizeMs: 4_000, by, allowedLatenessMs: 2_000 })
    return {
      short: into(sales.pipe(short, counted('counted-short')), countedTable('short')),
      long: into(sales.pipe(long, counted('counted-long')), countedTable('long')),
    }
  },
})

/** One pipeline a kind of state. What is here must never change: checkpoints of older releases were made with it. */
export const pipelines = {
  'held-leaps': heldLeaps,
  'dedupe-set': dedupeSet,
  'dedupe-ranges': dedupeRanges,
  'late-windows': lateWindows,
  accumulators,
  realtime: realtime(tradeCodec({ market: 'spot', timeUnit: 'ms' })),
  'user-state': userState,
  'two-sizes': twoSizes,
} satisfies Readonly<Record<string, Pipeline<Outlets>>>

export type PipelineName = keyof typeof pipelines

import {
  aggregateWindow,
  asOfJoin,
  type Batch,
  batchFlush,
  type Candle,
  countWindow,
  dedupe,
  eventTime,
  type Heartbeat,
  hoppingWindow,
  inOrder,
  intervalJoin,
  keyed,
  type MarketEvent,
  mapAsync,
  ohlcv,
  rollup,
  sequence,
  sessionWindow,
  type Trade,
  topN,
  tumblingWindow,
  type WindowElement,
  type Withdrawn,
} from 'millrace'
import { filter, map, type Observable, share } from 'rxjs'
import { describe, expect, test } from 'tstyche'

declare const trades: Observable<Trade>
declare const events: Observable<MarketEvent>
declare const readings: Observable<{ readonly sensor: string; readonly at: number; readonly celsius: number }>

interface Order {
  readonly id: string
  readonly customer: string
  readonly amount: number
  readonly at: number
}

interface Payment {
  readonly orderId: string
  readonly paid: number
  readonly at: number
}

interface Click {
  readonly user: string
  readonly kind: string
  readonly at: number
}

declare const orders: Observable<Order>
declare const payments: Observable<Payment>
declare const clicks: Observable<Click>

describe('types flow through pipe() without annotations', () => {
  test('from trades to candles of candles', () => {
    const clean = trades.pipe(
      eventTime({ of: (trade) => trade.tradeTime, maxOutOfOrdernessMs: 2_000 }),
      dedupe({ by: (trade) => trade.symbol, id: (trade) => trade.tradeId, ttlMs: 600_000 }),
      share(),
    )
    expect(clean).type.toBe<Observable<Trade>>()

    const minute = clean.pipe(tumblingWindow({ name: '1m', sizeMs: 60_000, by: (trade) => trade.symbol }), ohlcv())
    expect(minute).type.toBe<Observable<Candle>>()

    const five = minute.pipe(tumblingWindow({ name: '5m', sizeMs: 300_000, by: (candle) => candle.symbol }), rollup())
    expect(five).type.toBe<Observable<Candle>>()
  })

  test('a window keeps the type of its values', () => {
    const windows = readings.pipe(tumblingWindow({ name: '10s', sizeMs: 10_000, by: (reading) => reading.sensor }))
    expect(windows).type.toBe<
      Observable<WindowElement<{ readonly sensor: string; readonly at: number; readonly celsius: number }>>
    >()
  })

  test('aggregateWindow infers value, accumulator and result', () => {
    const highest = readings.pipe(
      eventTime({ of: (reading) => reading.at, maxOutOfOrdernessMs: 0 }),
      tumblingWindow({ name: '10s', sizeMs: 10_000, by: (reading) => reading.sensor }),
      aggregateWindow({
        initial: () => Number.NEGATIVE_INFINITY,
        add: (highest, reading) => Math.max(highest, reading.celsius),
        result: (celsius, window) => ({ sensor: window.key, start: window.start, celsius }),
      }),
    )
    expect(highest).type.toBe<Observable<{ sensor: string; start: number; celsius: number }>>()
  })

  test('windows of all kinds', () => {
    const spent = orders.pipe(
      inOrder(),
      hoppingWindow({ name: 'spent', sizeMs: '5m', hopMs: '1m', by: (order) => order.customer }),
      aggregateWindow({
        initial: () => ({ orders: 0, amount: 0 }),
        add: (sum, { amount }) => ({ orders: sum.orders + 1, amount: sum.amount + amount }),
        merge: (a, b) => ({ orders: a.orders + b.orders, amount: a.amount + b.amount }),
        result: ({ amount }, { key, end }) => ({ customer: key, end, amount }),
      }),
    )
    expect(spent).type.toBe<Observable<{ customer: string; end: number; amount: number }>>()

    const visits = clicks.pipe(
      sessionWindow({ name: 'visit', gapMs: '30m', by: (click) => click.user, maxMs: '1d' }),
      aggregateWindow({
        initial: () => 0,
        add: (pages) => pages + 1,
        merge: (a, b) => a + b,
        result: (pages, { key }) => ({ user: key, pages }),
      }),
    )
    expect(visits).type.toBe<Observable<{ user: string; pages: number }>>()

    const corrected = clicks.pipe(
      sessionWindow({ name: 'visit', gapMs: '30m', by: (click) => click.user, allowedLatenessMs: '1h' }),
      aggregateWindow({
        initial: () => 0,
        add: (pages, { kind }) => pages + kind.length,
        merge: (a, b) => a + b,
        result: (pages, { key }, { revision }) => ({ user: key, pages, revision }),
        withdraws: true,
      }),
    )
    type Visit = { user: string; pages: number; revision: number }
    expect(corrected).type.toBe<Observable<Visit | Withdrawn<Visit>>>()

    const early = orders.pipe(
      tumblingWindow({ name: 'day', sizeMs: '1d', by: (order) => order.customer }),
      topN({
        n: 10,
        of: (order) => order.amount,
        tie: (order) => order.id,
        result: (top, { key }) => top.map(({ id }, i) => ({ customer: key, rank: i + 1, id })),
        withdrawBy: ({ rank }) => String(rank),
        early: { everyMs: '1m' },
      }),
    )
    type Rank = { customer: string; rank: number; id: string }
    expect(early).type.toBe<Observable<Rank | Withdrawn<Rank>>>()

    const best = orders.pipe(
      countWindow({ name: 'lot', size: 100, by: (order) => order.customer, maxWaitMs: '1h' }),
      topN({
        n: 10,
        of: (order) => order.amount,
        tie: (order) => order.id,
        result: (top, { key }) => top.map(({ id }, i) => ({ customer: key, rank: i + 1, id })),
      }),
    )
    expect(best).type.toBe<Observable<{ customer: string; rank: number; id: string }>>()
  })

  test('joins, and who may be missing in them', () => {
    const by = { left: (order: Order) => order.id, right: (payment: Payment) => payment.orderId }
    const inner = orders.pipe(
      intervalJoin(payments, {
        name: 'paid',
        by: { left: (order) => order.id, right: (payment) => payment.orderId },
        fromMs: 0,
        toMs: '15m',
        with: (order, payment) => ({ id: order.id, paid: payment.paid }),
      }),
    )
    expect(inner).type.toBe<Observable<{ id: string; paid: number }>>()
    const left = orders.pipe(
      intervalJoin(payments, {
        ...{ name: 'paid', by, fromMs: 0, toMs: 1 },
        how: 'left',
        with: (order, payment) => ({ id: order.id, paid: payment?.paid ?? null }),
      }),
    )
    expect(left).type.toBe<Observable<{ id: string; paid: number | null }>>()
    const outer = orders.pipe(
      intervalJoin(payments, {
        ...{ name: 'paid', by, fromMs: 0, toMs: 1 },
        how: 'outer',
        with: (order, payment) => order?.id ?? payment?.orderId ?? '',
      }),
    )
    expect(outer).type.toBe<Observable<string>>()
    const asOf = orders.pipe(
      asOfJoin(payments, {
        ...{ name: 'as of', by, keepMs: '1m' },
        with: (order, payment) => (payment === null ? null : { id: order.id, paid: payment.paid }),
      }),
    )
    expect(asOf).type.toBe<Observable<{ id: string; paid: number }>>()
  })

  test("logic of one's own over time", () => {
    const silent = clicks.pipe(
      keyed({
        name: 'silence',
        by: (click) => click.user,
        initial: () => 0,
        onValue: (last, { at }) => ({ keep: Math.max(last, at), wakeAt: Math.max(last, at) + 600_000 }),
        onTimer: (since, { key }) => ({ keep: null, emit: [{ user: key, since }] }),
      }),
    )
    expect(silent).type.toBe<Observable<{ user: string; since: number }>>()
    const funnel = clicks.pipe(
      sequence({
        name: 'funnel',
        by: (click) => click.user,
        steps: { cart: (click) => click.kind === 'cart', buy: (click) => click.kind === 'buy' },
        unless: (click) => click.kind === 'logout',
        withinMs: '1h',
        onMatch: ({ cart, buy }) => ({ user: cart.user, afterMs: buy.at - cart.at }),
      }),
    )
    expect(funnel).type.toBe<Observable<{ user: string; afterMs: number }>>()
    const both = clicks.pipe(
      sequence({
        name: 'funnel',
        by: (click) => click.user,
        steps: { cart: (click) => click.kind === 'cart', buy: (click) => click.kind === 'buy' },
        withinMs: '1h',
        onMatch: ({ cart, buy }) => ({ user: cart.user, afterMs: buy.at - cart.at }),
        onTimeout: ({ cart }) => (cart === undefined ? null : { forsaken: cart.user }),
      }),
    )
    expect(both).type.toBe<Observable<{ user: string; afterMs: number } | { forsaken: string }>>()
  })

  test('operators of RxJS stand between ours, and narrow as always', () => {
    const narrowed = events.pipe(
      eventTime({ of: (event) => (event.type === 'trade' ? event.tradeTime : 0), maxOutOfOrdernessMs: 0 }),
      filter((event) => event.type === 'trade'),
      map((trade) => trade),
      tumblingWindow({ name: '1m', sizeMs: 60_000, by: (trade) => trade.symbol }),
      ohlcv(),
    )
    expect(narrowed).type.toBe<Observable<Candle>>()
  })

  test('batchFlush gives batches, which are arrays, mapAsync what its promise holds', () => {
    expect(trades.pipe(batchFlush({ maxCount: 100 }))).type.toBe<Observable<Batch<Trade>>>()
    expect(trades.pipe(batchFlush({ maxCount: 100 }))).type.toBeAssignableTo<Observable<readonly Trade[]>>()
    expect(trades.pipe(mapAsync(async (trade) => trade.symbol, { concurrency: 4 }))).type.toBe<Observable<string>>()
  })
})

describe('pipe() infers nine operators', () => {
  const same = () => map((value: number) => value)
  const one = map((trade: Trade) => trade.tradeId)

  test('the ninth still has its type; after the tenth it is lost, so a longer chain is split into two', () => {
    const nine = trades.pipe(one, same(), same(), same(), same(), same(), same(), same(), same())
    expect(nine).type.toBe<Observable<number>>()
    const ten = trades.pipe(one, same(), same(), same(), same(), same(), same(), same(), same(), same())
    expect(ten).type.toBe<Observable<unknown>>()
    expect(nine.pipe(same())).type.toBe<Observable<number>>()
  })
})

describe('what must not compile names the remedy', () => {
  test('ohlcv without a window', () => {
    // @ts-expect-error Type 'Trade' is not assignable to type 'WindowElement<TradeForOhlcv>'
    trades.pipe(ohlcv())
  })

  test('ohlcv on windows of something that is no trade', () => {
    const windows = readings.pipe(tumblingWindow({ name: '10s', sizeMs: 10_000, by: (reading) => reading.sensor }))
    // @ts-expect-error TradeForOhlcv
    windows.pipe(ohlcv())
  })

  test('rollup on windows of trades', () => {
    const windows = trades.pipe(tumblingWindow({ name: '1m', sizeMs: 60_000, by: (trade) => trade.symbol }))
    // @ts-expect-error Candle
    windows.pipe(rollup())
  })

  test('a key that is not text', () => {
    // @ts-expect-error Type 'number' is not assignable to type 'string'
    trades.pipe(tumblingWindow({ name: '1m', sizeMs: 60_000, by: (trade) => trade.tradeId }))
  })

  test('a key of a field that the value does not have', () => {
    // @ts-expect-error Property 'ticker' does not exist on type 'Trade'
    trades.pipe(tumblingWindow({ name: '1m', sizeMs: 60_000, by: (trade) => trade.ticker }))
  })

  test('event time that is a Date', () => {
    // @ts-expect-error Type 'Date' is not assignable to type 'number'
    trades.pipe(eventTime({ of: (trade) => new Date(trade.tradeTime), maxOutOfOrdernessMs: 0 }))
  })

  test('ranges of ids that are text', () => {
    // @ts-expect-error Type 'string' is not assignable to type 'number'
    trades.pipe(dedupe({ by: (trade) => trade.symbol, id: (trade) => trade.symbol, ids: 'ranges', ttlMs: 1 }))
  })

  test('an option that does not exist', () => {
    trades.pipe(
      // @ts-expect-error 'graceMs' does not exist
      tumblingWindow({ name: '1m', sizeMs: 60_000, by: (trade) => trade.symbol, graceMs: 5 }),
    )
  })

  test('windows of events that are not yet narrowed to trades', () => {
    expect<Heartbeat>().type.not.toBeAssignableTo<Trade>()
    const windows = events.pipe(tumblingWindow({ name: '1m', sizeMs: 60_000, by: (event) => event.type }))
    // @ts-expect-error TradeForOhlcv
    windows.pipe(ohlcv())
  })
})

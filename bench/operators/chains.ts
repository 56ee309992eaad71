import { filter, map, mergeMap, type Observable, share } from 'rxjs'
import { toFixed8 } from '../../src/exact/decimal.ts'
import type { Trade } from '../../src/market/trade.ts'
import { aggregateWindow } from '../../src/operators/aggregateWindow.ts'
import { asOfJoin } from '../../src/operators/asOfJoin.ts'
import { batchFlush } from '../../src/operators/batchFlush.ts'
import { countWindow } from '../../src/operators/countWindow.ts'
import { dedupe } from '../../src/operators/dedupe.ts'
import { enrich } from '../../src/operators/enrich.ts'
import { eventTime } from '../../src/operators/eventTime.ts'
import { hoppingWindow } from '../../src/operators/hoppingWindow.ts'
import { inOrder } from '../../src/operators/inOrder.ts'
import { intervalJoin } from '../../src/operators/intervalJoin.ts'
import { keyed } from '../../src/operators/keyed.ts'
import { lookup } from '../../src/operators/lookup.ts'
import { mapAsync } from '../../src/operators/mapAsync.ts'
import { ohlcv } from '../../src/operators/ohlcv.ts'
import { rollup } from '../../src/operators/rollup.ts'
import { sequence } from '../../src/operators/sequence.ts'
import { sessionWindow } from '../../src/operators/sessionWindow.ts'
import { topN } from '../../src/operators/topN.ts'
import { toTable } from '../../src/operators/toTable.ts'
import { tumblingWindow } from '../../src/operators/tumblingWindow.ts'

/** A value of a key, which has them about a second apart. */
export interface KeyEvent {
  readonly key: string
  /** Event time, ms UTC. */
  readonly at: number
  /** Counts the values of the key from 0. */
  readonly n: number
}

type Chain = (values: Observable<KeyEvent>) => Observable<unknown>

/** How an operator is measured, and what may be left of it when its keys are gone. */
export interface OperatorChain {
  /** `nothing` where no time has to pass, `time` where event time frees it, `forGood` where one entry a key stays, up to `maxKeys`. */
  readonly keeps: 'nothing' | 'time' | 'forGood'
  /** Other operators that it stands above or below in the chain. */
  readonly chain: Chain
}

const by = ({ key }: KeyEvent) => key
const timed = eventTime<KeyEvent>({ of: ({ at }) => at, maxOutOfOrdernessMs: 500 })
const summed = aggregateWindow<KeyEvent, number, { readonly key: string; readonly count: number }>({
  initial: () => 0,
  add: (count) => count + 1,
  merge: (a, b) => a + b,
  result: (count, { key }) => ({ key, count }),
})

const tradeOf = ({ key, at, n }: KeyEvent): Trade => ({
  type: 'trade',
  market: 'simulated',
  symbol: key,
  tradeId: n,
  price: toFixed8(100_000_000 + n),
  quantity: toFixed8(100_000_000),
  tradeTime: at,
  isBuyerMaker: n % 2 === 0,
})

const isLeft = ({ n }: KeyEvent) => n % 2 === 0
const isRight = (value: KeyEvent) => !isLeft(value)
const sides = (values: Observable<KeyEvent>) => {
  const shared = values.pipe(timed, share())
  return { left: shared.pipe(filter(isLeft)), right: shared.pipe(filter(isRight)) }
}

/** Every operator that a user has, by its name, with what it is called besides where there are several ways to use it. */
export const operatorChains: Readonly<Record<string, OperatorChain>> = {
  decode: { keeps: 'nothing', chain: (values) => values },
  eventTime: { keeps: 'nothing', chain: (values) => values.pipe(timed) },
  'eventTime, guarded': {
    keeps: 'time',
    chain: (values) => values.pipe(eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 500, maxAdvanceMs: 10_000 })),
  },
  'dedupe, a set': {
    keeps: 'time',
    chain: (values) => values.pipe(timed, dedupe({ by, id: ({ n }) => n, ttlMs: 5_000 })),
  },
  'dedupe, ranges': {
    keeps: 'time',
    chain: (values) => values.pipe(timed, dedupe({ by, id: ({ n }) => n, ttlMs: 5_000, ids: 'ranges' })),
  },
  tumblingWindow: {
    keeps: 'time',
    chain: (values) =>
      values.pipe(timed, tumblingWindow({ name: 'w', sizeMs: 5_000, allowedLatenessMs: 1_000, by }), summed),
  },
  hoppingWindow: {
    keeps: 'time',
    chain: (values) => values.pipe(timed, hoppingWindow({ name: 'w', sizeMs: 4_000, hopMs: 2_000, by }), summed),
  },
  sessionWindow: {
    keeps: 'time',
    chain: (values) => values.pipe(timed, sessionWindow({ name: 'w', gapMs: 800, by }), summed),
  },
  countWindow: {
    keeps: 'forGood',
    chain: (values) => values.pipe(timed, countWindow({ name: 'w', size: 4, maxWaitMs: 6_000, by }), summed),
  },
  aggregateWindow: {
    keeps: 'time',
    chain: (values) =>
      values.pipe(
        timed,
        tumblingWindow({ name: 'w', sizeMs: 5_000, by }),
        aggregateWindow({
          initial: () => ({ sum: 0n, count: 0 }),
          add: (sums, { n }) => ({ sum: sums.sum + BigInt(n), count: sums.count + 1 }),
          result: ({ sum, count }, { key }) => ({ key, sum: sum.toString(), count }),
        }),
      ),
  },
  topN: {
    keeps: 'time',
    chain: (values) =>
      values.pipe(
        timed,
        tumblingWindow({ name: 'w', sizeMs: 5_000, by }),
        topN({
          n: 3,
          of: ({ n }) => n,
          tie: ({ at }) => String(at),
          result: (top, { key }) => top.map(({ n }) => ({ key, n })),
        }),
      ),
  },
  ohlcv: {
    keeps: 'time',
    chain: (values) =>
      values.pipe(
        timed,
        map(tradeOf),
        tumblingWindow({ name: '1m', sizeMs: 5_000, by: ({ symbol }) => symbol }),
        ohlcv(),
      ),
  },
  rollup: {
    keeps: 'time',
    chain: (values) =>
      values.pipe(
        timed,
        map(tradeOf),
        tumblingWindow({ name: '1m', sizeMs: 1_000, by: ({ symbol }) => symbol }),
        ohlcv(),
        tumblingWindow({ name: '5m', sizeMs: 5_000, of: ({ openTime }) => openTime, by: ({ symbol }) => symbol }),
        rollup(),
      ),
  },
  intervalJoin: {
    keeps: 'time',
    chain: (values) => {
      const { left, right } = sides(values)
      const options = { name: 'j', by: { left: by, right: by }, fromMs: 0, toMs: 1_500, how: 'left' } as const
      return left.pipe(
        intervalJoin(right, { ...options, with: (one, other) => ({ key: one.key, n: other?.n ?? null }) }),
      )
    },
  },
  asOfJoin: {
    keeps: 'time',
    chain: (values) => {
      const { left, right } = sides(values)
      const options = { name: 'j', by: { left: by, right: by }, keepMs: 2_000 }
      return left.pipe(asOfJoin(right, { ...options, with: (one, other) => ({ key: one.key, n: other?.n ?? null }) }))
    },
  },
  keyed: {
    keeps: 'time',
    chain: (values) =>
      values.pipe(
        timed,
        keyed<KeyEvent, number, { readonly key: string; readonly last: number }>({
          name: 'k',
          by,
          initial: () => 0,
          onValue: (_last, { n }, { at }) => ({ keep: n, wakeAt: at + 3_000 }),
          onTimer: (last, { key }) => ({ keep: null, emit: [{ key, last }] }),
        }),
      ),
  },
  sequence: {
    keeps: 'time',
    chain: (values) =>
      values.pipe(
        timed,
        sequence({
          name: 's',
          by,
          steps: { first: isLeft, second: isRight },
          withinMs: 2_000,
          onMatch: ({ first, second }) => ({ key: first.key, n: second.n }),
        }),
      ),
  },
  inOrder: { keeps: 'time', chain: (values) => values.pipe(timed, inOrder()) },
  'toTable and enrich': {
    keeps: 'nothing',
    chain: (values) => {
      const shared = values.pipe(timed, share())
      // The last value of a key that goes for good takes its row away.
      const options = { name: 't', by, value: ({ n }: KeyEvent) => (n % 3 === 2 ? null : n), maxKeys: 200_000 }
      const table = toTable(shared, options)
      return shared.pipe(enrich(table, { by, with: ({ key }, row) => ({ key, row: row ?? null }) }))
    },
  },
  'toTable, aging': {
    keeps: 'time',
    chain: (values) => {
      const shared = values.pipe(timed, share())
      const table = toTable(shared, { name: 't', by, value: ({ n }) => n, maxKeys: 200_000, ttlMs: 5_000 })
      return shared.pipe(enrich(table, { by, with: ({ key }, row) => ({ key, row: row ?? null }) }))
    },
  },
  mapAsync: {
    keeps: 'nothing',
    chain: (values) => values.pipe(mapAsync(async (value) => value, { concurrency: 64 })),
  },
  lookup: {
    keeps: 'time',
    chain: (values) =>
      values.pipe(
        timed,
        lookup({
          name: 'l',
          by,
          get: async (key) => key.length,
          with: ({ key }, length) => ({ key, length }),
          cache: { maxEntries: 100_000, ttlMs: 60_000 },
          concurrency: 64,
        }),
      ),
  },
  'lookup, recorded': {
    keeps: 'time',
    chain: (values) =>
      values.pipe(
        timed,
        lookup({
          name: 'l',
          by,
          get: async (key) => key.length,
          with: ({ key }, length) => ({ key, length }),
          cache: { maxEntries: 100_000, ttlMs: 60_000 },
          concurrency: 64,
          record: true,
        }),
      ),
  },
  batchFlush: {
    keeps: 'nothing',
    chain: (values) =>
      values.pipe(
        batchFlush<KeyEvent>({ maxCount: 500 }),
        mergeMap((batch) => [...batch]),
      ),
  },
}

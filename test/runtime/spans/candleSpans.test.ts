import { afterEach, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { jsonCodec } from '../../../src/codecs/jsonCodec.ts'
import { gapFrame } from '../../../src/market/feedGap.ts'
import { tradeCodec } from '../../../src/market/tradeCodec.ts'
import type { TradeForOhlcv } from '../../../src/operators/candleSum.ts'
import { decode } from '../../../src/operators/decode.ts'
import { eventTime } from '../../../src/operators/eventTime.ts'
import { type OhlcvOptions, ohlcv } from '../../../src/operators/ohlcv.ts'
import { tumblingWindow } from '../../../src/operators/tumblingWindow.ts'
import { WindowPlaces } from '../../../src/operators/windowPlaces.ts'
import { candleTable } from '../../../src/pipelines/candleTable.ts'
import { realtime } from '../../../src/pipelines/realtime.ts'
import { field } from '../../../src/runtime/field.ts'
import type { Codec } from '../../../src/runtime/log/codec.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { encodeRecordBatch } from '../../../src/sources/recordBatch/encode.ts'
import { Random } from '../../../src/testing/random.ts'
import { countTaken, run } from './runCuts.ts'

const firstMs = 1_723_161_600_000

interface Gap {
  readonly symbol: string
  readonly firstId: number
  readonly lastId: number
  readonly fromTime: number
  readonly toTime: number
  nextId: number
}

/** What the feed tells of a gap. */
function word({ nextId, ...gap }: Gap, state: 'open' | 'filled' | 'lost'): string {
  const revision = state === 'open' ? 1 : 2
  const told = { state, revision, missing: gap.lastId + 1 - nextId, reason: '', seenAt: gap.toTime, at: gap.toTime }
  return gapFrame({ type: 'gap', market: 'spot', epoch: 0, ...gap, ...told }).toString()
}

/** Trades of some symbols, bare and combined, in turns or in runs of a symbol: some again, some late, some whose amounts are beyond a double, some missing that are fetched later, and here and there what is no trade. */
function frames(seed: number, count: number): Buffer {
  const random = new Random(`candles ${seed}`)
  const symbols = Array.from({ length: random.pick([1, 2, 4, 12]) }, (_, i) => `S${i}USDT`)
  const stays = random.pick([0, 0.9])
  const odd = random.pick([0, 0.03])
  const missing = random.pick([0, 0.03])
  const combined = random.pick([0, 0.5, 1])
  const stepMs = random.pick([20, 700, 9_000])
  const ids = new Map<string, number>()
  const gaps: Gap[] = []
  let at = firstMs
  let symbol = symbols[0] as string
  const amount = () =>
    `${random.chance(odd) ? 90_000_000 : random.int(1, 70_000)}.${10_000_000 + random.int(0, 9_999_999)}`
  const trade = (id: number, time: number, of = symbol, more = '') =>
    `{"e":"trade","E":${time},"s":"${of}","t":${id},"p":"${amount()}","q":"${amount()}","T":${time},"m":${random.chance(0.5)},"M":true${more}}`
  const next = (): string => {
    const gap = gaps[0]
    if (gap !== undefined && random.chance(0.2)) {
      const { nextId, lastId, fromTime, toTime } = gap
      gap.nextId += 1
      if (nextId <= lastId) return trade(nextId, random.int(fromTime, toTime), gap.symbol, ',"fill":true')
      gaps.shift()
      return word(gap, random.pick(['filled', 'lost']))
    }
    if (!random.chance(stays)) symbol = random.pick(symbols)
    at += random.int(0, stepMs)
    const last = ids.get(symbol) ?? 0
    if (random.chance(missing)) {
      const lastId = last + random.int(1, 4)
      ids.set(symbol, lastId)
      const fromTime = at - random.pick([1_000, 70_000, 400_000])
      gaps.push({ symbol, firstId: last + 1, lastId, fromTime, toTime: at, nextId: last + 1 })
      return word(gaps.at(-1) as Gap, 'open')
    }
    const id = last + (random.chance(odd) ? random.pick([0, 2]) : 1)
    ids.set(symbol, id)
    const plain = trade(id, random.chance(odd) ? at - random.pick([1_000, 5_000, 200_000]) : at)
    const frame = random.chance(combined) ? `{"stream":"${symbol.toLowerCase()}@trade","data":${plain}}` : plain
    return random.chance(odd) ? random.pick(['{', '{"e":"trade"}', frame.replace('"q":"', '"q":"-')]) : frame
  }
  return batchOf(Array.from({ length: count }, next))
}

function batchOf(values: readonly string[]): Buffer {
  return encodeRecordBatch(
    0,
    values.map((value) => ({ timestamp: firstMs, key: null, value: Buffer.from(value), headers: [] })),
  )
}

/** Nothing moves time between the trades that are fetched for a gap of two minutes and the word that it is filled. */
function framesOverGap(): Buffer {
  const trade = (symbol: string, id: number, at: number, more = '') =>
    `{"e":"trade","E":${at},"s":"${symbol}","t":${id},"p":"${id}.5","q":"1.00000000","T":${at},"m":true,"M":true${more}}`
  const trades = (symbols: readonly string[], from: number, count: number, stepMs: number) =>
    Array.from({ length: count }, (_, i) => {
      const id = Math.floor(i / symbols.length) + Math.floor(from / 1_000)
      return trade(symbols[i % symbols.length] as string, id, firstMs + from + i * stepMs)
    })
  const gap = {
    symbol: 'AUSDT',
    firstId: 2,
    lastId: 3,
    nextId: 2,
    fromTime: firstMs + 60_000,
    toTime: firstMs + 119_000,
  }
  return batchOf([
    trade('AUSDT', 1, firstMs + 59_000),
    word(gap, 'open'),
    ...trades(['BUSDT'], 60_000, 30, 5_000),
    ...[trade('AUSDT', 2, firstMs + 61_000, ',"fill":true'), trade('AUSDT', 3, firstMs + 62_000, ',"fill":true')],
    word(gap, 'filled'),
    ...trades(['AUSDT', 'BUSDT', 'CUSDT'], 210_000, 200, 1_000),
  ])
}

const ownTrade = z.object({
  market: z.literal('spot'),
  symbol: z.string(),
  price: z.number(),
  quantity: z.number(),
  tradeTime: z.int(),
  tradeId: z.int(),
  isBuyerMaker: z.boolean(),
})

/** Candles of trades of a schema of one's own, whose prices need not be counts. */
const ownCandles = (shown: OhlcvOptions) =>
  definePipeline({
    name: 'own',
    build: (records) => ({
      candles: toPostgres(
        records.pipe(
          decode(jsonCodec(ownTrade) as unknown as Codec<TradeForOhlcv>),
          eventTime({ of: field('tradeTime'), maxOutOfOrdernessMs: 2_000 }),
          tumblingWindow({ name: '1m', sizeMs: 60_000, by: field('symbol') }),
          ohlcv(shown),
        ),
        candleTable('1m'),
      ),
    }),
  })

/** Of a few symbols, at most one in five with a price that is no count. */
function ownTrades(seed: number, count: number): Buffer {
  const random = new Random(`own ${seed}`)
  const odd = random.pick([0.01, 0.2])
  const stepMs = random.pick([20, 700])
  const trades = Array.from({ length: count }, (_, i) => ({
    market: 'spot',
    symbol: `S${random.int(0, 5)}`,
    price: random.chance(odd) ? 0.5 : random.int(1, 9_999_999),
    quantity: random.int(1, 9_999_999),
    tradeTime: firstMs + i * stepMs,
    tradeId: i,
    isBuyerMaker: random.chance(0.5),
  }))
  return batchOf(trades.map((trade) => JSON.stringify(trade)))
}

const plain = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value)

afterEach(() => {
  vi.restoreAllMocks()
})

describe('candles of trades that are taken as spans', () => {
  it('are those of trades one by one, those that are open at a cut as well, and so is what is kept of them', () => {
    const taken = countTaken()
    let open = 0
    for (let seed = 0; seed < 24; seed += 1) {
      const bytes = frames(seed, 400)
      const pipeline = realtime(tradeCodec({ market: 'spot', timeUnit: 'ms' }))
      const oneByOne = run(pipeline, bytes, 1)
      for (const most of [5, 512])
        expect(run(pipeline, bytes, most), `seed ${seed}, ${most} ahead`).toStrictEqual(oneByOne)
      open += JSON.stringify(oneByOne, plain).split('"isClosed":false').length
    }
    expect(taken()).toBeGreaterThan(5_000)
    expect(open).toBeGreaterThan(500)
  })

  it('are those of trades one by one also behind a gap that is filled before time goes on', () => {
    const taken = countTaken()
    const bytes = framesOverGap()
    const pipeline = realtime(tradeCodec({ market: 'spot', timeUnit: 'ms' }))
    expect(run(pipeline, bytes, 512)).toStrictEqual(run(pipeline, bytes, 1))
    expect(taken()).toBeGreaterThan(100)
  })

  it('are those of trades one by one where candles that are shown are given what is no trade', () => {
    const taken = countTaken()
    const pipeline = ownCandles({ provisionalEveryMs: 0 })
    for (let seed = 0; seed < 24; seed += 1) {
      const bytes = ownTrades(seed, 400)
      const oneByOne = run(pipeline, bytes, 1)
      expect(JSON.stringify(oneByOne[0], plain)).toContain('"isClosed":false')
      for (const most of [5, 512])
        expect(run(pipeline, bytes, most), `seed ${seed}, ${most} ahead`).toStrictEqual(oneByOne)
    }
    expect(taken()).toBeGreaterThan(5_000)
  })

  it('give back the places of windows that were looked at and did not open', () => {
    const taken = new Map<WindowPlaces, number>()
    let all = 0
    const { take, release } = WindowPlaces.prototype
    vi.spyOn(WindowPlaces.prototype, 'take').mockImplementation(function (this: WindowPlaces, window) {
      all += 1
      taken.set(this, (taken.get(this) ?? 0) + 1)
      return take.call(this, window)
    })
    vi.spyOn(WindowPlaces.prototype, 'release').mockImplementation(function (this: WindowPlaces, at) {
      taken.set(this, (taken.get(this) ?? 0) - 1)
      release.call(this, at)
    })
    // A window that opens has something to say of itself there, so a span ends before it.
    const pipeline = ownCandles({ early: { everyMs: 10_000 } })
    for (let seed = 0; seed < 24; seed += 1) run(pipeline, ownTrades(seed, 400), 512)
    // Six symbols, of each of which one window is open as time goes on.
    expect(Math.max(...taken.values())).toBeLessThan(9)
    expect(all).toBeGreaterThan(500)
  })
})

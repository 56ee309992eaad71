import { afterEach, describe, expect, it, vi } from 'vitest'
import { gapFrame } from '../../../src/market/feedGap.ts'
import { tradeCodec } from '../../../src/market/tradeCodec.ts'
import { realtime } from '../../../src/pipelines/realtime.ts'
import { encodeRecordBatch } from '../../../src/sources/recordBatch/encode.ts'
import { Random } from '../../../src/testing/random.ts'
import { countTaken, run } from './runCuts.ts'

const firstMs = 1_723_161_600_000

/** Trades of some symbols, bare and combined, in turns or in runs of a symbol: some again, some late, some whose amounts are beyond a double, and here and there what is no trade. */
function frames(seed: number, count: number): Buffer {
  const random = new Random(`candles ${seed}`)
  const symbols = ['AUSDT', 'BUSDT', 'CUSDT', 'DUSDT'].slice(0, random.int(1, 4))
  const stays = random.pick([0, 0.9])
  const odd = random.pick([0, 0.03])
  const combined = random.pick([0, 0.5, 1])
  const stepMs = random.pick([20, 700])
  const ids = new Map<string, number>()
  let at = firstMs
  let symbol = symbols[0] as string
  const records = Array.from({ length: count }, () => {
    if (!random.chance(stays)) symbol = random.pick(symbols)
    at += random.int(0, stepMs)
    const id = (ids.get(symbol) ?? 0) + (random.chance(odd) ? random.pick([0, 2]) : 1)
    ids.set(symbol, id)
    const time = random.chance(odd) ? at - random.pick([1_000, 5_000, 200_000]) : at
    const amount = () =>
      `${random.chance(odd) ? 90_000_000 : random.int(1, 70_000)}.${10_000_000 + random.int(0, 9_999_999)}`
    const trade = `{"e":"trade","E":${time},"s":"${symbol}","t":${id},"p":"${amount()}","q":"${amount()}","T":${time},"m":${random.chance(0.5)},"M":true}`
    const frame = random.chance(combined) ? `{"stream":"${symbol.toLowerCase()}@trade","data":${trade}}` : trade
    const text = random.chance(odd) ? random.pick(['{', '{"e":"trade"}', frame.replace('"q":"', '"q":"-')]) : frame
    return { timestamp: at, key: null, value: Buffer.from(text), headers: [] }
  })
  return encodeRecordBatch(0, records)
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
  const gap = (state: 'open' | 'filled', revision: number) =>
    gapFrame({
      ...{ type: 'gap', market: 'spot', symbol: 'AUSDT', epoch: 0, firstId: 2, lastId: 3, state, revision },
      ...{ fromTime: firstMs + 60_000, toTime: firstMs + 119_000, missing: 3 - revision, reason: '' },
      ...{ seenAt: firstMs + 200_000, at: firstMs + 200_000 },
    }).toString()
  const values = [
    trade('AUSDT', 1, firstMs + 59_000),
    gap('open', 1),
    ...trades(['BUSDT'], 60_000, 30, 5_000),
    ...[trade('AUSDT', 2, firstMs + 61_000, ',"fill":true'), trade('AUSDT', 3, firstMs + 62_000, ',"fill":true')],
    gap('filled', 2),
    ...trades(['AUSDT', 'BUSDT', 'CUSDT'], 210_000, 200, 1_000),
  ]
  return encodeRecordBatch(
    0,
    values.map((value) => ({ timestamp: firstMs, key: null, value: Buffer.from(value), headers: [] })),
  )
}

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
      open += JSON.stringify(oneByOne, (_, value) => (typeof value === 'bigint' ? String(value) : value)).split(
        '"isClosed":false',
      ).length
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
})

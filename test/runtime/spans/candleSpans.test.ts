import { afterEach, describe, expect, it, vi } from 'vitest'
import { tradeCodec } from '../../../src/market/tradeCodec.ts'
import { realtime } from '../../../src/pipelines/realtime.ts'
import { encodeRecordBatch } from '../../../src/sources/recordBatch/encode.ts'
import { Random } from '../../../src/testing/random.ts'
import { countTaken, run } from './runCuts.ts'

/** Trades of some symbols, bare and combined, in turns or in runs of a symbol: some again, some late, some whose amounts are beyond a double, and here and there what is no trade. */
function frames(seed: number, count: number): Buffer {
  const random = new Random(`candles ${seed}`)
  const symbols = ['AUSDT', 'BUSDT', 'CUSDT', 'DUSDT'].slice(0, random.int(1, 4))
  const stays = random.pick([0, 0.9])
  const odd = random.pick([0, 0.03])
  const combined = random.pick([0, 0.5, 1])
  const stepMs = random.pick([20, 700])
  const ids = new Map<string, number>()
  let at = 1_723_161_600_000
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
})

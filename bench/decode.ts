import { existsSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { INVALID, tradeCodec } from '../src/market/tradeCodec.ts'

const tape = new URL('../../shared/data/spot-btcusdt-2024-08-08/frames.trades.jsonl.gz', import.meta.url)
const rounds = 9

/** Frames as they lie in a record batch: one after the other in one buffer. */
function frames(): { buffer: Buffer; starts: number[] } {
  const buffer = existsSync(tape) ? gunzipSync(readFileSync(tape)) : Buffer.from(generated())
  const starts = [0]
  for (let at = buffer.indexOf(10); at >= 0; at = buffer.indexOf(10, at + 1)) starts.push(at + 1)
  if (starts.at(-1) !== buffer.length) starts.push(buffer.length + 1)
  return { buffer, starts }
}

function generated(): string {
  const lines: string[] = []
  for (let index = 0; index < 20_000; index += 1) {
    const time = 1_723_161_255_342 + index * 30
    const price = (61_837 + ((index * 37) % 100) / 100).toFixed(8)
    lines.push(
      `{"stream":"btcusdt@trade","data":{"e":"trade","E":${time + 1},"s":"BTCUSDT","t":${3_735_683_259 + index},` +
        `"p":"${price}","q":"0.02000000","T":${time},"m":${index % 2 === 0},"M":true}}\n`,
    )
  }
  return lines.join('')
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] as number
}

/** Nanoseconds a trade, in place and by JSON.parse with zod: the median of nine rounds over one tape. */
export function benchDecode(): { decode_ns: number; json_zod_ns: number } {
  const { buffer, starts } = frames()
  const codec = tradeCodec({ market: 'spot', timeUnit: 'ms' })
  const count = starts.length - 1
  const measure = (decode: (start: number, end: number) => unknown, repeats: number): number => {
    const times: number[] = []
    for (let round = 0; round < rounds; round += 1) {
      const from = performance.now()
      for (let repeat = 0; repeat < repeats; repeat += 1) {
        for (let index = 0; index < count; index += 1) {
          const value = decode(starts[index] as number, (starts[index + 1] as number) - 1)
          if (value === INVALID || value === undefined) throw new Error(`frame ${index} did not decode`)
        }
      }
      times.push(((performance.now() - from) * 1e6) / (count * repeats))
    }
    return Math.round(median(times))
  }
  return {
    decode_ns: measure((start, end) => codec.decodeFast(buffer, start, end), 10),
    json_zod_ns: measure((start, end) => codec.interpret(buffer, start, end), 1),
  }
}

if (import.meta.main) console.log(JSON.stringify(benchDecode()))

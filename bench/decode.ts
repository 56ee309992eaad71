import { existsSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { z } from 'zod'
import { type FrameColumns, frameColumns } from '../src/codecs/frameColumns.ts'
import { jsonCodec } from '../src/codecs/jsonCodec.ts'
import { ReaderColumns } from '../src/codecs/readerColumns.ts'
import { fixed8Schema } from '../src/exact/fixed8Schema.ts'
import { INVALID, tradeCodec } from '../src/market/tradeCodec.ts'
import { mostAhead } from '../src/runtime/log/readAhead.ts'

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

/** The fields of a trade frame that make a candle, as a stranger to the market would write them down. */
const frameSchema = z.object({
  stream: z.string(),
  data: z.object({
    e: z.literal('trade'),
    E: z.int(),
    s: z.string(),
    t: z.int(),
    p: fixed8Schema,
    q: fixed8Schema,
    T: z.int(),
    m: z.boolean(),
  }),
})

/** Nanoseconds a trade, and how many times faster in place than by JSON.parse with zod. */
interface DecodeBench {
  /** The market's own codec. */
  readonly decode_ns: number
  readonly json_zod_ns: number
  readonly ratio: number
  /** `jsonCodec` of a schema of the same frames. */
  readonly json_codec_ns: number
  readonly json_codec_zod_ns: number
  readonly json_codec_ratio: number
  /** The same frames into columns, many in a call: by WebAssembly, and by the reader that serves where there is none. */
  readonly columns_ns: number
  readonly reader_columns_ns: number
}

/** The median of nine rounds over one tape. */
export function benchDecode(): DecodeBench {
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
  const json = jsonCodec(frameSchema)
  const decode_ns = measure((start, end) => codec.decodeFast(buffer, start, end), 10)
  const json_zod_ns = measure((start, end) => codec.interpret(buffer, start, end), 1)
  const json_codec_ns = measure((start, end) => json.readInPlace(buffer, start, end), 10)
  const json_codec_zod_ns = measure((start, end) => json.interpret(buffer, start, end), 1)
  const columns_ns = measureColumns(frameColumns(frameSchema, mostAhead), buffer, starts)
  const reader_columns_ns = measureColumns(new ReaderColumns(frameSchema, mostAhead), buffer, starts)
  const ratio = Math.round((10 * json_zod_ns) / decode_ns) / 10
  const json_codec_ratio = Math.round((10 * json_codec_zod_ns) / json_codec_ns) / 10
  const one = { decode_ns, json_zod_ns, ratio, json_codec_ns, json_codec_zod_ns, json_codec_ratio }
  return { ...one, columns_ns, reader_columns_ns }
}

function measureColumns(columns: FrameColumns, buffer: Buffer, starts: readonly number[]): number {
  const count = starts.length - 1
  const places = Int32Array.from(starts.slice(0, count))
  const lengths = places.map((start, index) => (starts[index + 1] as number) - 1 - start)
  const times: number[] = []
  for (let round = 0; round < 5 * rounds; round += 1) {
    const from = performance.now()
    for (let first = 0; first < count; first += mostAhead) {
      const last = Math.min(first + mostAhead, count)
      columns.read(buffer, places.subarray(first, last), lengths.subarray(first, last), 0, last - first)
      if (columns.layouts.subarray(0, last - first).includes(0)) throw new Error(`a frame behind ${first} was not read`)
    }
    times.push(((performance.now() - from) * 1e6) / count)
  }
  return Math.round(median(times))
}

if (import.meta.main) console.log(JSON.stringify(benchDecode()))

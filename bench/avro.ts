import avsc from 'avsc'
import { avroCodec } from '../src/codecs/avro/avroCodec.ts'
import { Rejection } from '../src/runtime/log/codec.ts'
import { RecordView } from '../src/runtime/log/record.ts'

const rounds = 9
const count = 20_000

const schema = {
  type: 'record',
  name: 'Trade',
  fields: [
    { name: 'symbol', type: 'string' },
    { name: 'id', type: 'long' },
    { name: 'at', type: 'long' },
    { name: 'price', type: 'double' },
    { name: 'quantity', type: 'double' },
    { name: 'isBuyerMaker', type: 'boolean' },
    { name: 'note', type: ['null', 'string'] },
  ],
}
/** Another order, a field gone, one new, one promoted. */
const evolved = {
  ...schema,
  fields: [
    { name: 'venue', type: 'string', default: 'spot' },
    ...schema.fields.filter(({ name }) => name !== 'note').reverse(),
  ],
}

/** Nanoseconds a record. */
interface AvroBench {
  readonly avro_decode_ns: number
  /** Into a reader's schema that differs. */
  readonly avro_evolve_ns: number
  /** What `prepare` costs where the schema is there. */
  readonly avro_prepare_ns: number
  readonly avro_encode_ns: number
  /** The same values by avsc, which does not look at what hostile bytes ask for. */
  readonly avsc_decode_ns: number
  readonly avsc_encode_ns: number
}

/** The median of nine rounds over records of one buffer. */
export async function benchAvro(): Promise<AvroBench> {
  const registry = {
    schemaById: async () => ({ type: 'AVRO' as const, schema: JSON.stringify(schema), references: [] }),
  }
  const same = avroCodec({ registry, schema, schemaId: 1 })
  const other = avroCodec({ registry, schema: evolved })
  const values = Array.from({ length: count }, (_, i) => ({
    symbol: `SYM${i % 50}USDT`,
    id: 3_735_683_259 + i,
    at: 1_723_161_255_342 + 30 * i,
    price: 61_837 + ((i * 37) % 100) / 100,
    quantity: 0.02,
    isBuyerMaker: i % 2 === 0,
    note: i % 4 === 0 ? 'a note' : null,
  }))
  const frames = values.map((value) => same.encode(value))
  const record = new RecordView()
  record.buffer = Buffer.concat(frames)
  const starts = [0]
  for (const frame of frames) starts.push((starts.at(-1) as number) + frame.length)
  const at = (index: number): RecordView => {
    record.valueStart = starts[index] as number
    record.valueLength = (starts[index + 1] as number) - record.valueStart
    return record
  }
  for (const codec of [same, other]) await codec.prepare(at(0))
  const type = avsc.Type.forSchema(schema as avsc.Schema)
  const bodies = frames.map((frame) => frame.subarray(5))
  return {
    avro_decode_ns: measure((i) => same.decode(at(i))),
    avro_evolve_ns: measure((i) => other.decode(at(i))),
    avro_prepare_ns: measure((i) => same.prepare(at(i)) ?? i),
    avro_encode_ns: measure((i) => same.encode(values[i] as never)),
    avsc_decode_ns: measure((i) => type.fromBuffer(bodies[i] as Buffer)),
    avsc_encode_ns: measure((i) => type.toBuffer(values[i])),
  }
}

function measure(act: (index: number) => unknown): number {
  const times: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const from = performance.now()
    for (let index = 0; index < count; index += 1) {
      const value = act(index)
      if (value === undefined || value instanceof Rejection) throw new Error(`record ${index} did not go through`)
    }
    times.push(((performance.now() - from) * 1e6) / count)
  }
  return Math.round(times.sort((a, b) => a - b)[rounds >> 1] as number)
}

if (import.meta.main) console.log(JSON.stringify(await benchAvro()))

import './runtime/checkNode.ts'

export {
  type AvroCodec,
  type AvroCodecOptions,
  type AvroCodecOptionsWithZod,
  avroCodec,
} from './codecs/avro/avroCodec.ts'
export type { AvroValue } from './codecs/avro/avroValue.ts'

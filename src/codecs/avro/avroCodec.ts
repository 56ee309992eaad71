import { z } from 'zod'
import { ConfigurationError } from '../../runtime/errors.ts'
import { Rejection } from '../../runtime/log/codec.ts'
import type { RecordView } from '../../runtime/log/record.ts'
import { checkOptions, needed, type OptionRules, optional } from '../../runtime/options.ts'
import { boundedDetail } from '../boundedDetail.ts'
import { isOneWay } from '../innerSchemas.ts'
import { misfitTeller } from '../misfit.ts'
import { PreparedSchemas } from '../registry/preparedSchemas.ts'
import { frameHeaderBytes, schemaIdOf, writeFrameHeader } from '../registry/schemaFrame.ts'
import type { RegisteredSchema, SchemaRegistry } from '../registry/schemaRegistry.ts'
import type { TwoWayCodec } from '../twoWayCodec.ts'
import { noBytes } from '../utf8.ts'
import { aZodSchema } from '../zodSchemaRule.ts'
import { AvroCursor, AvroMisfit } from './avroCursor.ts'
import { incompatible, type Read, resolve } from './avroReader.ts'
import { AvroSink } from './avroSink.ts'
import type { AvroType } from './avroType.ts'
import type { AvroValue } from './avroValue.ts'
import { writerOf } from './avroWriter.ts'
import { checkDefaults } from './defaultValue.ts'
import type { LongValues } from './logicalValues.ts'
import { parseSchema, SchemaError } from './parseSchema.ts'

/** How Avro is read and written. */
export interface AvroCodecOptions {
  /** Where the schemas are by which records were written. */
  readonly registry: SchemaRegistry
  /**
   * The schema that the pipeline wants, as JSON text or as what JSON.parse makes of it: whatever schema a record was written by, its value has this shape. Left out, a
   * value has the shape of the schema that wrote it. Needed to write.
   */
  readonly schema?: string | object
  /** What a long becomes. `number`, if left out: one beyond 2^53 is rejected (`inexact-long`), never rounded. `bigint`: always a bigint. */
  readonly longs?: LongValues
  /** The id under which the registry has `schema`, for writing without `register`. */
  readonly schemaId?: number
}

/** The same with a zod schema, which the values must fit; its output is what the pipeline gets. */
export interface AvroCodecOptionsWithZod<T> extends AvroCodecOptions {
  /** The values of the input; its output is what the codec gives. May transform, but not wait. */
  readonly zod: z.ZodType<T>
}

const rules: OptionRules<AvroCodecOptions & { readonly zod?: z.ZodType }> = {
  registry: needed.such(
    'a schema registry, such as confluentRegistry(…) makes',
    (value) => typeof value === 'object' && value !== null && 'schemaById' in value,
  ),
  schema: optional.such('JSON text or an object', (value) => typeof value === 'string' || typeof value === 'object'),
  longs: optional.oneOf('number', 'bigint'),
  schemaId: optional.number,
  zod: { ...aZodSchema, isNeeded: false },
}

/**
 * Reads and writes Avro in the frame of Confluent's schema registry: a zero byte, the id of the schema that wrote it, the body.
 *
 * A worker waits for the schema of an id that it has not met (`RetryableError` while the registry is out of reach), once an id. Values come by the rules of schema resolution,
 * into `schema` where one is given: fields in another order, gone, or new with a default, promoted types, aliases. Nothing is rounded: a decimal is text with all its digits,
 * a timestamp or a time of day a number in its own unit (nanoseconds a bigint), a date the number of days since 1970-01-01. Without `zod` the type is `AvroValue`, for a schema
 * in a registry is no type of the program; with it, what zod's schema gives.
 *
 * Rejects a record without a value (`no-value`; see `orNull`), a frame or a body that is not as it should be (`malformed`, also for what does not fit zod's schema), an id that
 * the registry does not know (`unknown-schema`; it is asked again after 30 seconds), a schema that cannot be read or not into `schema` (`incompatible-schema`), and a long
 * beyond 2^53 (`inexact-long`). Keeps 1,000 schemas, those met last, and reads no more than 64 levels deep.
 * @throws ConfigurationError on a schema that is none of Avro's
 */
export function avroCodec<T>(options: AvroCodecOptionsWithZod<T>): AvroCodec<T>
export function avroCodec(options: AvroCodecOptions): AvroCodec<AvroValue>
export function avroCodec(options: AvroCodecOptions & { readonly zod?: z.ZodType }): AvroCodec<unknown> {
  checkOptions('avroCodec', options, rules)
  return new AvroCodec(options)
}

/** A codec of Avro, from `avroCodec`. */
export class AvroCodec<T> implements TwoWayCodec<T> {
  readonly #registry: SchemaRegistry
  readonly #longs: LongValues
  readonly #schema: { readonly text: string; readonly type: AvroType } | null
  readonly #readers: PreparedSchemas<Read | Rejection>
  readonly #cursor = new AvroCursor()
  readonly #sink = new AvroSink()
  readonly #write: ((sink: AvroSink, value: unknown) => void) | null
  readonly #zod: z.ZodType<T> | null
  readonly #misfitOf: ReturnType<typeof misfitTeller> | null
  readonly #isOneWay: boolean
  #schemaId: number | null

  /** See `avroCodec`. */
  constructor({ registry, schema, longs = 'number', schemaId, zod }: AvroCodecOptions & { zod?: z.ZodType<T> }) {
    this.#registry = registry
    this.#longs = longs
    this.#schema = schema === undefined ? null : ownSchema(schema, longs)
    this.#readers = new PreparedSchemas(registry, (found) => this.#readerOf(found))
    this.#write = this.#schema === null ? null : writerOf(this.#schema.type)
    this.#zod = zod ?? null
    this.#misfitOf = zod === undefined ? null : misfitTeller(zod)
    this.#isOneWay = zod !== undefined && isOneWay(zod)
    if (schemaId !== undefined && !(Number.isInteger(schemaId) && schemaId > 0 && schemaId < 2 ** 31)) {
      throw new ConfigurationError(`avroCodec: schemaId must be a positive integer of 32 bits, got ${schemaId}`)
    }
    this.#schemaId = schemaId ?? null
  }

  /** Fetches the schema of the record where it has not been met. Rejects with `RetryableError` while the registry is out of reach. */
  prepare(record: RecordView): Promise<void> | undefined {
    return this.#readers.prepare(record)
  }

  decode(record: RecordView): T | Rejection {
    if (record.valueLength < 0) return noBytes()
    const id = schemaIdOf(record)
    if (typeof id === 'string') return new Rejection('malformed', id)
    const read = this.#readers.get(id)
    if (read === null) return new Rejection('unknown-schema', `the registry does not know schema ${id}`)
    if (read instanceof Rejection) return read
    const value = this.#read(read, record)
    if (value instanceof Rejection || this.#zod === null) return value as T | Rejection
    return this.#checked(value)
  }

  /**
   * The frame of a value, written by `schema`. A union takes the first branch that holds the value exactly.
   *
   * Throws TypeError for what is no value of the schema, and ConfigurationError where the codec has no schema, or the registry has not said its id: `await
   * codec.register('orders-value')` first, or give `schemaId`.
   */
  encode(value: T): Buffer {
    const [write, id] = [this.#write, this.#schemaId]
    if (write === null || id === null) {
      throw new ConfigurationError(
        write === null
          ? 'avroCodec: to write it needs a schema'
          : `avroCodec: the id of its schema is not known; await codec.register('…-value') before the pipeline is run, or give schemaId`,
      )
    }
    if (this.#isOneWay) {
      throw new ConfigurationError(
        'avroCodec: a zod schema with a transform cannot be written; use z.codec for both ways',
      )
    }
    const sink = this.#sink
    sink.start()
    try {
      write(sink, this.#encoded(value))
    } catch (error) {
      throw error instanceof TypeError ? new TypeError(`avroCodec: ${error.message}`) : error
    }
    const bytes = sink.take()
    writeFrameHeader(bytes, id)
    return bytes
  }

  /**
   * Has the registry keep the schema under the subject (by custom the topic with `-value` or `-key`) and uses the id that it gives, a number from 1 on. To be awaited before anything is written.
   *
   * Rejects with `RetryableError` while the registry is out of reach, and with `ConfigurationError` where it refuses the schema or there is none.
   */
  async register(subject: string): Promise<number> {
    if (this.#schema === null) throw new ConfigurationError('avroCodec: there is no schema to register')
    if (this.#registry.register === undefined) {
      throw new ConfigurationError('avroCodec: this registry registers nothing; give schemaId')
    }
    this.#schemaId = await this.#registry.register(subject, { type: 'AVRO', schema: this.#schema.text })
    return this.#schemaId
  }

  #readerOf({ type, schema, references }: RegisteredSchema): Read | Rejection {
    if (type !== 'AVRO') return new Rejection(incompatible, `the registry has a schema of type ${type} there`)
    try {
      const writer = parseSchema(schema, references)
      return resolve(writer, this.#schema?.type ?? writer, this.#longs).read
    } catch (error) {
      if (!(error instanceof SchemaError)) throw error
      return new Rejection(incompatible, boundedDetail(error.message))
    }
  }

  #read(read: Read, { buffer, valueStart, valueLength }: RecordView): AvroValue | Rejection {
    const cursor = this.#cursor
    const end = valueStart + valueLength
    cursor.open(buffer, valueStart + frameHeaderBytes, end)
    try {
      const value = read(cursor)
      if (cursor.at === end) return value
      return new Rejection('malformed', `${end - cursor.at} bytes follow the value`)
    } catch (error) {
      if (!(error instanceof AvroMisfit)) throw error
      return new Rejection(error.reason, boundedDetail(error.message))
    }
  }

  #checked(value: AvroValue): T | Rejection {
    try {
      const result = (this.#zod as z.ZodType<T>).safeParse(value)
      return result.success ? result.data : new Rejection('malformed', this.#misfitOf?.(result.error) ?? '')
    } catch (error) {
      if (error instanceof z.core.$ZodAsyncError) {
        throw new ConfigurationError('avroCodec: a zod schema must not be asynchronous (refinements, transforms)')
      }
      throw error
    }
  }

  /** What zod's schema was made of. */
  #encoded(value: T): unknown {
    if (this.#zod === null) return value
    const result = z.safeEncode(this.#zod, value)
    if (result.success) return result.data
    throw new TypeError(this.#misfitOf?.(result.error))
  }
}

function ownSchema(schema: string | object, longs: LongValues): { text: string; type: AvroType } {
  const text = typeof schema === 'string' ? schema : JSON.stringify(schema)
  try {
    const type = parseSchema(text)
    checkDefaults(type, longs)
    return { text, type }
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error
    throw new ConfigurationError(`avroCodec: the schema is none of Avro's: ${error.message}`)
  }
}

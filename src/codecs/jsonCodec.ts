import { z } from 'zod'
import { ConfigurationError } from '../runtime/errors.ts'
import { type Lender, Rejection } from '../runtime/log/codec.ts'
import type { RecordFacts, RecordView } from '../runtime/log/record.ts'
import { checkArgument } from '../runtime/options.ts'
import { isOneWay } from './innerSchemas.ts'
import { JsonLender } from './jsonLender.ts'
import { isTooDeep } from './jsonText.ts'
import { misfitTeller } from './misfit.ts'
import { ObjectBuilder } from './objectBuilder.ts'
import { SchemaReader } from './schemaReader.ts'
import type { TwoWayCodec } from './twoWayCodec.ts'
import { noBytes, utf8Text } from './utf8.ts'
import { aZodSchema } from './zodSchemaRule.ts'

/**
 * Reads and writes JSON of a zod schema, one value a record, in UTF-8.
 *
 * Rejects a record without a value (`no-value`; `orNull(jsonCodec(…))` gives null instead, also where the schema is nullable, which is about the JSON text
 * `null`), bytes that are not UTF-8 (`not-utf8`), text that is not JSON (`not-json`) and JSON that does not fit the schema (`malformed`, with zod's first words on
 * where and what, and nothing of the record save what messages of your own put there). Objects of strings, numbers, booleans and the like are read straight from
 * their bytes, several times faster than by JSON.parse and zod, with the same result: `JsonCodec.slowBecause` says whether. Keeps up to about 2 MB
 * of strings a text field, so that a repeated one is made once.
 *
 * A schema may transform (to undefined: the record is passed over), but not wait: decode throws ConfigurationError at an asynchronous refinement or transform, and passes on what a refinement or
 * transform of your own throws, which the operator sets aside as `failed`. Refinements must depend on the value alone.
 * @throws ConfigurationError on what is no schema of zod
 */
export function jsonCodec<T>(schema: z.ZodType<T>): JsonCodec<T> {
  checkArgument('jsonCodec', 'its first argument', schema, aZodSchema)
  return new JsonCodec(schema)
}

/** A codec of one zod schema, from `jsonCodec`. Keeps the newest buffer that it has read until the next. */
export class JsonCodec<T> implements TwoWayCodec<T> {
  /** Which part of the schema keeps records from being read in place, so that JSON.parse and zod read them all; null where nothing does. */
  readonly slowBecause: string | null
  private readonly schema: z.ZodType<T>
  private readonly reader: SchemaReader
  private readonly builder: ObjectBuilder | null
  private readonly misfitOf: ReturnType<typeof misfitTeller>
  private readonly isOneWay: boolean

  constructor(schema: z.ZodType<T>) {
    this.schema = schema
    this.reader = new SchemaReader(schema)
    this.slowBecause = this.reader.unsupported
    const { root } = this.reader
    this.builder = root === null ? null : new ObjectBuilder(root, this.reader)
    this.misfitOf = misfitTeller(schema)
    this.isOneWay = isOneWay(schema)
  }

  /** Reads many records at once; undefined where records are not read in place, and for a codec that is made of this one and has a `decode` of its own. */
  get lender(): ((rows: number) => Lender<T>) | undefined {
    const { schema, reader } = this
    const { root } = reader
    if (root === null || this.decode !== JsonCodec.prototype.decode) return undefined
    return (rows) => new JsonLender(schema, root, rows)
  }

  decode(record: RecordView, facts?: RecordFacts): T | Rejection {
    if (record.valueLength < 0) return noBytes()
    const end = record.valueStart + record.valueLength
    const value = this.readInPlace(record.buffer, record.valueStart, end)
    if (value === undefined) return this.interpret(record.buffer, record.valueStart, end)
    if (facts !== undefined) facts.isJsonObject = true
    return value
  }

  /**
   * The JSON of a value, its fields in the order of the schema.
   *
   * Throws TypeError for a value that does not fit the schema, or that JSON cannot hold, and ConfigurationError where the schema has a transform, which has no way
   * back; `z.codec` has one.
   */
  encode(value: T): Buffer {
    if (this.isOneWay) {
      throw new ConfigurationError('jsonCodec: a schema with a transform cannot be written; use z.codec for both ways.')
    }
    const result = z.safeEncode(this.schema, value)
    if (!result.success) throw new TypeError(`jsonCodec: ${this.misfitOf(result.error)}`)
    return Buffer.from(JSON.stringify(result.data))
  }

  /** What the bytes at `[start, end)` of a buffer say, read where they lie; undefined where only `interpret` can tell. Places are in bytes. */
  readInPlace(buffer: Buffer, start: number, end: number): T | undefined {
    const { reader, builder } = this
    if (builder === null) return undefined
    if (!reader.readKnown(buffer, start, end) && !reader.learn(buffer, start, end)) return undefined
    return builder.build() as T
  }

  /** What the bytes at `[start, end)` of a buffer say by JSON.parse and zod. Slow; it alone explains what is wrong. Places are in bytes. */
  interpret(buffer: Buffer, start: number, end: number): T | Rejection {
    const text = utf8Text(buffer, start, end)
    if (text instanceof Rejection) return text
    if (isTooDeep(buffer, start, end)) return new Rejection('malformed', `nested too deep, ${end - start} bytes`)
    let json: unknown
    try {
      json = JSON.parse(text)
    } catch {
      // The message would quote the text.
      return new Rejection('not-json', `not JSON, ${end - start} bytes`)
    }
    try {
      const result = this.schema.safeParse(json)
      return result.success ? result.data : new Rejection('malformed', this.misfitOf(result.error))
    } catch (error) {
      if (error instanceof z.core.$ZodAsyncError) {
        throw new ConfigurationError(
          'jsonCodec: a schema with an asynchronous refinement or transform cannot decode.',
          {
            cause: error,
          },
        )
      }
      // A schema that contains itself follows the value down, and the stack ends somewhere.
      if (error instanceof RangeError && error.message.includes('call stack'))
        return new Rejection('malformed', `nested too deep, ${end - start} bytes`)
      throw error
    }
  }
}

import { maxDepth } from './avroCursor.ts'
import type { AvroSink } from './avroSink.ts'
import {
  type AvroType,
  type FixedType,
  type LogicalType,
  labelOf,
  type PrimitiveType,
  type RecordType,
} from './avroType.ts'
import { bytesOfUnscaled, unscaledOfText } from './decimalText.ts'

/** Writes values of one type. */
interface Writer {
  /** Whether `write` would take the value: what it makes is read as the same value again. */
  readonly fits: (value: unknown, depth: number) => boolean
  /** Only for what fits, save a part of a value that is never asked twice: throws TypeError where it does not. */
  readonly write: (sink: AvroSink, value: unknown, depth: number) => void
}

const maxLong = 2n ** 63n

/**
 * Writes values of the type to the sink. A union takes the first branch that holds the value exactly. Throws TypeError, free of the value, for what is no value of
 * the type, or would not be the same when it is read again.
 */
export function writerOf(type: AvroType): (sink: AvroSink, value: unknown) => void {
  const { write } = new Writers().of(type)
  return (sink, value) => write(sink, value, 0)
}

class Writers {
  readonly #made = new Map<AvroType, Writer>()

  of(type: AvroType): Writer {
    const made = this.#made.get(type)
    if (made !== undefined) return made
    let writer: Writer | null = null
    // In the place of a record that is its own part, until it is made.
    this.#made.set(type, {
      fits: (value, depth) => writer?.fits(value, depth) === true,
      write: (sink, value, depth) => writer?.write(sink, value, depth),
    })
    writer = this.#make(type)
    this.#made.set(type, writer)
    return writer
  }

  #make(type: AvroType): Writer {
    switch (type.kind) {
      case 'record':
        return this.#record(type)
      case 'enum': {
        const places = new Map<unknown, number>(type.symbols.map((symbol, i) => [symbol, i]))
        return leaf(
          type,
          (value) => places.get(value),
          (sink, place) => sink.long(place),
        )
      }
      case 'array': {
        const items = this.of(type.items)
        return {
          fits: (value, depth) =>
            Array.isArray(value) && depth < maxDepth && value.every((item) => items.fits(item, depth + 1)),
          write(sink, value, depth) {
            if (!Array.isArray(value)) throw misfit(type)
            goDeeper(depth)
            if (value.length > 0) sink.long(value.length)
            value.forEach((item, i) => {
              at(String(i), () => items.write(sink, item, depth + 1))
            })
            sink.byte(0)
          },
        }
      }
      case 'map': {
        const values = this.of(type.values)
        return {
          fits: (value, depth) =>
            isObject(value) &&
            depth < maxDepth &&
            Object.entries(value).every(([key, one]) => key.isWellFormed() && values.fits(one, depth + 1)),
          write(sink, value, depth) {
            if (!isObject(value)) throw misfit(type)
            goDeeper(depth)
            const entries = Object.entries(value)
            if (entries.length > 0) sink.long(entries.length)
            for (const [key, one] of entries) {
              if (!key.isWellFormed()) throw new TypeError('a key with half a surrogate pair')
              sink.text(key)
              at('*', () => values.write(sink, one, depth + 1))
            }
            sink.byte(0)
          },
        }
      }
      case 'union': {
        const branches = type.branches.map((branch) => this.of(branch))
        return {
          fits: (value, depth) => branches.some((branch) => branch.fits(value, depth)),
          write(sink, value, depth) {
            const place = branches.findIndex((branch) => branch.fits(value, depth))
            const branch = branches[place]
            if (branch === undefined) throw misfit(type, type.branches.map(labelOf).join(', '))
            sink.long(place)
            branch.write(sink, value, depth)
          },
        }
      }
      default:
        return leafWriter(type)
    }
  }

  #record(type: RecordType): Writer {
    const fields = type.fields.map((field) => ({ name: field.name, writer: this.of(field.type) }))
    const names = new Set(fields.map(({ name }) => name))
    const strange = (value: object) => Object.keys(value).find((key) => !names.has(key))
    return {
      fits: (value, depth) =>
        isObject(value) &&
        depth < maxDepth &&
        strange(value) === undefined &&
        fields.every(({ name, writer }) => writer.fits(value[name], depth + 1)),
      write(sink, value, depth) {
        if (!isObject(value)) throw misfit(type)
        goDeeper(depth)
        if (strange(value) !== undefined) throw new TypeError(`${labelOf(type)} has no room for a field of the value`)
        for (const { name, writer } of fields) at(name, () => writer.write(sink, value[name], depth + 1))
      },
    }
  }
}

function leafWriter(type: PrimitiveType | FixedType): Writer {
  switch (type.kind) {
    case 'null':
      return leaf(
        type,
        (value) => (value === null ? 0 : undefined),
        () => undefined,
      )
    case 'boolean':
      return leaf(
        type,
        (value) => (typeof value === 'boolean' ? value : undefined),
        (sink, value) => sink.byte(value ? 1 : 0),
      )
    case 'int':
      return leaf(
        type,
        (value) => (typeof value === 'number' && (value | 0) === value ? value : undefined),
        (sink, value) => sink.long(value),
      )
    case 'long':
      return leaf(type, longOf, (sink, value) => sink.long(value))
    case 'float':
      return leaf(
        type,
        (value) => (typeof value === 'number' && Object.is(Math.fround(value), value) ? value : undefined),
        (sink, value) => sink.float(value),
      )
    case 'double':
      return leaf(
        type,
        (value) => (typeof value === 'number' ? value : undefined),
        (sink, value) => sink.double(value),
      )
    case 'string':
      return leaf(
        type,
        (value) => (typeof value === 'string' && value.isWellFormed() ? value : undefined),
        (sink, value) => sink.text(value),
      )
    case 'bytes':
      return leaf(
        type,
        (value) => bytesOf(value, type.logical, undefined),
        (sink, bytes) => {
          sink.long(bytes.length)
          sink.bytes(bytes)
        },
      )
    case 'fixed':
      return leaf(
        type,
        (value) => bytesOf(value, type.logical, type.size),
        (sink, bytes) => sink.bytes(bytes),
      )
  }
}

/** @param accept what is written of the value, or undefined where it is none of the type */
function leaf<T>(
  type: AvroType,
  accept: (value: unknown) => T | undefined,
  write: (sink: AvroSink, accepted: T) => void,
): Writer {
  return {
    fits: (value) => accept(value) !== undefined,
    write(sink, value) {
      const accepted = accept(value)
      if (accepted === undefined) throw misfit(type)
      write(sink, accepted)
    },
  }
}

function longOf(value: unknown): number | bigint | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : undefined
  return typeof value === 'bigint' && value >= -maxLong && value < maxLong ? value : undefined
}

function bytesOf(value: unknown, logical: LogicalType | null, size: number | undefined): Uint8Array | undefined {
  if (logical?.name === 'decimal') {
    if (typeof value !== 'string') return undefined
    const unscaled = unscaledOfText(value, logical.precision, logical.scale)
    return unscaled === undefined ? undefined : bytesOfUnscaled(unscaled, size)
  }
  if (logical?.name === 'uuid') {
    const isUuid = typeof value === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value)
    return isUuid ? Buffer.from(value.replaceAll('-', ''), 'hex') : undefined
  }
  return value instanceof Uint8Array && (size === undefined || value.length === size) ? value : undefined
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
}

function goDeeper(depth: number): void {
  if (depth >= maxDepth) throw new TypeError(`nested deeper than ${maxDepth} levels`)
}

function misfit(type: AvroType, what = labelOf(type)): TypeError {
  return new TypeError(`not a value of ${what}`)
}

/** Says in which part of the value it was. */
function at(part: string, write: () => void): void {
  try {
    write()
  } catch (error) {
    throw error instanceof TypeError ? new TypeError(`${part}: ${error.message}`) : error
  }
}

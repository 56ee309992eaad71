import { OperatorError } from './errors.ts'
import type { Json } from './json.ts'
import type { StateCodec } from './keyedState.ts'

const bigintTag = '$bigint'

/** Saves plain values: null, booleans, finite numbers, strings, bigints, and arrays and objects of them. Throws `OperatorError` on anything else. */
export function plainState<V>(): StateCodec<V> {
  return { encode: (value) => encode(value), decode: (saved) => decode(saved) as V }
}

function encode(value: unknown): Json {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value
  if (typeof value === 'number' && Number.isFinite(value)) return value
  if (typeof value === 'bigint') return { [bigintTag]: value.toString() }
  if (Array.isArray(value)) return value.map(encode)
  if (typeof value === 'object' && isPlain(value)) {
    const encoded: Record<string, Json> = {}
    for (const [key, inner] of Object.entries(value)) if (inner !== undefined) encoded[key] = encode(inner)
    return encoded
  }
  throw new OperatorError(
    `a ${typeof value === 'object' ? 'class instance' : typeof value} (${String(value).slice(0, 60)}) cannot be saved as it is; ` +
      'give the operator a state codec',
  )
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function decode(saved: Json): unknown {
  if (saved === null || typeof saved !== 'object') return saved
  if (Array.isArray(saved)) return (saved as readonly Json[]).map(decode)
  const entries = Object.entries(saved as { readonly [key: string]: Json })
  const [first] = entries
  if (entries.length === 1 && first?.[0] === bigintTag) return BigInt(first[1] as string)
  return Object.fromEntries(entries.map(([key, inner]) => [key, decode(inner)]))
}

import { OperatorError } from '../errors.ts'
import type { Json } from '../json.ts'
import type { StateCodec } from './keyedState.ts'

/** An object with one of these as its only key stands for something that JSON cannot say. */
const bigintTag = '$bigint'
const numberTag = '$number'
/** For objects that have such a key themselves, or one that assignment treats specially: their entries, as pairs. */
const objectTag = '$object'
/** For objects without a prototype: their entries, as pairs. */
const bareTag = '$bare'

/** Saves plain values: null, booleans, numbers, strings, bigints, and arrays and objects of them. Throws `OperatorError` on anything else. */
export function plainState<V>(): StateCodec<V> {
  return { encode: (value) => encode(value), decode: (saved) => decode(saved) as V }
}

function encode(value: unknown): Json {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value
  if (typeof value === 'number')
    return isJsonNumber(value) ? value : { [numberTag]: Object.is(value, -0) ? '-0' : String(value) }
  if (typeof value === 'bigint') return { [bigintTag]: value.toString() }
  if (Array.isArray(value)) return value.map(encode)
  if (typeof value === 'object' && isPlain(value)) return encodeObject(value)
  throw new OperatorError(
    `a ${typeof value === 'object' ? 'class instance' : typeof value} (${String(value).slice(0, 60)}) cannot be saved as it is; ` +
      'save something plainer, or give the operator a state codec',
  )
}

function encodeObject(value: object): Json {
  const entries = Object.entries(value)
    .filter(([, inner]) => inner !== undefined)
    .map(([key, inner]) => [key, encode(inner)] as const)
  if (Object.getPrototypeOf(value) === null) return { [bareTag]: entries }
  const isSpecial = entries.some(([key]) => key.startsWith('$') || key === '__proto__')
  return isSpecial ? { [objectTag]: entries } : Object.fromEntries(entries)
}

function isJsonNumber(value: number): boolean {
  return Number.isFinite(value) && !Object.is(value, -0)
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
  if (entries.length === 1 && first !== undefined) {
    const [tag, text] = first
    if (tag === bigintTag) return BigInt(text as string)
    if (tag === numberTag) return Number(text)
    if (tag === objectTag) return decodeEntries(text as unknown as readonly (readonly [string, Json])[])
    if (tag === bareTag) {
      const entriesOf = decodeEntries(text as unknown as readonly (readonly [string, Json])[])
      return Object.create(null, Object.getOwnPropertyDescriptors(entriesOf))
    }
  }
  return decodeEntries(entries)
}

function decodeEntries(entries: readonly (readonly [string, Json])[]): object {
  return Object.fromEntries(entries.map(([key, inner]) => [key, decode(inner)]))
}

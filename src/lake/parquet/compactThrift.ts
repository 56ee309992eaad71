/** Types of fields and list elements. @see "https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md" */
const kinds = { true: 1, false: 2, i32: 5, i64: 6, binary: 8, list: 9, struct: 12 } as const

/** A value of a field: what it is decides how it is written. */
export type ThriftValue =
  | { readonly i32: number }
  | { readonly i64: number }
  | { readonly flag: boolean }
  | { readonly text: string }
  | { readonly bytes: Uint8Array }
  | { readonly struct: ThriftStruct }
  | { readonly list: readonly ThriftValue[] }

/** Fields by their ids, in ascending order; undefined ones are left out. */
export type ThriftStruct = readonly (readonly [id: number, value: ThriftValue | undefined])[]

/** A struct in Thrift's compact protocol, in which Parquet writes its headers and its footer. */
export function compactThrift(struct: ThriftStruct): Buffer {
  const bytes: number[] = []
  putStruct(bytes, struct)
  return Buffer.from(bytes)
}

function putStruct(bytes: number[], struct: ThriftStruct): void {
  let before = 0
  for (const [id, value] of struct) {
    if (value === undefined) continue
    // Ids grow by less than 16 everywhere in Parquet.
    bytes.push(((id - before) << 4) | kindOf(value))
    before = id
    putValue(bytes, value)
  }
  bytes.push(0)
}

function kindOf(value: ThriftValue): number {
  if ('i32' in value) return kinds.i32
  if ('i64' in value) return kinds.i64
  if ('flag' in value) return value.flag ? kinds.true : kinds.false
  if ('struct' in value) return kinds.struct
  return 'list' in value ? kinds.list : kinds.binary
}

function putValue(bytes: number[], value: ThriftValue): void {
  if ('i32' in value) putZigzag(bytes, value.i32)
  else if ('i64' in value) putZigzag(bytes, value.i64)
  else if ('text' in value) putBytes(bytes, Buffer.from(value.text))
  else if ('bytes' in value) putBytes(bytes, value.bytes)
  else if ('struct' in value) putStruct(bytes, value.struct)
  else if ('list' in value) {
    const [first] = value.list
    const kind = first === undefined ? kinds.struct : kindOf(first)
    if (value.list.length < 15) bytes.push((value.list.length << 4) | kind)
    else {
      bytes.push(0xf0 | kind)
      putVarint(bytes, value.list.length)
    }
    for (const one of value.list) putValue(bytes, one)
  }
}

function putBytes(bytes: number[], given: Uint8Array): void {
  putVarint(bytes, given.length)
  for (const byte of given) bytes.push(byte)
}

function putZigzag(bytes: number[], value: number): void {
  putVarint(bytes, value < 0 ? -2 * value - 1 : 2 * value)
}

/** Seven bits a byte, least first. Sizes and counts beyond 32 bits too, up to 2^53. */
export function putVarint(bytes: number[], value: number): void {
  let rest = value
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  bytes.push(rest)
}

/**
 * What Avro's types become: null, booleans, numbers (int, float, double and, unless told otherwise, long), bigints, text (string, enum, decimal, uuid), bytes
 * (bytes, fixed), arrays, and objects (record, map). A union's value is that of its branch.
 */
export type AvroValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly AvroValue[]
  | { readonly [name: string]: AvroValue }

import { compiled } from './compiled.ts'

type ReadField = (value: Readonly<Record<string, unknown>>) => unknown

const byName = new Map<string, ReadField>()
const names = new WeakMap<object, string>()

/**
 * A function that reads the field of that name, the same one for a name: `by: field('customer')` is `by: (order) => order.customer`, save that an operator can tell what it reads. Where values are read from the log in
 * columns, it then takes the column of the field as it is, and calls nobody for each value: the fastest way to give a key, an id or a time.
 *
 * For fields of the value itself. Each name is remembered for good, so names are to stand in the code.
 */
export function field<const N extends string>(name: N): <V extends Readonly<Record<N, unknown>>>(value: V) => V[N] {
  const known = byName.get(name)
  const read = known ?? reader(name)
  if (known === undefined) {
    byName.set(name, read)
    names.set(read, name)
  }
  return read as <V extends Readonly<Record<N, unknown>>>(value: V) => V[N]
}

/** Which field a function reads that `field` has made; undefined for any other. */
export function fieldOf(read: object): string | undefined {
  return names.get(read)
}

/** Code of its own for each name, so that the compiler knows the kind of values that each one reads. */
function reader(name: string): ReadField {
  return compiled<ReadField>([], [], `return(value)=>value[${JSON.stringify(name)}]`) ?? ((value) => value[name])
}

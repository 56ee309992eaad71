/** What a value is made of: the name of its type, or the shapes of its properties by name. */
export type Shape = string | { readonly [property: string]: Shape }

/** The shape of a plain value. Of an array only that it is one, and of a class its kind, because what is in them comes and goes. */
export function shapeOf(value: unknown): Shape {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value !== 'object') return typeof value
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return 'instance'
  const properties = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(properties.map(([name, inner]) => [name, shapeOf(inner)]))
}

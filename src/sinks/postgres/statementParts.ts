/** The most that one statement carries: texts of a statement are several times as long, and all of them are in memory until it is sent. */
export const statementBytes = 4 << 20

/** The items in parts of which none has more than so many, nor more bytes, unless it is a single item. */
export function* statementParts<T>(
  items: Iterable<T>,
  bytesOf: (item: T) => number,
  mostItems: number,
): Generator<StatementPart<T>> {
  let part: T[] = []
  let bytes = 0
  for (const item of items) {
    const size = bytesOf(item)
    if (part.length > 0 && (part.length === mostItems || bytes + size > statementBytes)) {
      yield { items: part, bytes }
      part = []
      bytes = 0
    }
    part.push(item)
    bytes += size
  }
  if (part.length > 0) yield { items: part, bytes }
}

export interface StatementPart<T> {
  readonly items: readonly T[]
  readonly bytes: number
}

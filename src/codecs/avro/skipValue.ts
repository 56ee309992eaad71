import type { AvroCursor } from './avroCursor.ts'
import type { AvroType } from './avroType.ts'

/** Passes over a value. */
export type Skip = (cursor: AvroCursor) => void

/** How values of a type are passed over. Keeps what it has made, for types that are parts of themselves. */
export class Skips {
  readonly #made = new Map<AvroType, Skip>()

  of(type: AvroType): Skip {
    const made = this.#made.get(type)
    if (made !== undefined) return made
    // In the place of a record that is its own part, until it is made.
    let skip: Skip | null = null
    this.#made.set(type, (cursor) => skip?.(cursor))
    skip = this.#make(type)
    this.#made.set(type, skip)
    return skip
  }

  #make(type: AvroType): Skip {
    switch (type.kind) {
      case 'null':
        return () => undefined
      case 'boolean':
        return (cursor) => cursor.boolean()
      case 'int':
      case 'enum':
      case 'long':
        return (cursor) => cursor.long()
      case 'float':
        return (cursor) => cursor.skip(4)
      case 'double':
        return (cursor) => cursor.skip(8)
      case 'fixed': {
        const { size } = type
        return (cursor) => cursor.skip(size)
      }
      case 'bytes':
      case 'string':
        return (cursor) => cursor.skip(cursor.length())
      case 'array':
        return nested((cursor, item) => cursor.skipBlocks(item), this.of(type.items))
      case 'map': {
        const value = this.of(type.values)
        return nested(
          (cursor, entry) => cursor.skipBlocks(entry),
          (cursor) => {
            cursor.skip(cursor.length())
            value(cursor)
          },
        )
      }
      case 'union': {
        const branches = type.branches.map((branch) => this.of(branch))
        return (cursor) => (branches[cursor.index(branches.length, 'branch')] as Skip)(cursor)
      }
      case 'record': {
        const fields = type.fields.map((field) => this.of(field.type))
        return (cursor) => {
          const start = cursor.at
          cursor.enter()
          for (const field of fields) field(cursor)
          cursor.leave()
          cursor.countEmpty(start)
        }
      }
    }
  }
}

function nested(skip: (cursor: AvroCursor, inner: Skip) => void, inner: Skip): Skip {
  return (cursor) => {
    cursor.enter()
    skip(cursor, inner)
    cursor.leave()
  }
}

import { OperatorError } from '../../runtime/errors.ts'
import type { RecordView } from '../../runtime/log/record.ts'
import { BoundedMap } from './boundedMap.ts'
import { schemaIdOf } from './schemaFrame.ts'
import type { RegisteredSchema, SchemaRegistry } from './schemaRegistry.ts'

const maxSchemas = 1_000
const maxUnknown = 1_000
/** Someone who registers a schema late should not have to restart anything. */
const unknownForMs = 30_000

/**
 * What a codec makes of each schema of its registry, made once an id. Keeps the 1,000 that were asked for last; an id that the registry does not know is asked for
 * again after 30 seconds, and 1,000 of those are remembered.
 */
export class PreparedSchemas<P> {
  readonly #registry: SchemaRegistry
  readonly #make: (schema: RegisteredSchema) => P
  readonly #made = new BoundedMap<number, P>(maxSchemas)
  /** By id, until when it is not asked for again: ms of a clock that never goes back. */
  readonly #unknown = new BoundedMap<number, number>(maxUnknown)
  #lastId = 0
  #last: P | null = null

  /** @param make what is made of a schema; must not throw */
  constructor(registry: SchemaRegistry, make: (schema: RegisteredSchema) => P) {
    this.#registry = registry
    this.#make = make
  }

  /** As `Codec.prepare`. */
  prepare(record: RecordView): Promise<void> | undefined {
    const id = schemaIdOf(record)
    if (id === this.#lastId || typeof id === 'string') return undefined
    const made = this.#made.get(id)
    if (made !== undefined) {
      this.#use(id, made)
      return undefined
    }
    return performance.now() < (this.#unknown.get(id) ?? 0) ? undefined : this.#fetch(id)
  }

  /** What was made of the schema, or null where the registry does not know the id. Throws OperatorError where nobody has prepared it. */
  get(id: number): P | null {
    if (id === this.#lastId) return this.#last
    const made = this.#made.get(id)
    if (made !== undefined) {
      this.#use(id, made)
      return made
    }
    if (this.#unknown.get(id) !== undefined) return null
    throw new OperatorError(
      `schema ${id} was not fetched before the record was decoded. Whoever decodes has to await the codec's prepare(record) first, as a worker does for the codecs of inputs.`,
    )
  }

  async #fetch(id: number): Promise<void> {
    const schema = await this.#registry.schemaById(id)
    if (schema === null) {
      this.#unknown.set(id, performance.now() + unknownForMs)
      return
    }
    this.#unknown.delete(id)
    this.#use(id, this.#make(schema))
  }

  #use(id: number, made: P): void {
    this.#made.set(id, made)
    this.#lastId = id
    this.#last = made
  }
}

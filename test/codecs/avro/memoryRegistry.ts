import type { RegisteredSchema, SchemaRegistry } from '../../../src/codecs/registry/schemaRegistry.ts'

/** A registry without a network: its schemas have the ids 1, 2, 3 in the order in which they are added. */
export class MemoryRegistry implements SchemaRegistry {
  readonly schemas: RegisteredSchema[] = []
  asked = 0

  async schemaById(id: number): Promise<RegisteredSchema | null> {
    this.asked += 1
    return this.schemas[id - 1] ?? null
  }

  async register(_subject: string, { type, schema }: Pick<RegisteredSchema, 'type' | 'schema'>): Promise<number> {
    return this.schemas.push({ type, schema, references: [] })
  }

  add(schema: unknown, over: Partial<RegisteredSchema> = {}): number {
    return this.schemas.push({ type: 'AVRO', schema: JSON.stringify(schema), references: [], ...over })
  }
}

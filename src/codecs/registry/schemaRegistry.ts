/** What a schema is written in. Registries know more kinds than there are codecs here. */
export type SchemaType = 'AVRO' | 'JSON' | 'PROTOBUF'

/** A schema as a registry keeps it: under an id, for ever. */
export interface RegisteredSchema {
  readonly type: SchemaType
  /** In the language of its type. */
  readonly schema: string
  /** The texts of the schemas that it names, each after those that it names itself. */
  readonly references: readonly string[]
}

/** Where schemas are found by the id that stands before the bytes of a record. */
export interface SchemaRegistry {
  /**
   * The schema of an id, the same for ever; null for an id that the registry says it does not have. Rejects with `RetryableError` where the registry is out of reach
   * for now, and with `ConfigurationError` where it refuses or is none.
   */
  schemaById(id: number): Promise<RegisteredSchema | null>
  /**
   * Has the schema registered under the subject, which a registry answers with the same id when it has it there already, and gives the id, a number from 1 on. Rejects with `RetryableError`
   * where the registry is out of reach for now, and with `ConfigurationError` where it refuses, such as a schema that does not fit those before.
   */
  register?(subject: string, schema: Pick<RegisteredSchema, 'type' | 'schema'>): Promise<number>
}

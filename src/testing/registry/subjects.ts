import { resolve } from '../../codecs/avro/avroReader.ts'
import { parseSchema, SchemaError } from '../../codecs/avro/parseSchema.ts'

/** How the schemas of a subject have to go together, as the registry calls it. */
export const compatibilities = [
  'NONE',
  'BACKWARD',
  'BACKWARD_TRANSITIVE',
  'FORWARD',
  'FORWARD_TRANSITIVE',
  'FULL',
  'FULL_TRANSITIVE',
] as const

/** One of those. */
export type Compatibility = (typeof compatibilities)[number]

/** A schema that refers to another by the name that it has there. */
export interface SchemaReference {
  readonly name: string
  readonly subject: string
  readonly version: number
}

/** What is registered: the schema's text, its kind and what it refers to. */
export interface SchemaText {
  readonly schema: string
  readonly schemaType: string
  readonly references: readonly SchemaReference[]
}

/** A schema under a subject. */
export interface SchemaVersion extends SchemaText {
  readonly subject: string
  readonly version: number
  readonly id: number
}

/** An answer that refuses, with the number that the registry gives it. */
export class RegistryRefusal extends Error {
  readonly status: number
  readonly code: number

  constructor(status: number, code: number, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

/** What a registry holds: subjects with their versions, and ids by schema. The same schema has one id, wherever it is registered. */
export class Subjects {
  readonly byId: SchemaText[] = []
  readonly #idOf = new Map<string, number>()
  readonly #versions = new Map<string, SchemaVersion[]>()
  readonly #levels = new Map<string, Compatibility>()
  level: Compatibility = 'BACKWARD'

  names(): string[] {
    return [...this.#versions.keys()]
  }

  versions(subject: string): readonly SchemaVersion[] {
    const versions = this.#versions.get(subject)
    if (versions === undefined) throw new RegistryRefusal(404, 40_401, `Subject '${subject}' not found.`)
    return versions
  }

  version(subject: string, which: string): SchemaVersion {
    const versions = this.versions(subject)
    const found = which === 'latest' ? versions.at(-1) : versions.find(({ version }) => String(version) === which)
    if (found === undefined) throw new RegistryRefusal(404, 40_402, `Version ${which} not found.`)
    return found
  }

  schema(id: number): SchemaText {
    const found = this.byId[id - 1]
    if (found === undefined) throw new RegistryRefusal(404, 40_403, `Schema ${id} not found`)
    return found
  }

  /** The version that the subject has of this schema. */
  find(subject: string, text: SchemaText): SchemaVersion {
    const id = this.#idOf.get(keyOf(text))
    const found = this.versions(subject).find((one) => one.id === id)
    if (found === undefined) throw new RegistryRefusal(404, 40_403, 'Schema not found')
    return found
  }

  register(subject: string, text: SchemaText): number {
    this.#parse(text)
    const before = this.#versions.get(subject) ?? []
    const known = before.find((one) => keyOf(one) === keyOf(text))
    if (known !== undefined) return known.id
    const problems = this.problems(subject, text, before)
    if (problems.length > 0) {
      throw new RegistryRefusal(
        409,
        409,
        `Schema being registered is incompatible with an earlier schema: ${problems[0]}`,
      )
    }
    const id = this.#idOf.get(keyOf(text)) ?? this.byId.push(text)
    this.#idOf.set(keyOf(text), id)
    this.#versions.set(subject, [...before, { ...text, subject, version: before.length + 1, id }])
    return id
  }

  /** Why the schema does not go together with those before, by the level of the subject. Of Avro only; others always go. */
  problems(subject: string, text: SchemaText, before: readonly SchemaVersion[]): string[] {
    const level = this.levelOf(subject)
    if (level === 'NONE' || text.schemaType !== 'AVRO') return []
    const others = level.endsWith('_TRANSITIVE') ? before : before.slice(-1)
    return others.flatMap((other) => [
      ...(level.startsWith('FORWARD') ? [] : this.#gaps(other, text)),
      ...(level.startsWith('BACKWARD') ? [] : this.#gaps(text, other)),
    ])
  }

  levelOf(subject: string): Compatibility {
    return this.#levels.get(subject) ?? this.level
  }

  setLevel(subject: string, level: Compatibility): void {
    this.#levels.set(subject, level)
  }

  /** What of the writer's values the reader cannot read. */
  #gaps(writer: SchemaText, reader: SchemaText): readonly string[] {
    try {
      return resolve(this.#parse(writer), this.#parse(reader), 'bigint').gaps
    } catch (error) {
      return [(error as Error).message]
    }
  }

  #parse(text: SchemaText) {
    try {
      return parseSchema(text.schemaType === 'AVRO' ? text.schema : '"null"', this.#referenced(text))
    } catch (error) {
      if (!(error instanceof SchemaError)) throw error
      throw new RegistryRefusal(422, 42_201, `Invalid schema: ${error.message}`)
    }
  }

  /** The texts that one refers to, the innermost first, each once. */
  #referenced({ references }: SchemaText, found: string[] = []): string[] {
    for (const { subject, version } of references) {
      const referenced = this.version(subject, String(version))
      this.#referenced(referenced, found)
      if (!found.includes(referenced.schema)) found.push(referenced.schema)
    }
    return found
  }
}

function keyOf({ schema, schemaType, references }: SchemaText): string {
  return JSON.stringify([schemaType, schemaType === 'AVRO' ? JSON.parse(schema) : schema, references])
}

import { z } from 'zod'
import { type Duration, durationMs } from '../../runtime/duration.ts'
import { ConfigurationError, RetryableError } from '../../runtime/errors.ts'
import { checkOptions, needed, type OptionRules, optional } from '../../runtime/options.ts'
import { BoundedMap } from './boundedMap.ts'
import type { RegisteredSchema, SchemaRegistry } from './schemaRegistry.ts'

/** Where a registry is, and how it is asked. */
export interface ConfluentRegistryOptions {
  /** Its base, such as `http://localhost:8081`; without a user in it, for errors print it. */
  readonly url: string
  /** For a registry that asks for a name and a password, or an API key and its secret. */
  readonly auth?: { readonly username: string; readonly password: string }
  /** How long one answer may take: ms, or text such as `'5s'`; 10 s if left out. */
  readonly timeoutMs?: Duration
}

const mediaType = 'application/vnd.schemaregistry.v1+json'
const maxAnswerBytes = 4 * 1024 * 1024
const maxReferences = 100
const maxSchemas = 1_000
/** What the registry calls an id that it does not have. */
const schemaNotFound = 40_403

const references = z.array(z.object({ name: z.string(), subject: z.string(), version: z.int() })).nullish()
const schemaAnswer = z.object({
  schema: z.string(),
  schemaType: z.enum(['AVRO', 'JSON', 'PROTOBUF']).default('AVRO'),
  references,
})
const idAnswer = z.object({ id: z.int().positive() })
const errorAnswer = z.object({ error_code: z.int(), message: z.string() })
const rules: OptionRules<ConfluentRegistryOptions> = {
  url: needed.text,
  auth: optional.object({ username: needed.text, password: needed.text }),
  timeoutMs: optional.duration,
}
const options = z.object({
  url: z.url({ protocol: /^https?$/ }),
  auth: z.object({ username: z.string(), password: z.string() }).optional(),
  timeoutMs: z.int().positive().max(600_000),
})

type SchemaAnswer = z.infer<typeof schemaAnswer>

/**
 * A registry that speaks Confluent's HTTP interface (Confluent, Karapace, Apicurio, Redpanda). A schema of an id never changes, so each is fetched once; keeps the
 * 1,000 newest. Answers of more than 4 MiB are refused, and so are schemas that lead to more than 100 others.
 *
 * No answer, 429 and 5xx are a `RetryableError`; a refusal is a `ConfigurationError`. Neither says the password.
 * @throws ConfigurationError on options out of range, and for a URL with a user in it
 */
export function confluentRegistry(given: ConfluentRegistryOptions): Required<SchemaRegistry> {
  checkOptions('confluentRegistry', given, rules)
  const timeoutMs = durationMs(given.timeoutMs ?? '10s', 'confluentRegistry: timeoutMs')
  const parsed = options.safeParse({ ...given, timeoutMs })
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw new ConfigurationError(`confluentRegistry: ${issue?.path.join('.')}: ${issue?.message}`)
  }
  const { url, auth } = parsed.data
  return new ConfluentRegistry(new URL(url), auth, timeoutMs)
}

class ConfluentRegistry implements SchemaRegistry {
  readonly #base: string
  readonly #headers: Record<string, string>
  readonly #timeoutMs: number
  readonly #schemas = new BoundedMap<number, RegisteredSchema>(maxSchemas)
  readonly #underWay = new Map<number, Promise<RegisteredSchema | null>>()

  constructor(url: URL, auth: ConfluentRegistryOptions['auth'], timeoutMs: number) {
    if (url.username !== '' || url.password !== '') {
      throw new ConfigurationError('confluentRegistry: give name and password as auth, not in the url')
    }
    this.#base = `${url.origin}${url.pathname.replace(/\/+$/, '')}`
    this.#headers = { accept: mediaType }
    if (auth !== undefined) {
      this.#headers.authorization = `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}`
    }
    this.#timeoutMs = timeoutMs
  }

  schemaById(id: number): Promise<RegisteredSchema | null> {
    const known = this.#schemas.get(id)
    if (known !== undefined) return Promise.resolve(known)
    const underWay = this.#underWay.get(id)
    if (underWay !== undefined) return underWay
    const fetching = this.#fetchSchema(id).finally(() => this.#underWay.delete(id))
    this.#underWay.set(id, fetching)
    return fetching
  }

  async register(subject: string, { type, schema }: Pick<RegisteredSchema, 'type' | 'schema'>): Promise<number> {
    const body = JSON.stringify({ schema, ...(type === 'AVRO' ? {} : { schemaType: type }) })
    const answer = await this.#ask(`/subjects/${encodeURIComponent(subject)}/versions`, idAnswer, body)
    if (answer === null) throw this.#noRegistry('/subjects')
    return answer.id
  }

  async #fetchSchema(id: number): Promise<RegisteredSchema | null> {
    const answer = await this.#ask(`/schemas/ids/${id}`, schemaAnswer)
    if (answer === null) return null
    const found = { type: answer.schemaType, schema: answer.schema, references: await this.#referencesOf(answer) }
    this.#schemas.set(id, found)
    return found
  }

  /** The schemas that one names, and those that they name, the innermost first. */
  async #referencesOf(root: SchemaAnswer): Promise<readonly string[]> {
    const seen = new Set<string>()
    const texts: string[] = []
    const follow = async (schema: SchemaAnswer): Promise<void> => {
      for (const { subject, version } of schema.references ?? []) {
        const path = `/subjects/${encodeURIComponent(subject)}/versions/${version}`
        if (seen.has(path)) continue
        seen.add(path)
        if (seen.size > maxReferences) {
          throw new ConfigurationError(
            `schema registry ${this.#base}: a schema leads to more than ${maxReferences} others`,
          )
        }
        const answer = await this.#ask(path, schemaAnswer)
        if (answer === null) throw this.#noRegistry(path)
        await follow(answer)
        texts.push(answer.schema)
      }
    }
    await follow(root)
    return texts
  }

  /** Asks for JSON; a POST where there is a body. Null where the registry says that it has no such schema. */
  async #ask<T>(path: string, shape: z.ZodType<T>, body?: string): Promise<T | null> {
    const { status, text } = await this.#exchange(path, body)
    const json = jsonOf(text)
    if (status >= 200 && status < 300) {
      const answer = shape.safeParse(json)
      if (!answer.success) throw this.#noRegistry(path)
      return answer.data
    }
    if (status >= 500 || status === 429 || status === 408) {
      throw new RetryableError(`schema registry ${this.#base} answered ${status} for ${path}`)
    }
    const refused = errorAnswer.safeParse(json)
    const code = refused.data?.error_code ?? status
    if (code === schemaNotFound) return null
    // The registry's own 404s say what was not found.
    if (code === 404) throw this.#noRegistry(path)
    throw new ConfigurationError(
      `schema registry ${this.#base} refused ${path}: ${code}${status === 401 || status === 403 ? ', look at auth' : ''}${said(refused.data?.message)}`,
    )
  }

  async #exchange(path: string, body: string | undefined): Promise<{ status: number; text: string }> {
    try {
      const response = await fetch(`${this.#base}${path}`, {
        headers: body === undefined ? this.#headers : { ...this.#headers, 'content-type': mediaType },
        // A redirect could take the password elsewhere.
        redirect: 'manual',
        signal: AbortSignal.timeout(this.#timeoutMs),
        ...(body === undefined ? {} : { method: 'POST', body }),
      })
      return { status: response.status, text: await this.#boundedText(response, path) }
    } catch (error) {
      if (error instanceof ConfigurationError) throw error
      throw new RetryableError(
        `schema registry ${this.#base} did not answer for ${path}: ${causeOf(error)}. It is tried again; see whether it runs, and whether the url is right`,
        {
          cause: error,
        },
      )
    }
  }

  async #boundedText(response: Response, path: string): Promise<string> {
    const parts: Uint8Array[] = []
    let size = 0
    for await (const part of response.body ?? []) {
      size += part.byteLength
      if (size > maxAnswerBytes) {
        throw new ConfigurationError(`schema registry ${this.#base}: more than ${maxAnswerBytes} bytes for ${path}`)
      }
      parts.push(part)
    }
    return Buffer.concat(parts).toString()
  }

  #noRegistry(path: string): ConfigurationError {
    return new ConfigurationError(
      `${this.#base} does not answer ${path} as a schema registry does; look at the url, of which the path belongs to it`,
    )
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function said(message: string | undefined): string {
  return message === undefined ? '' : ` (${message.slice(0, 1_000)})`
}

/** The words of a failed fetch are in its cause. */
function causeOf(error: unknown): string {
  const { message, cause } = error as Error
  return cause instanceof Error ? `${message}, ${cause.message || String((cause as { code?: string }).code)}` : message
}

import { z } from 'zod'
import { writeHeader } from './guard.ts'
import type { AnyRoute } from './route.ts'

const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) })

/** What the console can be asked, as OpenAPI 3.1, from the table that checks requests. */
export function openApi(routes: readonly AnyRoute[], version: string): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const route of routes) {
    paths[`/${route.path}`] = { ...paths[`/${route.path}`], [route.method.toLowerCase()]: operationOf(route) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Millrace console',
      version,
      description: `Reads the database of a Millrace data folder. Where the console asks for a token, give it as a bearer token. What changes something needs the header ${writeHeader} too.`,
    },
    paths,
    components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
  }
}

function operationOf({ method, path, summary, query, body, answer, alsoText }: AnyRoute): object {
  const { properties = {}, required = [] } = schemaOf(query) as {
    readonly properties?: Readonly<Record<string, object>>
    readonly required?: readonly string[]
  }
  return {
    operationId: `${method.toLowerCase()}-${path.replace(/^api\//, '').replaceAll('/', '-')}`,
    summary,
    parameters: [
      ...Object.entries(properties).map(([name, schema]) => ({
        name,
        in: 'query',
        required: required.includes(name),
        schema,
      })),
      ...(method === 'POST' ? [{ name: writeHeader, in: 'header', required: true, schema: { type: 'string' } }] : []),
    ],
    ...(body === null
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: schemaOf(body) } } } }),
    responses: {
      200: {
        description: 'What was asked for.',
        content: {
          'application/json': { schema: schemaOf(answer, 'output') },
          ...(alsoText === undefined ? {} : { [alsoText]: { schema: { type: 'string' } } }),
        },
      },
      default: {
        description: 'Why there is no answer.',
        content: { 'application/json': { schema: schemaOf(errorSchema, 'output') } },
      },
    },
    security: [{}, { token: [] }],
  }
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output' = 'input'): object {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Record<
    string,
    unknown
  >
  return rest
}

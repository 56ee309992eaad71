import { useEffect } from 'preact/hooks'
import { useAsked } from '../shell/asked.ts'
import { plain } from '../shell/format.ts'
import { version, watch } from '../shell/live.ts'

interface Described {
  readonly paths: Readonly<
    Record<
      string,
      Readonly<
        Record<
          string,
          {
            readonly summary: string
            readonly parameters: readonly {
              readonly name: string
              readonly in: string
              readonly required: boolean
              readonly schema: object
            }[]
            readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: object }>> }
            readonly responses: Readonly<
              Record<string, { readonly content: Readonly<Record<string, { readonly schema: object }>> }>
            >
          }
        >
      >
    >
  >
}

/** What the console can be asked by programs, from its own OpenAPI. */
export function ApiPage() {
  useEffect(() => watch({}), [])
  const asked = useAsked<Described>(
    'openapi',
    (signal) => fetch('./api/openapi.json', { credentials: 'same-origin', signal }).then((response) => response.json()),
    null,
  )
  return (
    <div class="data api">
      <section class="card">
        <h1>API</h1>
        <p>
          Everything that these pages show can be asked for by programs, as JSON. Described by{' '}
          <a href="./api/openapi.json">OpenAPI 3.1</a>, version {version.value || '…'}. Where the console asks for a
          token, give it as a bearer token.
        </p>
        <pre>
          <code>{`curl ${location.origin}${location.pathname}api/overview`}</code>
        </pre>
      </section>
      {asked.value === null ? <p class="dim">{asked.state === 'failed' ? plain(asked.why) : 'Loading…'}</p> : null}
      {Object.entries(asked.value?.paths ?? {}).flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, { summary, parameters, requestBody, responses }]) => (
          <section class="card" key={`${method} ${path}`}>
            <h2>
              <span class="tag">{method.toUpperCase()}</span> <code>{path}</code>
            </h2>
            <p>{summary}</p>
            {parameters.length === 0 ? null : (
              <dl class="facts">
                {parameters.map(({ name, required, schema }) => (
                  <div key={name}>
                    <dt>
                      {name}
                      {required ? '' : ' (optional)'}
                    </dt>
                    <dd>{kindOf(schema)}</dd>
                  </div>
                ))}
              </dl>
            )}
            {requestBody === undefined ? null : (
              <Schema title="Body" schema={requestBody.content['application/json']?.schema} />
            )}
            <Schema title="Answer" schema={responses[200]?.content['application/json']?.schema} />
          </section>
        )),
      )}
    </div>
  )
}

function Schema({ title, schema }: { readonly title: string; readonly schema: object | undefined }) {
  if (schema === undefined) return null
  return (
    <details>
      <summary>{title}</summary>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keys. */}
      <pre class="payload" tabIndex={0}>
        {JSON.stringify(schema, null, 2)}
      </pre>
    </details>
  )
}

function kindOf(schema: object): string {
  const {
    type,
    enum: choices,
    pattern,
  } = schema as { readonly type?: string; readonly enum?: readonly string[]; readonly pattern?: string }
  if (choices !== undefined) return choices.join(' | ')
  return pattern === undefined ? (type ?? 'text') : pattern === '^\\d{1,15}$' ? 'whole number' : (type ?? 'text')
}

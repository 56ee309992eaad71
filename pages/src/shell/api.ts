import type { AnswerOf, RoutePath } from '../../../src/web/routes.ts'

/** What the console says in place of an answer. */
export class ApiError extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

type Query = Readonly<Record<string, string | number | undefined>>

export function addressOf(path: string, query: Query): string {
  const given = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]))
  return `./${path}?${new URLSearchParams(given as [string, string][])}`
}

export async function get<P extends RoutePath>(path: P, query: Query, signal?: AbortSignal): Promise<AnswerOf<P>> {
  const response = await fetch(addressOf(path, query), { credentials: 'same-origin', ...(signal ? { signal } : {}) })
  return (await read(response)) as AnswerOf<P>
}

/** What changes something. A page that is older than the console gets its cookie anew, once. */
export async function post(path: string, body: object): Promise<unknown> {
  const send = () =>
    fetch(`./${path}`, {
      method: 'POST',
      credentials: 'same-origin',
      headers: { 'content-type': 'application/json', 'x-millrace-console': '1' },
      body: JSON.stringify(body),
    })
  const response = await send()
  if (response.status !== 403) return read(response)
  await fetch('./', { credentials: 'same-origin' })
  return read(await send())
}

async function read(response: Response): Promise<unknown> {
  if (response.status === 204) return null
  const text = await response.text()
  if (response.ok) return JSON.parse(text)
  let told: { readonly error?: { readonly code?: string; readonly message?: string } } = {}
  try {
    told = JSON.parse(text)
  } catch {
    // A proxy in between has answered: the status is all there is.
  }
  throw new ApiError(
    told.error?.code ?? String(response.status),
    told.error?.message ?? `the console answered ${response.status}`,
  )
}

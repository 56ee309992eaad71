import { computed, signal } from '@preact/signals'

export const pageNames = ['market', 'pipeline', 'data', 'alerts', 'api'] as const
export type PageName = (typeof pageNames)[number]

const hash = signal(location.hash)
addEventListener('hashchange', () => {
  hash.value = location.hash
})

/** Where the page is: everything that somebody would want to send to a colleague is in the address, and no secret is. */
export const place = computed(() => {
  const [path = '', query = ''] = hash.value.replace(/^#\/?/, '').split('?')
  const [name = '', ...rest] = path.split('/').map(decoded)
  const page: PageName = (pageNames as readonly string[]).includes(name) ? (name as PageName) : 'market'
  return { page, parts: rest, query: new URLSearchParams(query) }
})

export function hrefOf(
  page: PageName,
  parts: readonly string[] = [],
  query: Readonly<Record<string, string>> = {},
): string {
  const text = new URLSearchParams(query).toString()
  return `#/${[page, ...parts].map(encodeURIComponent).join('/')}${text === '' ? '' : `?${text}`}`
}

export function go(href: string): void {
  location.hash = href
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

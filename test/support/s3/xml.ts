/** A tree of elements: text, or children by name; an array stands for repeated elements. */
export interface XmlTree {
  readonly [name: string]: string | number | boolean | XmlTree | readonly XmlTree[]
}

export function renderXml(tree: XmlTree): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${children(tree)}`
}

function children(tree: XmlTree): string {
  return Object.entries(tree)
    .map(([name, value]) => (isList(value) ? value.map((each) => element(name, each)).join('') : element(name, value)))
    .join('')
}

function isList(value: XmlTree[string]): value is readonly XmlTree[] {
  return Array.isArray(value)
}

function element(name: string, value: string | number | boolean | XmlTree): string {
  return `<${name}>${typeof value === 'object' ? children(value) : escapeText(String(value))}</${name}>`
}

function escapeText(text: string): string {
  return text.replace(/[&<>"'\r\n\t]/g, (char) => `&#${char.charCodeAt(0)};`)
}

/** The bodies of the elements of that name. Enough for the flat documents that S3 clients send. */
export function elementsOf(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}(?:\\s[^>]*)?>([^]*?)</${name}>`, 'g'))].map((match) => match[1] ?? '')
}

export function textOf(xml: string, name: string): string | null {
  const [body] = elementsOf(xml, name)
  if (body === undefined) return null
  const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
  return body.trim().replace(/&(#x?[0-9a-f]+|\w+);/gi, (whole, entity: string) => {
    if (!entity.startsWith('#')) return named[entity] ?? whole
    return String.fromCodePoint(/^#x/i.test(entity) ? Number.parseInt(entity.slice(2), 16) : Number(entity.slice(1)))
  })
}

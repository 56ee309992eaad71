const charWidth = 8.4
const rowHeight = 34
const pillHeight = 24
const lined = /[─│┌┐└┘┬┴]/

interface Token {
  readonly text: string
  /** Column in which it begins. */
  readonly at: number
}

interface Row {
  readonly label: string
  readonly tokens: readonly Token[]
  /** Said behind the row, without its `#`. */
  readonly note: string
}

/**
 * Draws what an operator does to a stream, as HTML with an SVG in it. Each line is a row: its name, then what comes in it, two spaces or more apart, each below what comes at the
 * same moment. What stands behind a `#` goes below the drawing. A row with lines of its own (`─┐`) is left as it is typed. The colours are those of the page.
 */
export function diagramHtml(text: string): string {
  const lines = text.trimEnd().split('\n')
  const start = Math.min(...lines.flatMap((line) => /^\S+ +/.exec(line)?.[0].length ?? []))
  const rows = lines.map((line) => rowOf(line, start))
  const width = Math.ceil(Math.max(...rows.map((row) => endOf(row))) * charWidth) + 24
  const height = rows.length * rowHeight + 8
  const label = rows
    .map(({ label, tokens }) => `${label} ${tokens.map((token) => token.text).join(', ')}`.trim())
    .join('; ')
  const notes = rows.flatMap(({ label, note }, index) => {
    if (note === '') return []
    return index === 0 || label === '' ? [note] : [`${label}: ${note}`]
  })
  return [
    '<figure class="diagram" v-pre><div tabindex="0">',
    `<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(label)}">`,
    ...rows.flatMap((row, index) => drawn(row, start, index * rowHeight + rowHeight / 2 + 4, width)),
    '</svg></div>',
    ...(notes.length === 0 ? [] : [`<figcaption>${notes.map(escaped).join(' · ')}</figcaption>`]),
    '</figure>',
  ].join('')
}

function rowOf(line: string, start: number): Row {
  const noteAt = line.search(/(?<=\s)# /)
  const said = noteAt < 0 ? '' : line.slice(noteAt + 2)
  const rest = noteAt < 0 ? line : line.slice(0, noteAt).trimEnd()
  const tokens = lined.test(rest)
    ? [{ text: rest.slice(start).trimEnd(), at: start }]
    : [...rest.slice(start).matchAll(/\S+(?: \S+)*/g)].map((found) => ({ text: found[0], at: start + found.index }))
  return { label: line.slice(0, start).trim(), tokens, note: said }
}

function endOf({ tokens }: Row): number {
  return Math.max(0, ...tokens.map(({ text, at }) => at + text.length + 1))
}

function drawn({ label, tokens }: Row, start: number, y: number, width: number): readonly string[] {
  const x = (column: number) => Math.round(column * charWidth) + 12
  const kind = label === 'out' ? 'out' : 'in'
  const isTyped = tokens.some(({ text }) => lined.test(text))
  return [
    `<text class="label" x="4" y="${y + 5}">${escaped(label)}</text>`,
    ...(isTyped || label === '' ? [] : [`<line x1="${x(start) - 10}" x2="${width - 12}" y1="${y}" y2="${y}"/>`]),
    ...tokens.map(({ text, at }) => {
      if (isTyped) return `<text class="typed" x="${x(at)}" y="${y + 5}">${spaced(text)}</text>`
      const box = `<rect class="${kind}" x="${x(at) - 7}" y="${y - pillHeight / 2}" width="${Math.round(text.length * charWidth) + 14}" height="${pillHeight}" rx="12"/>`
      return `${box}<text x="${x(at)}" y="${y + 5}">${escaped(text)}</text>`
    }),
  ]
}

/** What makes pages of Markdown takes several spaces for one. */
function spaced(text: string): string {
  return escaped(text).replaceAll(' ', '\u00a0')
}

function escaped(text: string): string {
  const marks: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
  }
  return text.replaceAll(/[&<>"]/g, (mark) => marks[mark] ?? mark)
}

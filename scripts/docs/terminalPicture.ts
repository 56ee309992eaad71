/** Colours of a drawn terminal. */
export interface TerminalTheme {
  readonly background: string
  readonly frame: string
  readonly text: string
  readonly faint: string
}

export const terminalThemes: Readonly<Record<'dark' | 'light', TerminalTheme>> = {
  dark: { background: '#0d1117', frame: '#30363d', text: '#e6edf3', faint: '#9198a1' },
  light: { background: '#ffffff', frame: '#d1d9e0', text: '#1f2328', faint: '#59636e' },
}

const lineHeight = 19
const charWidth = 7.9
const margin = 18
const bar = 30

/** A terminal as SVG: the first line is what was typed, the others what came. The first column of each row of a table keeps its place. */
export function terminalPicture(title: string, lines: readonly string[], theme: TerminalTheme): string {
  const columns = Math.max(...lines.map((line) => line.length))
  const width = Math.ceil(columns * charWidth + 2 * margin)
  const height = bar + lines.length * lineHeight + 2 * margin - 8
  const dots = [0, 1, 2].map(
    (at) => `<circle cx="${margin + at * 18}" cy="${bar / 2 + 3}" r="5" fill="${theme.frame}"/>`,
  )
  const texts = lines.flatMap((line, index) => {
    if (line.trim() === '') return []
    const y = bar + margin + 6 + index * lineHeight
    const fill = line.startsWith('$ ') ? ` fill="${theme.faint}"` : ''
    return [`<text x="${margin}" y="${y}"${fill}>${escaped(line)}</text>`]
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8" fill="${theme.background}" stroke="${theme.frame}"/>`,
    ...dots,
    `<g fill="${theme.text}" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="13" xml:space="preserve">`,
    ...texts,
    '</g>',
    '</svg>',
    '',
  ].join('\n')
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** What a live screen showed last, of all that it wrote: each frame goes up and draws over the one before. */
export function lastFrame(written: string): readonly string[] {
  const esc = '\u001b'
  const frames = written.split(new RegExp(`${esc}\\[\\d+F`))
  const end = `${esc}[0J`
  const whole = frames.findLast((frame) => frame.includes(end)) ?? ''
  const codes = new RegExp(`${esc}\\[[0-9;?]*[A-Za-z]`, 'g')
  return whole
    .slice(0, whole.indexOf(end))
    .replaceAll('\r', '')
    .replaceAll(codes, '')
    .trimEnd()
    .split('\n')
    .map((line) => line.trimEnd())
}

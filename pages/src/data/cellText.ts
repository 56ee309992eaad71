import { bytesText, countText, durationText } from '../../../src/console/text.ts'
import { zone } from '../shell/choices.ts'
import { plain, timeText } from '../shell/format.ts'

const mostCharacters = 300

/** A value of a row as people read it; always text, whatever it holds. */
export function cellText(name: string, value: unknown): string {
  if (value === null || value === undefined || value === '') return '–'
  if (typeof value === 'number') {
    if (/bytes$/i.test(name)) return bytesText(value)
    if (/AgeMs$/.test(name)) return durationText(value)
    if (/(?:Time|At)$/.test(name)) return timeText(value, zone.value)
    return countText(value)
  }
  if (typeof value === 'string' && /(?:_at|_from|_to|_time)$|^at$/.test(name)) {
    const at = Date.parse(value)
    if (!Number.isNaN(at)) return timeText(at, zone.value)
  }
  if (name === 'state') return `${markOf(String(value))} ${plain(String(value))}`
  if (name === 'differences' && typeof value === 'object') {
    return Object.entries(value as Record<string, readonly [string, string]>)
      .map(([column, [ours, theirs]]) => `${column}: ${ours} ≠ ${theirs}`)
      .join('; ')
  }
  const text = plain(typeof value === 'object' ? JSON.stringify(value) : String(value))
  return text.length > mostCharacters ? `${text.slice(0, mostCharacters)}…` : text
}

/** A shape beside the word, for whoever does not see colours. */
function markOf(state: string): string {
  if (['open', 'fail', 'failed', 'error', 'lost', 'firing'].includes(state)) return '✕'
  if (['warn', 'waiting', 'running'].includes(state)) return '◐'
  return '●'
}

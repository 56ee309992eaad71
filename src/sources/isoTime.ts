const iso = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(Z|[+-]\d{2}:?\d{2})?)?$/i

/** ms UTC of an ISO 8601 time (UTC unless it names an offset; finer than ms is left out) or date; null for anything else. */
export function parseIsoTime(text: string): number | null {
  const match = iso.exec(text.trim())
  if (match === null) return null
  const [, date, minutes = '00:00', seconds = '00', fraction = '0', zone = 'Z'] = match
  const ms = Date.parse(`${date}T${minutes}:${seconds}.${fraction.slice(0, 3).padEnd(3, '0')}${zone.toUpperCase()}`)
  // Date.parse rolls 2024-02-31 over into March; a day that does not exist is a mistake to report.
  if (Number.isNaN(ms) || Date.parse(`${date}T00:00:00Z`) !== dayOf(date ?? '')) return null
  return ms
}

function dayOf(date: string): number {
  const [year, month, day] = date.split('-').map(Number)
  const ms = Date.UTC(year ?? 0, (month ?? 0) - 1, day ?? 0)
  return new Date(ms).toISOString().slice(0, 10) === date ? ms : Number.NaN
}

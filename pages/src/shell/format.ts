/** `12.4k`, `3.1M`: for where there is little room. */
export function shortCount(count: number): string {
  if (count < 1_000) return count < 10 && count % 1 !== 0 ? count.toFixed(1) : String(Math.round(count))
  const [divisor, unit] = count < 1e6 ? [1e3, 'k'] : count < 1e9 ? [1e6, 'M'] : [1e9, 'G']
  const value = count / divisor
  return `${value >= 100 ? Math.round(value) : value.toFixed(1)}${unit}`
}

/** `0.3 s`, `12 s`, `3 min`: how far something is behind. */
export function shortAge(ms: number): string {
  if (ms < 10_000) return `${(Math.max(0, ms) / 1_000).toFixed(1)} s`
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)} h`
  return `${Math.round(ms / 86_400_000)} d`
}

/** A statistic for the eye: `65012.35`, `0.00012346`. */
export function numberText(value: number): string {
  return Math.abs(value) >= 10 || value === 0 ? value.toFixed(2) : value.toPrecision(5)
}

export type Zone = 'UTC' | 'local'

const pad = (number: number) => String(number).padStart(2, '0')

/** `2024-08-08 23:55:00`. */
export function timeText(ms: number, zone: Zone): string {
  const at = new Date(ms)
  if (Number.isNaN(at.getTime())) return String(ms)
  if (zone === 'UTC') return at.toISOString().slice(0, 19).replace('T', ' ')
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())} ${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`
}

/** Both forms: when it was, and how long ago that is. */
export function whenText(ms: number, now: number, zone: Zone): string {
  return `${timeText(ms, zone)} · ${shortAge(now - ms)} ago`
}

/** Nothing but what can be seen: a name from outside may hold anything. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, (one) => `\\u{${one.codePointAt(0)?.toString(16)}}`)
}

import { parseIsoTime } from '../sources/isoTime.ts'

/** ms UTC of an ISO 8601 time (UTC unless it names an offset), a date, or a count of ms; null for anything else. */
export function parseTime(text: string): number | null {
  return /^\d{1,15}$/.test(text) ? Number(text) : parseIsoTime(text)
}

/** `2024-08-08T23:55:00.000Z`. Times that a Date cannot hold are given as ms. */
export function formatTime(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`
}

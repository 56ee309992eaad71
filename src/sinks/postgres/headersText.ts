import type { RecordHeader } from '../../runtime/log/record.ts'
import { escapeText, unescapeText } from './columnText.ts'

/** Headers as `dead_letter.headers` holds them: name and value, which is base64 or null. */
export type StoredHeaders = readonly (readonly [string, string | null])[]

/** The headers as JSON that jsonb takes, whatever their names. */
export function headersText(headers: readonly RecordHeader[]): string {
  const stored: StoredHeaders = headers.map(({ key, value }) => [
    escapeText(key),
    value === null ? null : Buffer.from(value).toString('base64'),
  ])
  return JSON.stringify(stored)
}

/** The headers that `headersText` was given. */
export function storedHeaders(stored: StoredHeaders): readonly RecordHeader[] {
  return stored.map(([key, value]) => ({
    key: unescapeText(key),
    value: value === null ? null : Buffer.from(value, 'base64'),
  }))
}

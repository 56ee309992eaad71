import type { z } from 'zod'

/** Where a feed is to go on; null for a text that is no position of it. */
export function readPosition<T>(text: string, schema: z.ZodType<T>): T | null {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return null
  }
  return schema.safeParse(parsed).data ?? null
}

import type { z } from 'zod'

/** What the schema of a text makes of one, or null where it refuses it. */
export function acceptBy(schema: z.ZodType | null): (text: string) => string | null {
  if (schema === null) return (text) => text
  return (text) => {
    try {
      const result = schema.safeParse(text)
      return result.success && typeof result.data === 'string' ? result.data : null
    } catch {
      // The interpreter meets the same error and passes it on.
      return null
    }
  }
}

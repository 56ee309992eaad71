import { needed } from '../runtime/options.ts'

/** What codecs take as a schema. Schemas of zod 3 have no `_zod`. */
export const aZodSchema = needed.such(
  'a schema of zod 4',
  (value) => typeof value === 'object' && value !== null && '_zod' in value,
)

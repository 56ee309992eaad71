/** Of databases that are named by an address. */
export const databaseUrlAllowed = 'postgres://user:password@host:port/database'

/** Whether the text is an address of PostgreSQL. */
export function isDatabaseUrl(text: string): boolean {
  return URL.canParse(text) && ['postgres:', 'postgresql:'].includes(new URL(text).protocol)
}

/** Of schemas that a run makes and fills. */
export const schemaNameAllowed =
  'letters, digits and _, at most 63, beginning with a letter or _; not pg_… or information_schema, which PostgreSQL keeps for itself'

/** Whether a schema may be called so. */
export function isSchemaName(name: string): boolean {
  return /^(?!pg_|information_schema$)[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(name)
}

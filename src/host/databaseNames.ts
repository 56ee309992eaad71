/** Of schemas that a run makes and fills. */
export const schemaNameAllowed =
  'letters, digits and _, at most 63, beginning with a letter or _; not pg_… or information_schema, which PostgreSQL keeps for itself'

/** Whether a schema may be called so. */
export function isSchemaName(name: string): boolean {
  return /^(?!pg_|information_schema$)[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(name)
}

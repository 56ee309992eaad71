import pg from 'pg'

/** A parameter as it is written in SQL that nobody fills in any more, within a template of Jinja. */
export function quotedLiteral(value: unknown): string {
  if (Array.isArray(value)) return `ARRAY[${value.map(quotedLiteral).join(', ')}]`
  const literal = pg.escapeLiteral(String(value))
  // What Jinja would take for its own is put together by the server.
  return literal.replaceAll('{{', "{' || '{").replaceAll('{%', "{' || '%").replaceAll('{#', "{' || '#")
}

/** What went wrong with a connection, with its code and its cause. */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // Several addresses of one name, none of which answered.
  const shown = error instanceof AggregateError && error.message === '' ? error.errors[0] : error
  if (!(shown instanceof Error)) return String(shown)
  const { cause } = shown
  if (cause instanceof Error)
    return `${shown.message} (${'code' in cause ? `${String(cause.code)} ` : ''}${cause.message})`
  return shown.message
}

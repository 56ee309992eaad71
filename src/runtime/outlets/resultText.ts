const mostChars = 1_000

/** A result of a pipeline as JSON, for people: cut where it is long, and told where JSON cannot say it. */
export function resultText(result: unknown): string {
  let text: string
  try {
    text = JSON.stringify(result, (_, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner)) ?? ''
  } catch (error) {
    return `something that cannot be shown (${String(error)})`
  }
  return text.length > mostChars ? `${text.slice(0, mostChars)}… (${text.length} characters)` : text
}

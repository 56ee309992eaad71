import { MillraceError, RetryableError } from '../runtime/errors.ts'

export const exitOk = 0
/** The command failed while it ran. */
export const exitFailure = 1
/** Wrong usage or configuration: nothing was done. */
export const exitUsage = 2

/** Wrong usage: exit code 2 and one line. */
export class UsageError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'UsageError'
  }
}

/** `code: message` on one line, and the remedy; other errors come with their stack, because they are mistakes of ours. */
export function describeFailure(error: unknown): string {
  if (error instanceof MillraceError) {
    const place = [
      error.pipeline === undefined ? null : `pipeline ${error.pipeline}`,
      error.topic === undefined ? null : `topic ${error.topic}`,
      error.partition === undefined ? null : `partition ${error.partition}`,
      error.offset === undefined ? null : `offset ${error.offset}`,
    ].filter((part) => part !== null)
    const where = place.length === 0 ? '' : ` [${place.join(', ')}]`
    return `error ${error.code}: ${oneLine(error.message)}${where}\n${remedyOf(error)}`
  }
  if (error instanceof Error) {
    const code = 'code' in error && typeof error.code === 'string' ? ` ${error.code}` : ''
    return `error${code}: ${error.stack ?? error.message}\nThis is a mistake in millrace; please report it with these lines.`
  }
  return `error: ${String(error)}`
}

function remedyOf(error: MillraceError): string {
  const page = `docs/reference/errors.md#${error.code.toLowerCase()}`
  return error instanceof RetryableError
    ? `Nothing is lost: start again once it answers. \`millrace doctor\` looks for the reason; see ${page}.`
    : `What to do: ${page}.`
}

export function oneLine(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, ' ')
}

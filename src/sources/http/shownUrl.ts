import { ConfigurationError } from '../../runtime/errors.ts'

/** An address for messages: without a user, a password or a query, any of which may hold a secret. */
export function shownUrl(url: string): string {
  const { protocol, host, pathname } = new URL(url)
  return `${protocol}//${host}${pathname}`
}

/** Throws `ConfigurationError` for an address with a user, a password or a query: it is told in lines and reports. @param what for the message */
export function requirePlainUrl(what: string, url: string): void {
  const { username, password, search } = new URL(url)
  if (username === '' && password === '' && search === '') return
  throw new ConfigurationError(`${what} must have no user, password or query, which would be told in every report.`)
}

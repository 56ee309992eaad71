import { ConfigurationError, RetryableError } from '../../runtime/errors.ts'
import { firstWords, Silence, speakerOf } from '../../runtime/firstWords.ts'
import type { PostgresAddress } from './connection.ts'
import { completeAddress } from './sessionClient.ts'

/** Asks whether TLS is to be spoken, which every server of PostgreSQL and every pooler answers before it wants to know who asks. */
const sslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])
const askTimeoutMs = 3_000

/**
 * The trouble of a start, or what is behind it: `ConfigurationError` where something else than PostgreSQL answers at the address, and a `RetryableError` whose cause is `Silence`
 * where somebody takes connections and says nothing.
 */
export async function decisiveTrouble(trouble: unknown, address: PostgresAddress): Promise<unknown> {
  if (!(trouble instanceof RetryableError)) return trouble
  const { host, port } = completeAddress(address)
  // A socket of the file system is nobody's but a server's.
  if (host.startsWith('/')) return trouble
  const found = await firstWords({ host, port }, sslRequest, askTimeoutMs)
  const place = `${host}:${port}`
  if (found.kind === 'silent') {
    return new RetryableError(
      `${place} takes connections and says nothing: no PostgreSQL listens there (host and port in DATABASE_URL), or it hangs`,
      { cause: new Silence(place) },
    )
  }
  if (found.kind === 'closed' || /^[SNE]/.test(found.bytes.toString('latin1', 0, 1))) return trouble
  return new ConfigurationError(
    `what listens at ${place} is no PostgreSQL: ${speakerOf(found.bytes)}. Correct host and port in DATABASE_URL`,
    { cause: trouble },
  )
}

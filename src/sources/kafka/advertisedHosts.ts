import { lookup } from 'node:dns/promises'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { KafkaSettings } from './kafkaSettings.ts'

/** Where a broker tells its clients to come. */
export interface AdvertisedBroker {
  readonly host: string
  readonly port: number
}

/**
 * Throws `ConfigurationError` where the brokers answer at the addresses in the settings and send their clients to names that do not exist here, none of
 * them. A name that exists may be away, and one of several may belong to a machine that is.
 */
export async function requireKnownHosts(
  { brokers }: KafkaSettings,
  advertised: readonly AdvertisedBroker[],
): Promise<void> {
  const hosts = [...new Set(advertised.map(({ host }) => host))]
  if (hosts.length === 0) return
  const isKnown = await Promise.all(hosts.map(exists))
  if (isKnown.includes(true)) return
  const told = advertised.map(({ host, port }) => `${host}:${port}`).join(', ')
  throw new ConfigurationError(
    `Kafka answers at ${brokers.join(', ')} and sends its clients to ${told}, a name that cannot be resolved here (ENOTFOUND). ` +
      'Set advertised.listeners of the broker to an address that this machine can reach, name a listener in kafka.brokers (KAFKA_BROKERS) that advertises one, or make the name known here.',
  )
}

/** A resolver that is away has not said that there is no such name. */
async function exists(host: string): Promise<boolean> {
  try {
    await lookup(host)
    return true
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ENOTFOUND')
  }
}

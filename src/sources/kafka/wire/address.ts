import { isIP } from 'node:net'
import type { Broker, ConnectionOptions, SASLMechanismValue } from '@platformatic/kafka'
import type { KafkaSettings } from '../kafkaSettings.ts'

/** What the client library needs to open a connection to `host` as the settings say. */
export function connectionOptions(settings: KafkaSettings, host: string, requestTimeout: number): ConnectionOptions {
  const { ssl, sasl, connectTimeoutMs } = settings
  const tls = ssl === true ? {} : ssl === false ? null : definedOnly(ssl)
  return {
    connectTimeout: connectTimeoutMs,
    requestTimeout,
    // A name for SNI may not be an address.
    ...(tls === null ? {} : { tls, tlsServerName: isIP(host) === 0 && !('servername' in tls) }),
    ...(sasl === undefined
      ? {}
      : {
          sasl: {
            mechanism: sasl.mechanism.toUpperCase() as SASLMechanismValue,
            username: sasl.username,
            password: sasl.password,
          },
        }),
  }
}

function definedOnly<T extends object>(given: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as never
}

/** Of `host:port`, with IPv6 in brackets. */
export function parseAddress(address: string): Broker {
  const at = address.lastIndexOf(':')
  return { host: address.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port: Number(address.slice(at + 1)) }
}

export function uniqueBrokers(brokers: readonly Broker[]): Broker[] {
  return [...new Map(brokers.map((broker) => [`${broker.host}:${broker.port}`, broker])).values()]
}

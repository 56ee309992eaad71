import { isIP } from 'node:net'
import type { KafkaSettings } from '../kafkaSettings.ts'
import type { ConnectionOptions } from '../protocol/connection.ts'

/** Where a broker listens. */
export interface Broker {
  readonly host: string
  readonly port: number
}

/** How to connect to the broker as the settings say. */
export function connectionOptions(settings: KafkaSettings, { host, port }: Broker): ConnectionOptions {
  const { clientId, ssl, sasl, connectTimeoutMs, requestTimeoutMs } = settings
  // A name for SNI may not be an address.
  const name = isIP(host) === 0 ? { servername: host } : {}
  const tls = ssl === false ? null : { ...name, ...(ssl === true ? {} : definedOnly(ssl)) }
  return { host, port, clientId, tls, credentials: sasl ?? null, connectTimeoutMs, requestTimeoutMs }
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

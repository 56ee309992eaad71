import { isIP } from 'node:net'
import type { KafkaSettings } from '../sources/kafka/kafkaSettings.ts'
import { parseAddress } from '../sources/kafka/wire/address.ts'
import type { ArchiveSettings } from './openArchive.ts'

/** What to say of brokers elsewhere that are spoken to without TLS, or null. Holds no secret. */
export function plainKafka({ brokers, ssl, sasl }: Pick<KafkaSettings, 'brokers' | 'ssl' | 'sasl'>): string | null {
  if (ssl !== false || brokers.every((address) => isHere(parseAddress(address).host))) return null
  const password = sasl?.mechanism === 'plain' ? ', and so does the password' : ''
  return (
    `records go to Kafka at ${brokers.join(', ')} without TLS${password}: whoever is on the way can read and change them. ` +
    'Set KAFKA_SSL=true (kafka.ssl), unless the network between is your own alone.'
  )
}

/** The same of an object store. Requests are signed, so that keys do not go over the wire; objects do. */
export function plainArchive({ place, s3: { endpoint } }: ArchiveSettings): string | null {
  const url = endpoint === undefined ? null : URL.parse(endpoint)
  if (!place.startsWith('s3://') || url?.protocol !== 'http:') return null
  if (isHere(url.hostname.replace(/^\[(.*)\]$/, '$1'))) return null
  return (
    `objects of the archive go to ${url.host} without TLS: whoever is on the way can read them. ` +
    'Begin AWS_ENDPOINT_URL_S3 with https://, unless the network between is your own alone.'
  )
}

/** Whether the host is this machine by its name or address. */
function isHere(host: string): boolean {
  if (host === 'localhost' || host.endsWith('.localhost')) return true
  return isIP(host) === 4 ? host.startsWith('127.') : host === '::1'
}

import { type DatabaseUrl, leavesMachine } from '../sinks/postgres/databaseUrl.ts'
import type { KafkaSettings } from '../sources/kafka/kafkaSettings.ts'
import { parseAddress } from '../sources/kafka/wire/address.ts'
import type { ArchiveSettings } from './openArchive.ts'

/** A warning where rows and what proves the password would cross a network readable, and nobody has said that they may; else null. */
export function plainConnectionWarning({ host, sslmode }: Pick<DatabaseUrl, 'host' | 'sslmode'>): string | null {
  if (sslmode !== undefined || !leavesMachine(host)) return null
  return (
    `the connection to PostgreSQL at ${host} is not encrypted, so who is on the way can read and change what goes over it: add sslmode=verify-full to DATABASE_URL ` +
    '(with sslrootcert=FILE where the authority is your own), or sslmode=disable where the network is trusted'
  )
}

/** What to say of brokers elsewhere that are spoken to without TLS, or null. Holds no secret. */
export function plainKafka({ brokers, ssl, sasl }: Pick<KafkaSettings, 'brokers' | 'ssl' | 'sasl'>): string | null {
  if (ssl !== false || !brokers.some((address) => leavesMachine(parseAddress(address).host))) return null
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
  if (!leavesMachine(url.hostname.replace(/^\[(.*)\]$/, '$1'))) return null
  return (
    `objects of the archive go to ${url.host} without TLS: whoever is on the way can read them. ` +
    'Begin AWS_ENDPOINT_URL_S3 with https://, unless the network between is your own alone.'
  )
}

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { ConfigurationError } from '../../runtime/errors.ts'
import { type KafkaSettings, type KafkaSettingsInput, kafkaSettings } from '../../sources/kafka/kafkaSettings.ts'
import type { SettingValues } from '../settings.ts'

type ConnectionSettings = Pick<
  SettingValues,
  | 'kafkaBrokers'
  | 'kafkaClient'
  | 'kafkaSsl'
  | 'kafkaSslCa'
  | 'kafkaSslCert'
  | 'kafkaSslKey'
  | 'kafkaSaslMechanism'
  | 'kafkaSaslUsername'
  | 'kafkaSaslPassword'
  | 'kafkaSessionTimeoutMs'
>

/**
 * How to reach the brokers, or null without `KAFKA_BROKERS`. Throws `ConfigurationError` that names what is missing.
 * @param instanceId who this worker is in its group; left out where nothing joins one
 */
export function kafkaConnection(settings: ConnectionSettings, instanceId?: string): KafkaSettings | null {
  if (settings.kafkaBrokers === undefined) return null
  const sessionTimeoutMs = settings.kafkaSessionTimeoutMs
  return kafkaSettings({
    brokers: settings.kafkaBrokers,
    client: settings.kafkaClient,
    ssl: sslOf(settings),
    sessionTimeoutMs,
    heartbeatIntervalMs: Math.min(1_000, Math.floor(sessionTimeoutMs / 4)),
    ...saslOf(settings),
    ...(instanceId === undefined ? {} : { instanceId }),
  })
}

function sslOf(settings: ConnectionSettings): NonNullable<KafkaSettingsInput['ssl']> {
  const { kafkaSsl, kafkaSslCa, kafkaSslCert, kafkaSslKey } = settings
  const files = { KAFKA_SSL_CA: kafkaSslCa, KAFKA_SSL_CERT: kafkaSslCert, KAFKA_SSL_KEY: kafkaSslKey }
  const [given] = Object.entries(files).find(([, file]) => file !== undefined) ?? []
  if (given === undefined) return kafkaSsl
  if (!kafkaSsl) throw new ConfigurationError(`${given} is set, but KAFKA_SSL is not true; set both or neither.`)
  if ((kafkaSslCert === undefined) !== (kafkaSslKey === undefined)) {
    const [present, absent] = kafkaSslCert === undefined ? ['KEY', 'CERT'] : ['CERT', 'KEY']
    throw new ConfigurationError(
      `KAFKA_SSL_${present} is set, but KAFKA_SSL_${absent} is not; set both, or neither where the brokers want no certificate.`,
    )
  }
  return {
    ...(kafkaSslCa === undefined ? {} : { ca: pemIn(kafkaSslCa, 'KAFKA_SSL_CA') }),
    ...(kafkaSslCert === undefined ? {} : { cert: pemIn(kafkaSslCert, 'KAFKA_SSL_CERT') }),
    ...(kafkaSslKey === undefined ? {} : { key: pemIn(kafkaSslKey, 'KAFKA_SSL_KEY') }),
  }
}

function pemIn(file: string, setting: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new ConfigurationError(`${setting}: ${file} cannot be read (${code}); name a PEM file.`, { cause: error })
  }
}

function saslOf(settings: ConnectionSettings): Pick<KafkaSettingsInput, 'sasl'> {
  const { kafkaSaslMechanism: mechanism, kafkaSaslUsername: username, kafkaSaslPassword: password } = settings
  if (mechanism !== undefined && username !== undefined && password !== undefined)
    return { sasl: { mechanism, username, password } }
  const given = {
    KAFKA_SASL_MECHANISM: mechanism,
    KAFKA_SASL_USERNAME: username,
    KAFKA_SASL_PASSWORD: password,
  }
  const names = Object.keys(given) as (keyof typeof given)[]
  const missing = names.filter((name) => given[name] === undefined)
  if (missing.length === names.length) return {}
  throw new ConfigurationError(
    `${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} missing: a login at the brokers needs all of ${names.join(', ')}.`,
  )
}

/** In words for people; holds no secret. */
export function kafkaLocation({ brokers }: Pick<KafkaSettings, 'brokers'>): string {
  return `Kafka at ${brokers.join(', ')}`
}

/** The same after a restart, and another one for another data folder or host. */
export function workerIdOf({ workerId, dataDir }: Pick<SettingValues, 'workerId' | 'dataDir'>): string {
  if (workerId !== undefined) return workerId
  const folder = createHash('sha256').update(resolve(dataDir)).digest('hex').slice(0, 6)
  return `${hostname().replace(/[^a-zA-Z0-9._-]/g, '-')}-${folder}`
}

export function groupOf({ group }: Pick<SettingValues, 'group'>, topic: string): string {
  return group ?? `millrace.realtime.${topic}`
}

import { readFileSync } from 'node:fs'
import { ConfigurationError } from '../runtime/errors.ts'
import { type KafkaSettings, type KafkaSettingsInput, kafkaSettings } from '../sources/kafka/kafkaSettings.ts'
import type { SettingValues } from './settings.ts'

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
  | 'maxBatchBytes'
>

/** How to reach the brokers, or null without `KAFKA_BROKERS`. Throws `ConfigurationError` that names what is missing. */
export function kafkaConnection(settings: ConnectionSettings): KafkaSettings | null {
  if (settings.kafkaBrokers === undefined) return null
  const sessionTimeoutMs = settings.kafkaSessionTimeoutMs
  return kafkaSettings({
    brokers: [...settings.kafkaBrokers],
    client: settings.kafkaClient,
    ssl: sslOf(settings),
    sessionTimeoutMs,
    maxBatchBytes: settings.maxBatchBytes,
    heartbeatIntervalMs: Math.min(1_000, Math.floor(sessionTimeoutMs / 4)),
    ...saslOf(settings),
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

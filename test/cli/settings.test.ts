import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { commandPage } from '../../scripts/docs/commandPage.ts'
import { kafkaConnection } from '../../src/cli/kafkaConnection.ts'
import { type Environment, resolveSettings } from '../../src/cli/resolveSettings.ts'
import { NotAllowed } from '../../src/cli/settingReaders.ts'
import type { SettingName } from '../../src/cli/settings.ts'
import { settingNames, settings } from '../../src/cli/settings.ts'
import { configurationDocs } from '../../src/cli/settingsDocs.ts'
import type { CommandName } from '../../src/cli/settingTypes.ts'
import { ConfigurationError } from '../../src/runtime/errors.ts'

function resolveFor(
  command: CommandName,
  input: {
    flags?: Partial<Record<SettingName, string>>
    env?: Environment
    envFile?: Environment
  },
) {
  return resolveSettings({ command, flags: {}, env: {}, envFile: {}, ...input })
}

function messageOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError)
    return (error as Error).message
  }
  throw new Error('nothing was thrown')
}

describe('the table of settings', () => {
  test('docs/reference/commands.md is what the list of commands makes of it', async () => {
    const written = readFileSync(new URL('../../docs/reference/commands.md', import.meta.url), 'utf8')
    expect(written, 'node scripts/writeConfigurationDocs.ts writes it').toBe(await commandPage())
  })

  test('docs/reference/configuration.md is what the table makes of it', () => {
    const written = readFileSync(new URL('../../docs/reference/configuration.md', import.meta.url), 'utf8')
    expect(written, 'run `node scripts/writeConfigurationDocs.ts`').toBe(configurationDocs())
  })

  test('every default is allowed by its own reader', () => {
    for (const name of settingNames) {
      const { default: text, read } = settings[name]
      if (text !== null) expect(read(text), name).not.toBeInstanceOf(NotAllowed)
    }
  })

  test('within a command no variable and no flag is there twice', () => {
    for (const place of ['env', 'flag'] as const) {
      const all = settingNames.flatMap((name) => settings[name].commands.map((c) => `${c} ${settings[name][place]}`))
      const given = all.filter((one) => !one.endsWith(' null'))
      expect(new Set(given).size).toBe(given.length)
    }
  })
})

describe('resolveSettings', () => {
  test('a flag beats the environment, which beats .env, which beats the default', () => {
    const flags = { market: 'usdm' }
    const env = { MILLRACE_MARKET: 'spot', MILLRACE_TIME_UNIT: 'us' }
    const envFile = { MILLRACE_MARKET: 'wrong', MILLRACE_TIME_UNIT: 'wrong', MILLRACE_PARTITIONS: '8' }
    const { values, origins } = resolveFor('run realtime', { flags, env, envFile })
    expect(values.market).toBe('usdm')
    expect(values.timeUnit).toBe('us')
    expect(values.partitions).toBe(8)
    expect(values.dataDir).toBe('./.millrace')
    expect([origins.market, origins.timeUnit, origins.partitions, origins.dataDir]).toEqual([
      'flag',
      'environment',
      '.env',
      'default',
    ])
  })

  test('an empty variable is an unset one', () => {
    expect(resolveFor('run realtime', { env: { MILLRACE_MARKET: '' } }).values.market).toBe('spot')
  })

  test('a wrong value names the setting as the user wrote it, the value and what is allowed', () => {
    const wrong = (input: Parameters<typeof resolveFor>[1]) => messageOf(() => resolveFor('run realtime', input))
    expect(wrong({ flags: { market: 'futures' } })).toBe(
      '--market: "futures" is not allowed; allowed: spot, usdm, coinbase or simulated.',
    )
    expect(wrong({ env: { MILLRACE_MARKET: 'x' } })).toBe(
      'MILLRACE_MARKET: "x" is not allowed; allowed: spot, usdm, coinbase or simulated.',
    )
    expect(wrong({ envFile: { MILLRACE_MARKET: 'x' } })).toContain('MILLRACE_MARKET in .env: "x" is not allowed')
    for (const text of ['0', '-1', '1.5', '1e2', '257', 'four', ' 4'])
      expect(wrong({ env: { MILLRACE_PARTITIONS: text } })).toContain(`MILLRACE_PARTITIONS: "${text}" is not allowed`)
  })

  test('a secret is masked', () => {
    const message = messageOf(() => resolveFor('status', { env: { DATABASE_URL: 'mysql://me:hunter2@host/db' } }))
    expect(message).toContain(
      'DATABASE_URL: no address of PostgreSQL that can be used: it does not begin with postgres://',
    )
    expect(message).not.toContain('hunter2')
  })

  test('a setting that the command does not take cannot keep it from running', () => {
    expect(resolveFor('status', { env: { MILLRACE_PARTITIONS: 'four' } }).values.partitions).toBe(4)
  })

  test('an unknown MILLRACE_ variable is warned about, with the nearest known one', () => {
    const { warnings } = resolveFor('status', {
      env: { MILLRACE_DATADIR: 'x', OTHER: 'y' },
      envFile: { MILLRACE_Z: '1' },
    })
    expect(warnings).toEqual([
      'warning: MILLRACE_DATADIR is not a setting and is ignored (did you mean MILLRACE_DATA_DIR?).',
      'warning: MILLRACE_Z is not a setting and is ignored.',
    ])
  })

  test('a KAFKA_ variable is warned about where it is nearly the name of a setting', () => {
    const meant = {
      KAFKA_BROKER: 'KAFKA_BROKERS',
      KAFKA_BORKERS: 'KAFKA_BROKERS',
      kafka_brokers: 'KAFKA_BROKERS',
      KAFKA_SASL_USER: 'KAFKA_SASL_USERNAME',
      KAFKA_SASL_PASSWORT: 'KAFKA_SASL_PASSWORD',
      KAFKA_SESSION_TIMEOUT: 'KAFKA_SESSION_TIMEOUT_MS',
    }
    for (const [variable, setting] of Object.entries(meant)) {
      const expected = [`warning: ${variable} is not a setting and is ignored (did you mean ${setting}?).`]
      const slips = [{ env: { [variable]: 'x' } }, { envFile: { [variable]: 'x' } }]
      for (const slip of [...slips, { env: { [variable]: 'x' }, envFile: { [variable]: 'y' } }])
        expect(resolveFor('run realtime', slip).warnings).toEqual(expected)
    }
  })

  test('variables of brokers, of their images and of other tools are nobody’s slip', () => {
    const others = `KAFKA_ACL KAFKA_ADVERTISED_LISTENERS KAFKA_BOOTSTRAP_SERVERS KAFKA_BROKER_ID KAFKA_CFG_NODE_ID KAFKA_CLUSTER_ID
      KAFKA_CONNECT_URL KAFKA_GROUP_ID KAFKA_HEAP_OPTS KAFKA_HOME KAFKA_HOST KAFKA_JMX_OPTS KAFKA_LISTENERS KAFKA_LOG_DIRS KAFKA_LOG_RETENTION_HOURS
      KAFKA_NODE_ID KAFKA_OPTS KAFKA_PORT KAFKA_PROCESS_ROLES KAFKA_SASL KAFKA_SASL_ENABLED_MECHANISMS KAFKA_TOPIC KAFKA_URL KAFKA_VERSION KAFKA_
      AWS_REGIONS PGPASWORD DATABASE_URI S3_BUCKET AKAFKA_BROKERS PATH millrace`
    const env = Object.fromEntries(others.split(/\s+/).map((name) => [name, 'x']))
    expect(resolveFor('run realtime', { env }).warnings).toEqual([])
  })

  test('symbols are upper case, without repeats', () => {
    expect(resolveFor('run realtime', { flags: { symbols: 'btcusdt, ETHUSDT,BTCUSDT' } }).values.symbols).toEqual([
      'BTCUSDT',
      'ETHUSDT',
    ])
    for (const text of ['', ',', 'BTC/USDT', 'BTC USDT', 'BTCUSDT,'])
      expect(messageOf(() => resolveFor('run realtime', { flags: { symbols: text } }))).toContain('--symbols')
  })

  test('a place to start from is a word, a time or, in digits, an offset', () => {
    const from = (text: string) => resolveFor('run realtime', { flags: { startFrom: text } }).values.startFrom
    expect(from('earliest')).toBe('earliest')
    expect(from('latest')).toBe('latest')
    expect(from('2024-08-08T23:55Z')).toEqual({ time: Date.UTC(2024, 7, 8, 23, 55) })
    expect(from('2024-08-08')).toEqual({ time: Date.UTC(2024, 7, 8) })
    expect(from('1723161300000')).toEqual({ offset: 1_723_161_300_000 })
    for (const text of ['', 'newest', '-1', '2024-02-31', '1960-01-01', '1.5']) {
      expect(
        messageOf(() => from(text)),
        text,
      ).toMatch(/--from: .* allowed: earliest, latest, an ISO 8601 time/)
    }
  })

  test('times are ISO 8601 in UTC, dates or ms; a day that does not exist is refused', () => {
    const from = (text: string) => resolveFor('candles', { flags: { from: text } }).values.from
    const minute = Date.UTC(2024, 7, 8, 23, 55)
    for (const text of ['2024-08-08T23:55:00.000Z', '2024-08-08T23:55', '2024-08-09T01:55:00+02:00', String(minute)])
      expect(from(text), text).toBe(minute)
    expect(from('2024-08-08')).toBe(Date.UTC(2024, 7, 8))
    for (const text of ['2024-02-31', 'yesterday', '2024-13-01', '-1', '2024-08-08T25:00Z', '1e12'])
      expect(() => from(text), text).toThrow(ConfigurationError)
  })

  test('an archive is a directory, none, or a bucket', () => {
    const archive = (text: string) => resolveFor('status', { env: { MILLRACE_ARCHIVE: text } }).values.archive
    for (const text of ['directory', 'none', 's3://raw-trades', 's3://raw-trades/a/b']) expect(archive(text)).toBe(text)
    for (const text of ['s3://', 's3://B', 'gs://bucket', '/tmp/x'])
      expect(() => archive(text), text).toThrow(ConfigurationError)
  })
})

describe('TLS to Kafka', () => {
  const connection = (env: Environment) => () =>
    kafkaConnection(resolveFor('status', { env: { KAFKA_BROKERS: '127.0.0.1:9093', ...env } }).values)

  test('a certificate comes with its key, and either with TLS', () => {
    const both = { KAFKA_SSL_CERT: 'client.pem', KAFKA_SSL_KEY: 'client.key' }
    for (const [name, file] of Object.entries(both)) {
      const message = messageOf(connection({ KAFKA_SSL: 'true', [name]: file }))
      for (const setting of Object.keys(both)) expect(message).toContain(setting)
    }
    expect(messageOf(connection(both))).toContain('KAFKA_SSL_CERT is set, but KAFKA_SSL is not true')
  })

  test('a file that cannot be read is named with its setting', () => {
    const env = { KAFKA_SSL: 'true', KAFKA_SSL_CERT: import.meta.filename, KAFKA_SSL_KEY: '/no/such.key' }
    expect(messageOf(connection(env))).toContain('KAFKA_SSL_KEY: /no/such.key cannot be read (ENOENT)')
  })
})

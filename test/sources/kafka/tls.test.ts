import { mkdtempSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { ConfigurationError, MillraceError, RetryableError } from '../../../src/runtime/errors.ts'
import type { LogReader, LogSource, LogWriter } from '../../../src/runtime/log/log.ts'
import { RecordView } from '../../../src/runtime/log/record.ts'
import { openKafkaAdmin } from '../../../src/sources/kafka/admin.ts'
import { type KafkaSettingsInput, kafkaSettings } from '../../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaLog } from '../../../src/sources/kafka/openKafkaLog.ts'
import { openKafkaWriter } from '../../../src/sources/kafka/producer/openKafkaWriter.ts'
import { removeBrokerData, saslUser } from '../../support/brokerProcess.ts'
import { makeAuthority } from '../../support/certificates.ts'
import { runCommand } from '../../support/commandLine.ts'
import { canStartBroker, startTitle, uniqueName } from '../../support/kafkaBroker.ts'
import { KafkaTopic } from '../../support/kafkaTopic.ts'
import { startTlsBroker, type TlsBroker } from '../../support/tlsBroker.ts'

if (!canStartBroker) console.warn('SKIPPED: Kafka over TLS: no broker can be started')

const clients = ['wire', 'kafkajs'] as const
type Client = (typeof clients)[number]
type Given = Omit<KafkaSettingsInput, 'client'>

const stranger = makeAuthority('a stranger')

describe('certificates in the settings', () => {
  const { cert, key } = stranger.issue('client')
  const reading = (ssl: KafkaSettingsInput['ssl']) => () => kafkaSettings({ brokers: ['127.0.0.1:1'], ssl })

  test('that TLS would pass over in silence are refused', () => {
    const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
    for (const ca of ['', '/etc/ca.pem', broken, stranger.cert + broken, stranger.cert.slice(0, -40)]) {
      expect(reading({ ca }), ca).toThrow(/kafka\.ssl\.ca: must be certificates as PEM text/)
    }
    expect(reading({ ca: `# a comment\n${stranger.cert}\n${cert}` })).not.toThrow()
  })

  test('have names, and no addresses', () => {
    expect(reading({ servername: 'kafka.test' })).not.toThrow()
    for (const servername of ['127.0.0.1', '::1', '']) expect(reading({ servername })).toThrow(/kafka\.ssl\.servername/)
  })

  test('come with their keys', () => {
    expect(reading({ cert, key })).not.toThrow()
    expect(reading({ cert })).toThrow(/cert and key are set together/)
    expect(reading({ key })).toThrow(/cert and key are set together/)
    expect(reading({ cert, key: 'secret-text' })).toThrow(/kafka\.ssl\.key: must be a private key/)
    expect(reading({ cert, key: 'secret-text' })).not.toThrow(/secret-text/)
    expect(reading({ cert, key: stranger.key })).toThrow(/must be the key of the first certificate/)
  })
})

describe('a port that is no broker', () => {
  test.each([
    ['never answers', null, undefined],
    ['answers in another language', 'HTTP/1.1 400 Bad Request\r\n\r\n', /does not speak TLS: unset kafka\.ssl/],
  ])('and %s is told within a bound', async (_, answer, said) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.on('data', () => (answer === null ? undefined : socket.end(answer)))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const brokers = [`127.0.0.1:${(server.address() as AddressInfo).port}`]
    const startedAt = performance.now()
    const openings = clients.flatMap((client) =>
      [false, true].map((ssl) => {
        const timeouts = { connectTimeoutMs: 300, requestTimeoutMs: 300 }
        return openKafkaLog(kafkaSettings({ brokers, client, ssl, ...timeouts }), { topic: 'topic', group: 'group' })
      }),
    )
    const settled = await Promise.allSettled(openings)
    expect(performance.now() - startedAt).toBeLessThan(5_000)
    const errors = settled.map((outcome) => (outcome.status === 'rejected' ? outcome.reason : null))
    for (const error of errors) expect(error).toBeInstanceOf(said === undefined ? RetryableError : MillraceError)
    if (said !== undefined) for (const at of [1, 3]) expect(errors[at]!.message).toMatch(said)
    server.close()
  })
})

describe.skipIf(!canStartBroker)(startTitle('Kafka over TLS'), () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'millrace-tls-'))
  const opened: { close(): Promise<void> }[] = []
  let tls: TlsBroker
  let topic: KafkaTopic
  beforeAll(async () => {
    tls = await startTlsBroker(dataDir)
    topic = await KafkaTopic.create(tls.broker.brokers, { partitions: 2 })
  }, 180_000)
  afterEach(async () => {
    for (const each of opened.splice(0)) await each.close()
  })
  afterAll(async () => {
    await topic?.close()
    await tls?.broker.kill()
    removeBrokerData(dataDir)
  })

  const settingsOf = (client: Client, given: Given) =>
    kafkaSettings({ client, connectTimeoutMs: 2_000, requestTimeoutMs: 3_000, heartbeatIntervalMs: 100, ...given })
  const openLog = async (client: Client, given: Given): Promise<LogSource> => {
    const source = await openKafkaLog(settingsOf(client, given), { topic: topic.name, group: uniqueName('group') })
    opened.unshift(source)
    return source
  }
  const openWriter = async (given: Given): Promise<LogWriter> => {
    const writer = await openKafkaWriter(settingsOf('wire', given), { topic: topic.name })
    opened.unshift(writer)
    return writer
  }
  /** What each kind of client meets when it is opened. */
  const outcomes = async (given: Given): Promise<Error[]> => {
    const settings = settingsOf('wire', given)
    const startedAt = performance.now()
    const openings = [...clients.map((client) => openLog(client, given)), openWriter(given), openKafkaAdmin(settings)]
    const settled = await Promise.allSettled(openings)
    expect(performance.now() - startedAt).toBeLessThan(4_000)
    return settled.map((outcome) => (outcome.status === 'rejected' ? outcome.reason : new Error('It was opened')))
  }
  const expectAll = (
    errors: readonly Error[],
    kind: typeof ConfigurationError | typeof RetryableError,
    said: RegExp,
  ) => {
    for (const error of errors) {
      expect(error).toBeInstanceOf(kind)
      expect(error.message).toMatch(said)
    }
  }
  const accepted = (): [string, Given][] => [
    ['the authority that is given', { brokers: [tls.ssl], ssl: { ca: tls.ca } }],
    ['a login by SCRAM-SHA-256', withLogin('scram-sha-256')],
    ['a login by SCRAM-SHA-512', withLogin('scram-sha-512')],
    ['a certificate of its own', { brokers: [tls.mutual], ssl: { ca: tls.ca, ...tls.client } }],
  ]
  const withLogin = (mechanism: 'scram-sha-256' | 'scram-sha-512', password: string = saslUser.password): Given => ({
    brokers: [tls.saslSsl],
    ssl: { ca: tls.ca },
    sasl: { mechanism, username: saslUser.username, password },
  })

  test('all that talks to Kafka does so with a private authority, with logins and with a certificate of its own', async () => {
    const sent: string[] = []
    for (const [how, given] of accepted()) {
      const writer = await openWriter(given)
      await writer.claim(how)
      await writer.append([{ partition: 1, timestamp: 1, key: Buffer.from('key'), value: Buffer.from(how) }], '1')
      sent.push(how)
      for (const client of clients) {
        const source = await openLog(client, given)
        const assigned = Promise.withResolvers<readonly number[]>()
        // The coordinator is reached over connections of its own.
        const member = await source.join({ onAssign: assigned.resolve, onRevoke: async () => undefined })
        expect(await assigned.promise, how).toEqual([0, 1])
        expect(await readAll(source.reader(1), sent.length), `${client} with ${how}`).toEqual(sent)
        await member.leave()
      }
      const admin = await openKafkaAdmin(settingsOf('wire', given))
      opened.unshift(admin)
      expect(await admin.topics()).toContain(topic.name)
    }
  })

  test('an authority that nobody has told of is a matter of configuration, and the setting is named', async () => {
    const said = /certificate.*Set kafka\.ssl\.ca \(KAFKA_SSL_CA\)/
    expectAll(await outcomes({ brokers: [tls.ssl], ssl: true }), ConfigurationError, said)
    expectAll(await outcomes({ brokers: [tls.ssl], ssl: { ca: stranger.cert } }), ConfigurationError, said)
  })

  test('a broker that calls itself otherwise than its certificate is refused, unless the name is given', async () => {
    const brokers = [tls.ssl.replace('127.0.0.1', 'localhost')]
    const said = /kafka\.brokers.*kafka\.ssl\.servername/
    expectAll(await outcomes({ brokers, ssl: { ca: tls.ca } }), ConfigurationError, said)
    for (const client of clients) await openLog(client, { brokers, ssl: { ca: tls.ca, servername: 'kafka.test' } })
  })

  test('a wrong password is named as such and not shown', async () => {
    for (const mechanism of ['scram-sha-256', 'scram-sha-512'] as const) {
      const errors = await outcomes(withLogin(mechanism, 'not-the-password'))
      expectAll(errors, ConfigurationError, /Check kafka\.sasl/)
      for (const { message } of errors) expect(message).not.toContain('not-the-password')
    }
  })

  test('a listener without logins says that it takes none', async () => {
    const given = { ...withLogin('scram-sha-256'), brokers: [tls.ssl] }
    expectAll(await outcomes(given), ConfigurationError, /takes no credentials: unset kafka\.sasl/)
  })

  test('a listener that wants a certificate says so to clients without one, or with one it does not trust', async () => {
    const said = /set kafka\.ssl\.cert and kafka\.ssl\.key/
    expectAll(await outcomes({ brokers: [tls.mutual], ssl: { ca: tls.ca } }), ConfigurationError, said)
    const ssl = { ca: tls.ca, ...stranger.issue('client') }
    expectAll(await outcomes({ brokers: [tls.mutual], ssl }), ConfigurationError, said)
  })

  test('who comes without TLS to a listener for TLS is told so, with and without a login', async () => {
    const { sasl } = withLogin('scram-sha-256')
    for (const given of [{ brokers: [tls.ssl] }, { brokers: [tls.saslSsl], sasl: sasl! }]) {
      expectAll(await outcomes(given), ConfigurationError, /requires TLS\. Set kafka\.ssl \(KAFKA_SSL=true\)/)
    }
  })

  test('who comes with TLS to a listener without, or without a login to one that wants it, is told so', async () => {
    const plain = await outcomes({ brokers: [...tls.broker.brokers], ssl: { ca: tls.ca } })
    expectAll(plain, ConfigurationError, /does not speak TLS\. Unset kafka\.ssl/)
    const unnamed = await outcomes({ brokers: [tls.saslSsl], ssl: { ca: tls.ca } })
    expectAll(unnamed, ConfigurationError, /wants a login by .*SCRAM-SHA-512.*KAFKA_SASL_MECHANISM/)
  })

  test('the command takes the authority from KAFKA_SSL_CA, and names it when it is missing', async () => {
    const { username, password } = saslUser
    const env = {
      KAFKA_BROKERS: tls.saslSsl,
      KAFKA_SSL: 'true',
      KAFKA_SASL_MECHANISM: 'scram-sha-512',
      KAFKA_SASL_USERNAME: username,
      KAFKA_SASL_PASSWORD: password,
    }
    const describeTopic = (more: Readonly<Record<string, string>>) =>
      runCommand(['topics', 'describe', topic.name], { cwd: dataDir, env: { ...env, ...more } })
    const [found, refused] = await Promise.all([describeTopic({ KAFKA_SSL_CA: tls.caFile }), describeTopic({})])
    expect(found, found.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining(topic.name) })
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('KAFKA_SSL_CA') })
  })

  test('the command shows the certificate of KAFKA_SSL_CERT, and names it where the listener wants one', async () => {
    const [certFile, keyFile] = [join(dataDir, 'client.pem'), join(dataDir, 'client.key')]
    writeFileSync(certFile, tls.client.cert)
    writeFileSync(keyFile, tls.client.key)
    const env = { KAFKA_BROKERS: tls.mutual, KAFKA_SSL: 'true', KAFKA_SSL_CA: tls.caFile }
    const describeTopic = (more: Readonly<Record<string, string>>) =>
      runCommand(['topics', 'describe', topic.name], { cwd: dataDir, env: { ...env, ...more } })
    const [found, refused] = await Promise.all([
      describeTopic({ KAFKA_SSL_CERT: certFile, KAFKA_SSL_KEY: keyFile }),
      describeTopic({}),
    ])
    expect(found, found.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining(topic.name) })
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(/KAFKA_SSL_CERT, KAFKA_SSL_KEY/) })
  })

  // Last, for nobody can talk to the broker over TLS afterwards.
  test('a certificate that is refused after it worked is waited for, and said to be', async () => {
    const readers: LogReader[] = []
    for (const client of clients) {
      const source = await openLog(client, { brokers: [tls.ssl], ssl: { ca: tls.ca }, metadataMaxAgeMs: 100 })
      const reader = source.reader(1)
      reader.seek((await reader.bounds()).next)
      expect(await reader.fetch({ maxBytes: 1 << 20, maxWaitMs: 0 })).toBeNull()
      readers.push(reader)
    }
    await tls.changeAuthority()
    for (const reader of readers) {
      const error = await failureOf(reader, /certificate/)
      expect(error).toBeInstanceOf(RetryableError)
      expect(error.message).toMatch(/It worked before.*Set kafka\.ssl\.ca/)
    }
  })
})

async function readAll(reader: LogReader, count: number): Promise<string[]> {
  const view = new RecordView()
  const found: string[] = []
  const until = performance.now() + 5_000
  reader.seek(0)
  while (found.length < count && performance.now() < until) {
    const batch = await reader.fetch({ maxBytes: 1 << 20, maxWaitMs: 200 })
    while (batch?.read(view) === true) found.push(view.valueText() ?? '')
  }
  await reader.close()
  return found
}

/** The first failure that says so: the connection that the broker's end has broken comes first. */
async function failureOf(reader: LogReader, said: RegExp): Promise<Error> {
  for (let attempt = 0; attempt < 50; attempt++) {
    try {
      await reader.fetch({ maxBytes: 1 << 20, maxWaitMs: 20 })
    } catch (error) {
      if (said.test((error as Error).message)) return error as Error
    }
  }
  throw new Error('It does not fail')
}

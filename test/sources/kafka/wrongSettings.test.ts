import { mkdtempSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ConfigurationError, RetryableError } from '../../../src/runtime/errors.ts'
import { openKafkaAdmin } from '../../../src/sources/kafka/admin.ts'
import { type KafkaSettingsInput, kafkaSettings } from '../../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaLog } from '../../../src/sources/kafka/openKafkaLog.ts'
import { openKafkaWriter } from '../../../src/sources/kafka/producer/openKafkaWriter.ts'
import { type Broker, freePorts, removeBrokerData, saslUser, startBroker } from '../../support/brokerProcess.ts'
import { runCommand } from '../../support/commandLine.ts'
import { canStartBroker, startTitle } from '../../support/kafkaBroker.ts'

if (!canStartBroker) console.warn('SKIPPED: what is wrong with the settings of Kafka: no broker can be started')

const hasIpv6 = await new Promise<boolean>((resolve) => {
  const server = createServer().once('error', () => resolve(false))
  server.listen(0, '::1', () => server.close(() => resolve(true)))
})

describe('addresses of brokers', () => {
  const reading = (address: string) => () => kafkaSettings({ brokers: [address] })

  test('have a port that there is, and IPv6 in brackets', async () => {
    for (const good of ['127.0.0.1:9092', 'kafka:1', '[::1]:65535', 'a-b.example:9092']) {
      expect(reading(good), good).not.toThrow()
    }
    for (const bad of ['kafka', 'kafka:0', 'kafka:99999', '::1:9092', '[::1]', '[kafka]:9092', 'http://kafka:9092']) {
      expect(reading(bad), bad).toThrow(/kafka\.brokers.*must be host:port, with a port from 1 to 65535/)
      const ended = await runCommand(['topics', 'describe'], { cwd: tmpdir(), env: { KAFKA_BROKERS: bad } })
      expect(ended).toMatchObject({ code: 2, stderr: expect.stringMatching(/KAFKA_BROKERS.*a port from 1 to 65535/s) })
    }
  })
})

describe.skipIf(!canStartBroker)(startTitle('a listener that is spoken to wrongly'), { timeout: 60_000 }, () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'millrace-wrong-'))
  let broker: Broker
  let ports: Record<'ipv6' | 'scram' | 'lost' | 'half' | 'controller', number>
  const at = (port: number) => [`127.0.0.1:${port}`]

  beforeAll(async () => {
    const [plain, sasl, controller, ipv6, scram, lost, half] = (await freePorts(7)) as [number, ...number[]] & number[]
    ports = { ipv6: ipv6!, scram: scram!, lost: lost!, half: half!, controller: controller! }
    const listeners: Record<string, string> = {
      PLAIN: `127.0.0.1:${plain}`,
      SASL: `127.0.0.1:${sasl}`,
      CONTROLLER: `127.0.0.1:${controller}`,
      SCRAM: `127.0.0.1:${scram}`,
      LOST: `127.0.0.1:${lost}`,
      HALF: `127.0.0.1:${half}`,
      ...(hasIpv6 ? { IPV6: `[::1]:${ipv6}` } : {}),
    }
    const advertised = Object.entries(listeners).filter(([name]) => name !== 'CONTROLLER')
    broker = await startBroker({
      dataDir,
      ports: { plain, sasl: sasl!, controller: controller! },
      properties: {
        listeners: Object.entries(listeners)
          .map(([name, address]) => `${name}://${address}`)
          .join(','),
        'advertised.listeners': advertised
          .map(([name, address]) => (name === 'LOST' ? 'LOST://nowhere.invalid:1234' : `${name}://${address}`))
          .join(','),
        'listener.security.protocol.map':
          'PLAIN:PLAINTEXT,SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT,SCRAM:SASL_PLAINTEXT,LOST:PLAINTEXT,HALF:PLAINTEXT,IPV6:PLAINTEXT',
        'listener.name.scram.sasl.enabled.mechanisms': 'SCRAM-SHA-512',
        'listener.name.scram.scram-sha-512.sasl.jaas.config':
          'org.apache.kafka.common.security.scram.ScramLoginModule required;',
      },
    })
    const admin = await openKafkaAdmin(kafkaSettings({ brokers: [...broker.brokers] }))
    await admin.createTopic({ topic: 'there', partitions: 1, retentionMs: null, replication: null })
    await admin.close()
  }, 180_000)
  afterAll(async () => {
    await broker?.kill()
    removeBrokerData(dataDir)
  })

  /** What each kind of client meets when it is opened; null where it is. */
  async function outcomes(given: Omit<KafkaSettingsInput, 'client'>): Promise<(Error | null)[]> {
    const place = { topic: 'there', group: 'group' }
    const openings: Promise<{ close(): Promise<void> }>[] = [
      openKafkaLog(kafkaSettings({ ...given, client: 'wire' }), place),
      openKafkaLog(kafkaSettings({ ...given, client: 'kafkajs' }), place),
      openKafkaWriter(kafkaSettings(given), { topic: 'there' }),
      openKafkaAdmin(kafkaSettings(given)),
    ]
    const settled = await Promise.allSettled(openings)
    for (const outcome of settled) if (outcome.status === 'fulfilled') await outcome.value.close()
    return settled.map((outcome) => (outcome.status === 'rejected' ? outcome.reason : null))
  }

  async function expectSetting(given: Omit<KafkaSettingsInput, 'client'>, said: RegExp): Promise<void> {
    for (const error of await outcomes(given)) {
      expect(error).toBeInstanceOf(ConfigurationError)
      expect(error?.message).toMatch(said)
    }
  }

  test('and is that of a controller, says so', async () => {
    await expectSetting(
      { brokers: at(ports.controller) },
      /is that of a controller, which has no topics.*KAFKA_BROKERS/,
    )
  })

  test('in TLS, says that it speaks none', async () => {
    await expectSetting({ brokers: [...broker.brokers], ssl: true }, /does not speak TLS.*KAFKA_SSL/)
  })

  test('without a login, says which it takes', async () => {
    await expectSetting({ brokers: at(ports.scram) }, /wants a login by SCRAM-SHA-512.*KAFKA_SASL_MECHANISM/)
  })

  test('by another mechanism, says which it takes', async () => {
    await expectSetting(
      { brokers: at(ports.scram), sasl: { mechanism: 'plain', ...saslUser } },
      /takes a login by SCRAM-SHA-512, and none by PLAIN.*KAFKA_SASL_MECHANISM/,
    )
  })

  test('with a login where it takes none, says so', async () => {
    await expectSetting(
      { brokers: [...broker.brokers], sasl: { mechanism: 'plain', ...saslUser } },
      /takes no credentials: unset kafka\.sasl/,
    )
  })

  test('and sends its clients to a name that nobody knows: both addresses are named', async () => {
    await expectSetting(
      { brokers: at(ports.lost) },
      new RegExp(
        `127\\.0\\.0\\.1:${ports.lost} and sends its clients to nowhere\\.invalid:1234.*advertised\\.listeners`,
      ),
    )
    const env = { KAFKA_BROKERS: `127.0.0.1:${ports.lost}` }
    const ended = await runCommand(['doctor'], { cwd: dataDir, env })
    expect(ended.stdout).toMatch(/^fail +kafka +Kafka answers at .* sends its clients to nowhere\.invalid:1234/m)
  })

  test.skipIf(!hasIpv6)('is reached by an address of IPv6', async () => {
    expect(await outcomes({ brokers: [`[::1]:${ports.ipv6}`] })).toEqual([null, null, null, null])
  })

  test('the mechanism may be written as brokers write it', async () => {
    const env = {
      KAFKA_BROKERS: broker.saslBrokers.join(','),
      KAFKA_SASL_MECHANISM: 'SCRAM-SHA-256',
      KAFKA_SASL_USERNAME: saslUser.username,
      KAFKA_SASL_PASSWORD: saslUser.password,
    }
    expect(await runCommand(['topics', 'describe', 'there'], { cwd: dataDir, env })).toMatchObject({ code: 0 })
  })

  test('is waited for while it is away', async () => {
    const [away] = await freePorts(1)
    for (const error of await outcomes({ brokers: at(away!) })) expect(error).toBeInstanceOf(RetryableError)
  })
})

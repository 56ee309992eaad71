import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { ConfigurationError } from '../../../../src/runtime/errors.ts'
import { RecordView } from '../../../../src/runtime/log/record.ts'
import { kafkaSettings } from '../../../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaWriter } from '../../../../src/sources/kafka/producer/openKafkaWriter.ts'
import { openWireLog } from '../../../../src/sources/kafka/wire/wireLog.ts'
import { type Broker, clusterId, freePorts, startBroker } from '../../../support/brokerProcess.ts'
import { canStartBroker, startTitle, uniqueName } from '../../../support/kafkaBroker.ts'

const PRODUCE = 0
const folder = mkdtempSync(`${tmpdir()}/millrace-two-leaders-`)

describe.skipIf(!canStartBroker)(startTitle('a transaction over two leaders'), { timeout: 120_000 }, () => {
  let first: Broker
  let second: Broker
  let slow: HeldProduces

  beforeAll(async () => {
    first = await startBroker({ dataDir: `${folder}/one` })
    const [plain, sasl, controller] = (await freePorts(3)) as [number, number, number]
    slow = await HeldProduces.before(plain)
    const dataDir = `${folder}/two`
    mkdirSync(`${dataDir}/log`, { recursive: true })
    writeFileSync(`${dataDir}/log/meta.properties`, `version=1\nnode.id=2\ncluster.id=${clusterId}\n`)
    second = await startBroker({
      dataDir,
      ports: { plain, sasl, controller },
      properties: {
        'process.roles': 'broker',
        'node.id': '2',
        'controller.quorum.voters': `1@127.0.0.1:${first.ports.controller}`,
        listeners: `PLAIN://127.0.0.1:${plain},SASL://127.0.0.1:${sasl}`,
        'advertised.listeners': `PLAIN://127.0.0.1:${slow.port},SASL://127.0.0.1:${sasl}`,
        // As brokers before 3.6 are: they take what comes behind the end of a transaction.
        'transaction.partition.verification.enable': 'false',
      },
    })
  }, 180_000)
  afterAll(async () => {
    await second?.kill()
    await first?.kill()
    slow?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  test('that one of them refuses is not given up while the other may still take its part, so nothing of it is ever seen', async () => {
    const topic = uniqueName('topic')
    const admin = new Kafka({ brokers: [...first.brokers], logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    await admin.createTopics({
      topics: [
        {
          topic,
          replicaAssignment: [
            { partition: 0, replicas: [1] },
            { partition: 1, replicas: [2] },
          ],
          // What is older is refused at once, by the leader that gets it.
          configEntries: [{ name: 'message.timestamp.before.max.ms', value: '86400000' }],
        },
        {
          topic: `${topic}.positions`,
          replicaAssignment: [{ partition: 0, replicas: [1] }],
          configEntries: [{ name: 'cleanup.policy', value: 'compact' }],
        },
      ],
    })
    await admin.disconnect()
    const settings = kafkaSettings({ brokers: [...first.brokers], requestTimeoutMs: 5_000 })
    const writer = await openKafkaWriter(settings, { topic, compression: 'none' })
    await writer.claim('ingest')
    const record = (partition: number, timestamp: number, value: string) => ({
      ...{ partition, timestamp, key: null, value: Buffer.from(value) },
    })

    slow.hold()
    const refused = writer.append([record(0, 1, 'too old'), record(1, Date.now(), 'of the refused')], '1')
    refused.catch(() => undefined)
    await vi.waitFor(() => expect(slow.held).toBe(1), 10_000)
    // Long enough for an abort that does not wait to be through.
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    slow.letGo()
    await expect(refused).rejects.toBeInstanceOf(ConfigurationError)

    await writer.claim('ingest')
    await writer.append([record(1, Date.now(), 'taken')], '2')
    await writer.close()
    const log = await openWireLog(settings, { topic, group: topic })
    const reader = log.reader(1)
    reader.seek(0)
    const seen: (string | null)[] = []
    const view = new RecordView()
    for (const deadline = performance.now() + 5_000; seen.length === 0 && performance.now() < deadline; ) {
      const batch = await reader.fetch({ maxBytes: 1 << 20, maxWaitMs: 200 })
      while (batch?.read(view) === true) seen.push(view.valueText())
    }
    await log.close()
    expect(seen).toEqual(['taken'])
  })
})

/** What lies between clients and a broker, and can keep their produce requests for a while. */
class HeldProduces {
  held = 0
  #isHolding = false
  #released = Promise.withResolvers<void>()
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(port: number) {
    this.#server = createServer((client) => this.#serve(client, connect(port, '127.0.0.1')))
  }

  static async before(port: number): Promise<HeldProduces> {
    const made = new HeldProduces(port)
    await new Promise<void>((resolve) => made.#server.listen(0, '127.0.0.1', resolve))
    return made
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  hold(): void {
    this.#isHolding = true
  }

  letGo(): void {
    this.#isHolding = false
    this.#released.resolve()
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #serve(client: Socket, broker: Socket): void {
    for (const socket of [client, broker]) {
      this.#sockets.add(socket)
      socket.on('error', () => socket.destroy())
    }
    broker.on('close', () => client.destroy())
    // What was sent is on its way, whatever becomes of the sender.
    client.on('close', () => sending.finally(() => broker.end()))
    broker.pipe(client)
    let bytes = Buffer.alloc(0)
    let sending = Promise.resolve()
    client.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
        const end = 4 + bytes.readInt32BE(0)
        const request = bytes.subarray(0, end)
        bytes = bytes.subarray(end)
        const isHeld = this.#isHolding && request.readInt16BE(4) === PRODUCE
        if (isHeld) this.held += 1
        sending = sending
          .then(() => (isHeld ? this.#released.promise : undefined))
          .then(() => void broker.write(request))
      }
    })
  }
}
